"""Voices: additive synthesis from wavetables, one note at a time.

A voice is a table of numbers, not code: groups of partials, each with its own decay, under one
envelope, with vibrato, a detuned pair and breath where the instrument has them. In every lead
voice the fundamental and its octaves outweigh the other partials, so that the strongest pitch
class of a note is the note's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE
from bridge.pocket.music.score import Part, onset_frame

TABLE_SIZE = 4096
HIGHEST_PARTIAL_HZ = 12_000.0
"""Higher partials are left out: they would alias, and the small codec cannot keep them."""
NEAR_SIDE, FAR_SIDE = np.float32(0.6), np.float32(0.4)
"""Gains of each copy of a detuned pair: apart enough to be wide, together enough to stay solid in
mono (side 14 dB under mid)."""


@dataclass(frozen=True)
class Partials:
    """Harmonics that decay together.

    Attributes:
        amplitudes: amplitudes of harmonics 1, 2, 3, … of `ratio` times the fundamental.
        decay_seconds: time to fall to 1/e; None for a sustained sound.
        ratio: 1 for harmonic voices; bells and bars have others.
    """

    amplitudes: tuple[float, ...]
    decay_seconds: float | None = None
    ratio: float = 1.0


@dataclass(frozen=True)
class Voice:
    """How one instrument sounds.

    Attributes:
        partials: groups of harmonics, summed.
        attack_seconds: rise time.
        release_seconds: fall time after the note's end.
        vibrato_cents: depth at 5.3 Hz, growing over the note's first 0.3 s.
        detune_cents: distance of two copies, one to each side; 0 for a single copy.
        breath: level of low-passed noise under the tone, relative.
    """

    partials: tuple[Partials, ...]
    attack_seconds: float = 0.004
    release_seconds: float = 0.08
    vibrato_cents: float = 0.0
    detune_cents: float = 0.0
    breath: float = 0.0


def rolloff(count: int, power: float) -> tuple[float, ...]:
    """Harmonic amplitudes `1 / k**power`: 1 is a sawtooth, 2 a soft triangle-like tone."""
    return tuple(1.0 / k**power for k in range(1, count + 1))


VOICES = {
    "piano": Voice((
        Partials((1, 0.5, 0.2, 0.12, 0.06), 1.2),
        Partials((0.1, 0.2, 0.2, 0.15, 0.1, 0.08, 0.05), 0.2),
    )),
    "electric piano": Voice(
        (Partials((1, 0.16, 0.04), 1.1), Partials((0, 0.2, 0.06, 0.2, 0.05), 0.25)),
        detune_cents=3,
    ),
    "organ": Voice((Partials((1, 0.6, 0.22, 0.3, 0, 0.06, 0, 0.12)),), 0.012, 0.05, 5, 4),
    "strings": Voice((Partials(rolloff(10, 1.5)),), 0.07, 0.18, 10, 9),
    "synth lead": Voice((Partials(rolloff(14, 1.2)),), 0.008, 0.07, 6, 5),
    "pluck": Voice(
        (Partials(rolloff(4, 1.3), 0.6), Partials(rolloff(14, 1.0), 0.1)),
        release_seconds=0.06,
    ),
    "guitar": Voice((
        Partials((1, 0.7, 0.25, 0.18, 0.08), 0.7),
        Partials((0.2, 0.3, 0.25, 0.2, 0.2, 0.15, 0.1), 0.15),
    )),
    "bells": Voice(
        (Partials((1, 0.25), 1.2), Partials((0.22,), 0.4, 2.76), Partials((0.12,), 0.2, 5.4)),
        release_seconds=0.3,
    ),
    "marimba": Voice(
        (Partials((1,), 0.5), Partials((0.25,), 0.08, 3.93), Partials((0.1,), 0.04, 9.2)),
        0.002,
    ),
    "flute": Voice((Partials((1, 0.22, 0.08, 0.03)),), 0.04, 0.08, 12, 0, 0.05),
    "voice": Voice((Partials((1, 0.75, 0.35, 0.22, 0.1, 0.06, 0.03)),), 0.05, 0.1, 20, 6, 0.02),
    "brass": Voice(
        (Partials(rolloff(8, 1.4)), Partials((0, 0.1, 0.15, 0.2, 0.15, 0.1), 0.25)),
        0.03, 0.07, 6,
    ),
    "pad": Voice((Partials(rolloff(7, 1.7)),), 0.25, 0.35, 0, 12),
    "bass": Voice(
        (Partials((1, 0.45, 0.15, 0.06), 1.0), Partials((0, 0.2, 0.15, 0.1), 0.12)),
        0.006, 0.06,
    ),
    "sub bass": Voice((Partials((1, 0.12)),), 0.015, 0.06),
}  # fmt: skip


def play(
    part: Part, voice: Voice, rng: Generator, *, tempo_bpm: float, frames: int
) -> NDArray[np.float32]:
    """Render a part.

    Returns:
        float32 `[frames, 2]` at `MODEL_SAMPLE_RATE`, centred except for the detuned pair.
    """
    out = np.zeros((frames, 2), dtype=np.float32)
    for start, length, pitch, velocity in zip(
        part.starts_beats, part.lengths_beats, part.pitches, part.velocities, strict=True
    ):
        first = onset_frame(start, tempo_bpm)
        sides = (-1, 1) if voice.detune_cents else (0,)
        for column, side in enumerate(sides):
            frequency = 440.0 * 2 ** ((pitch - 69 + side * voice.detune_cents / 200) / 12)
            sound = tone(voice, frequency, length * 60 / tempo_bpm, rng) * np.float32(velocity)
            sound = sound[: frames - first]
            if len(sides) == 1:
                out[first : first + len(sound)] += sound[:, None]
            else:
                out[first : first + len(sound), column] += NEAR_SIDE * sound
                out[first : first + len(sound), 1 - column] += FAR_SIDE * sound
    return out


def tone(voice: Voice, frequency_hz: float, seconds: float, rng: Generator) -> NDArray[np.float32]:
    """One note with its release, float32 `[frames]`, peak near 1."""
    frames = round((seconds + voice.release_seconds) * MODEL_SAMPLE_RATE)
    time: NDArray[np.float32] = np.arange(frames, dtype=np.float32) / np.float32(MODEL_SAMPLE_RATE)
    phase = np.arange(frames) * (frequency_hz / MODEL_SAMPLE_RATE) + rng.random()
    if voice.vibrato_cents:
        depth = frequency_hz * voice.vibrato_cents / 1200 * np.log(2) / (2 * np.pi * 5.3)
        swell = np.minimum(time / 0.3, 1.0)
        phase += depth * swell * np.sin(2 * np.pi * 5.3 * time + rng.random())
    sound = np.zeros(frames, dtype=np.float32)
    total = sum(sum(group.amplitudes) for group in voice.partials)
    for group in voice.partials:
        table = _table(group.amplitudes, int(HIGHEST_PARTIAL_HZ / (frequency_hz * group.ratio)))
        index = ((phase * group.ratio) * TABLE_SIZE).astype(np.int64) & (TABLE_SIZE - 1)
        wave = table[index]
        if group.decay_seconds is not None:
            wave *= np.exp(-time / np.float32(group.decay_seconds))
        sound += wave
    if voice.breath:
        noise = rng.standard_normal(frames + 8).astype(np.float32)
        sound += (
            voice.breath * np.convolve(noise, np.ones(9, np.float32) / 3, mode="valid")[:frames]
        )
    shape = envelope(time, seconds, voice.attack_seconds, voice.release_seconds)
    return np.asarray(sound / np.float32(total) * shape, dtype=np.float32)


def envelope(
    time: NDArray[np.float32], seconds: float, attack_seconds: float, release_seconds: float
) -> NDArray[np.float32]:
    """Envelope of a note, 0…1, at each `time` (seconds from its start)."""
    rise = np.minimum(time / attack_seconds, 1.0)
    fall = np.clip((seconds + release_seconds - time) / release_seconds, 0.0, 1.0)
    return np.asarray(rise * fall * fall, dtype=np.float32)


@lru_cache(maxsize=1024)
def _table(amplitudes: tuple[float, ...], highest: int) -> NDArray[np.float32]:
    kept = amplitudes[: max(1, highest)]
    angle = 2 * np.pi * np.arange(TABLE_SIZE) / TABLE_SIZE
    wave = sum(a * np.sin((k + 1) * angle) for k, a in enumerate(kept))
    return np.asarray(wave, dtype=np.float32)
