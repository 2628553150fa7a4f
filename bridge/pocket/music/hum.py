"""The melody alone, as a user gives it: hummed, whistled or plucked, never note-perfect."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform, db_to_amplitude
from bridge.pocket.music.score import Part
from bridge.pocket.music.synth import VOICES, Partials, Voice, play

HUMS = {
    "hum": (1, 0.55, 0.25, 0.12, 0.06),
    "dark hum": (1, 0.25, 0.08),
    "open voice": (1, 0.8, 0.5, 0.35, 0.15, 0.1, 0.05),
    "whistle": (1, 0.02),
}
"""Harmonic amplitudes of sounds whose pitch glides from note to note."""

PLAYED = {
    name: VOICES[name] for name in ("pluck", "guitar", "piano", "flute", "electric piano")
} | {"sine": Voice((Partials((1,)),), 0.02, 0.05)}


def melody_alone(part: Part, rng: Generator, *, tempo_bpm: float, frames: int) -> Waveform:
    """Render only the melody, with its own sound, octave and flaws.

    Two in three are sung: glides, vibrato, a pitch off by up to a quarter of a semitone, breath.
    The rest are played. All have some background noise.

    Returns:
        Mono at 32 kHz, `frames` frames, peak near 0.5.
    """
    octave = int(rng.choice((-12, 0, 0, 0, 12)))
    if rng.random() < 0.67:
        sound = _sung(part, octave, rng, tempo_bpm, frames)
    else:
        moved = Part(
            part.voice,
            part.starts_beats,
            part.lengths_beats,
            part.pitches + octave,
            part.velocities,
        )
        voice = PLAYED[str(rng.choice(list(PLAYED)))]
        sound = play(moved, voice, rng, tempo_bpm=tempo_bpm, frames=frames).mean(axis=1)
    sound *= 0.5 / max(float(np.abs(sound).max()), 1e-6)
    noise_level = db_to_amplitude(-rng.uniform(40, 70))
    sound += noise_level * rng.standard_normal(frames).astype(np.float32)
    return Waveform(sound[:, None].astype(np.float32), MODEL_SAMPLE_RATE)


def _sung(
    part: Part, octave: int, rng: Generator, tempo_bpm: float, frames: int
) -> NDArray[np.float32]:
    count = len(part.pitches)
    late = rng.normal(0.0, 0.012, count) * MODEL_SAMPLE_RATE
    first = np.clip(
        part.starts_beats * MODEL_SAMPLE_RATE * 60 / tempo_bpm + late, 0, frames
    ).astype(int)
    last = np.clip(
        first + part.lengths_beats * MODEL_SAMPLE_RATE * 60 / tempo_bpm, 0, frames
    ).astype(int)
    tuning = rng.uniform(-0.2, 0.2)
    target = np.full(frames, np.nan, dtype=np.float32)
    level = np.zeros(frames, dtype=np.float32)
    for index in range(count):
        flaw = rng.normal(0.0, 0.08)
        end = first[index + 1] if index + 1 < count else frames
        target[first[index] : end] = part.pitches[index] + octave + tuning + flaw
        level[first[index] : last[index]] = part.velocities[index]
    known = np.flatnonzero(~np.isnan(target))
    target[: known[0] if len(known) else frames] = target[known[0]] if len(known) else 60.0
    glide = _smoothed(target, rng.uniform(0.02, 0.07))
    time = np.arange(frames) / MODEL_SAMPLE_RATE
    glide += rng.uniform(0.0, 0.3) * np.sin(2 * np.pi * rng.uniform(4.5, 6.0) * time)
    phase = np.cumsum(440.0 * 2 ** ((glide - 69) / 12) / MODEL_SAMPLE_RATE)
    amplitudes = HUMS[str(rng.choice(list(HUMS)))]
    sound = sum(a * np.sin(2 * np.pi * (k + 1) * phase) for k, a in enumerate(amplitudes))
    breath = rng.uniform(0.0, 0.04) * rng.standard_normal(frames)
    return ((np.asarray(sound) + breath) * _smoothed(level, 0.04)).astype(np.float32)


def _smoothed(curve: NDArray[np.float32], seconds: float) -> NDArray[np.float64]:
    """Running mean over that many seconds, the same length; the ends hold their value."""
    width = max(1, round(seconds * MODEL_SAMPLE_RATE))
    padded = np.pad(curve.astype(np.float64), (width // 2, width - width // 2), mode="edge")
    total = np.cumsum(padded)
    return (total[width:] - total[:-width]) / width
