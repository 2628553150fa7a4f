"""Synthetic music with exactly known tempo, meter and first bar line.

Every piece is float32 `[frames, 2]` at the model's rate. `first_bar_seconds` says where the first
bar line is; `tempo_bpm` is the tempo that is really played. Drum and note onsets begin on the
sample that their beat falls on, and their attacks rise within 2 ms (a pad's within 400 ms).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.timing import Meter

RATE = MODEL_SAMPLE_RATE
Floats = NDArray[np.float64]

KICK_SNARE = {
    "4/4": ((0.0, 2.0), (1.0, 3.0)),
    "3/4": ((0.0,), (1.0, 2.0)),
    "7/8": ((0.0, 2.0), (1.0, 3.0)),
    "6/8": ((0.0,), (1.5,)),
}
"""Beats of a bar that carry the kick and the snare, for each meter."""


def kick() -> Floats:
    """A bass drum: a sine that falls from 150 to 50 Hz, 0.25 s."""
    t = np.arange(int(0.25 * RATE)) / RATE
    phase = 2 * np.pi * (50 * t + 100 * 0.03 * (1 - np.exp(-t / 0.03)))
    return np.sin(phase) * np.exp(-t / 0.08) * np.minimum(1, t / 0.001)


def snare(rng: np.random.Generator) -> Floats:
    """A snare drum: noise and a 190 Hz body, 0.2 s."""
    t = np.arange(int(0.2 * RATE)) / RATE
    noise = rng.standard_normal(t.size) * np.exp(-t / 0.05)
    return (0.3 * noise + 0.4 * np.sin(2 * np.pi * 190 * t) * np.exp(-t / 0.04)) * np.minimum(
        1, t / 0.0005
    )


def hat(rng: np.random.Generator) -> Floats:
    """A closed hi-hat: differentiated noise, 0.05 s."""
    t = np.arange(int(0.05 * RATE)) / RATE
    noise = np.diff(rng.standard_normal(t.size + 1))
    return 0.15 * noise * np.exp(-t / 0.012)


def pluck(pitch: float) -> Floats:
    """A plucked note of eight harmonics at that MIDI pitch, 0.6 s."""
    t = np.arange(int(0.6 * RATE)) / RATE
    hz = 440 * 2 ** ((pitch - 69) / 12)
    harmonics = np.arange(1, 9)
    tone = (np.sin(2 * np.pi * hz * harmonics[:, None] * t) / harmonics[:, None] ** 1.5).sum(axis=0)
    note: Floats = 0.4 * tone * np.exp(-t / 0.2) * np.minimum(1, t / 0.002)
    return note


def drums(
    tempo_bpm: float,
    seconds: float,
    *,
    meter: str = "4/4",
    first_bar_seconds: float = 0.0,
    seed: int = 0,
    hats: bool = True,
    swing: float = 0.0,
) -> Floats:
    """Kick, snare and eighth-note hats. A swing of 1/3 plays the off-beats as triplets."""
    rng = np.random.default_rng(seed)
    kicks, snares = KICK_SNARE[meter]
    bar_beats = float(Meter.parse(meter).beats_per_bar)
    out = np.zeros(int(seconds * RATE))
    beat_seconds = 60 / tempo_bpm
    # The bar before the first is played too, so that a late piece does not begin with silence.
    for bar in range(-1, int(seconds / (bar_beats * beat_seconds)) + 1):
        for beat in kicks:
            add(out, kick(), first_bar_seconds + (bar * bar_beats + beat) * beat_seconds)
        for beat in snares:
            add(out, snare(rng), first_bar_seconds + (bar * bar_beats + beat) * beat_seconds)
        for eighth in range(round(bar_beats * 2) if hats else 0):
            beat = eighth / 2 + (swing / 2 if eighth % 2 else 0)
            level = 1.0 if eighth % 2 == 0 else 0.6
            add(out, level * hat(rng), first_bar_seconds + (bar * bar_beats + beat) * beat_seconds)
    return out


def plucks(
    tempo_bpm: float,
    seconds: float,
    pitches: tuple[float, ...],
    *,
    step_beats: float = 0.5,
    first_bar_seconds: float = 0.0,
) -> Floats:
    """The pitches in turn, over and over, one each `step_beats`; 0 is a rest."""
    out = np.zeros(int(seconds * RATE))
    step_seconds = step_beats * 60 / tempo_bpm
    for index in range(int((seconds - first_bar_seconds) / step_seconds) + 1):
        pitch = pitches[index % len(pitches)]
        if pitch:
            add(out, pluck(pitch), first_bar_seconds + index * step_seconds)
    return out


def pad(
    seconds: float,
    *,
    seed: int = 0,
    chord: tuple[float, ...] = (57, 60, 64, 67),
    chord_seconds: float | None = None,
) -> Floats:
    """Detuned sines with slow vibrato and a little hiss; a new chord each `chord_seconds`.

    Chords cross-fade over 0.4 s, so there is no attack anywhere.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    out = 0.003 * rng.standard_normal(t.size)
    count = 1 if chord_seconds is None else int(seconds / chord_seconds) + 1
    for index in range(count):
        level = np.ones_like(t)
        if chord_seconds is not None:
            begin, end = index * chord_seconds, (index + 1) * chord_seconds
            level = np.clip((t - begin) / 0.4 + 0.5, 0, 1) * np.clip((end - t) / 0.4 + 0.5, 0, 1)
        for pitch in chord:
            hz = 440 * 2 ** ((pitch + (0, 5, -2, 3)[index % 4] - 69) / 12)
            for detune in (-0.06, 0.07):
                vibrato = 0.05 * np.sin(2 * np.pi * rng.uniform(3, 6) * t + rng.uniform(0, 6))
                phase = np.cumsum(hz * 2 ** ((detune + vibrato) / 12)) * 2 * np.pi / RATE
                out += 0.08 * level * np.sin(phase + rng.uniform(0, 6))
    return out


def scattered(seconds: float, *, seed: int, per_second: float = 4.0) -> Floats:
    """Plucks at random times and pitches: many onsets, and no pulse."""
    rng = np.random.default_rng(seed)
    out = np.zeros(int(seconds * RATE))
    for time in rng.uniform(0, seconds, int(per_second * seconds)):
        add(out, pluck(float(rng.integers(48, 76))), float(time))
    return out


def stereo(*parts: Floats, level: float = 0.25) -> Waveform:
    """Mix the parts, panned a little to alternating sides."""
    left = sum(part * (1.0 if index % 2 == 0 else 0.8) for index, part in enumerate(parts))
    right = sum(part * (0.8 if index % 2 == 0 else 1.0) for index, part in enumerate(parts))
    return Waveform((level * np.stack([left, right], axis=1)).astype(np.float32), RATE)


def add(out: Floats, sound: Floats, seconds: float) -> None:
    """Mix the sound in at that time, cut at both ends of `out`."""
    begin = round(seconds * RATE)
    cut = max(0, -begin)
    end = min(out.size, begin + sound.size)
    if cut < sound.size and begin + cut < end:
        out[begin + cut : end] += sound[cut : end - begin]


def grid_seconds(tempo_bpm: Fraction | float) -> float:
    """A sixteenth note, in seconds."""
    return 15.0 / float(tempo_bpm)
