"""Performance: rendering a score to a stereo mix in which the melody leads."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform, db_to_amplitude
from bridge.pocket.music.drums import drum_track
from bridge.pocket.music.score import CHORD_VOICES, Part, Score
from bridge.pocket.music.synth import VOICES, play

LEAD_OVER_CHORDS_DB = (9.0, 14.0)
"""Level of the melody above the chords: below 6 dB its pitch class gets lost."""
LEAD_OVER_BASS_DB = (1.0, 4.0)
LEAD_RMS = 0.085

ROOM_DB = {"ambient": -14.0, "dreamy": -15.0, "cinematic": -14.0, "sparse": -17.0}
"""Level of the reverb below the dry sound, by mood; −20 dB otherwise."""

DRUMS_GAIN = 0.4
"""Gain of a kit whose kick peaks at 1: as loud as in a club, so that the codec's first codebooks
encode every hit, and always the same, so that a hit always has the same codes."""
HIGHEST_PEAK = 0.95


def perform(score: Score, other: Score, rng: Generator) -> tuple[Waveform, Waveform]:
    """Render a score, and another that differs from it by the drums alone.

    Returns:
        Both stereo at 32 kHz, `round(score.seconds * 32000)` frames, the same except for the drums.
        A peak above 0.95 is reduced to 0.95.
    """
    frames = round(score.seconds * MODEL_SAMPLE_RATE)
    mix = sum(balanced(score, rng, frames=frames), np.zeros((frames, 2), dtype=np.float32))
    mix = _in_room(mix, db_to_amplitude(ROOM_DB.get(score.mood, -20.0)))
    drums = [DRUMS_GAIN * drum_track(each, rng, frames=frames) for each in (score, other)]
    peak = max(float(np.abs(mix + each).max()) for each in drums)
    gain = min(1.0, HIGHEST_PEAK / max(peak, 1e-6))
    played, otherwise = (
        Waveform(((mix + each) * gain).astype(np.float32), MODEL_SAMPLE_RATE) for each in drums
    )
    return played, otherwise


def balanced(score: Score, rng: Generator, *, frames: int) -> list[NDArray[np.float32]]:
    """The melody and each part of the backing, float32 `[frames, 2]`, at their levels in the mix.

    In the order of the score, the melody first.
    """
    lead = _placed(_rendered(score.lead, score, rng, frames), rng.uniform(-0.1, 0.1))
    lead *= LEAD_RMS / _loudness(lead)
    sounds = [lead]
    for part in score.backing:
        sound = _rendered(part, score, rng, frames)
        under_lead_db = LEAD_OVER_BASS_DB
        if part.voice in CHORD_VOICES:
            sound = _widened(sound)
            under_lead_db = LEAD_OVER_CHORDS_DB
        sound *= LEAD_RMS * db_to_amplitude(-rng.uniform(*under_lead_db)) / _loudness(sound)
        sounds.append(sound)
    return sounds


def _rendered(part: Part, score: Score, rng: Generator, frames: int) -> NDArray[np.float32]:
    return play(part, VOICES[part.voice], rng, tempo_bpm=score.tempo_bpm, frames=frames)


def _loudness(sound: NDArray[np.float32]) -> float:
    """Root mean square of the sounding half of 50 ms blocks, so that rests do not count."""
    block = MODEL_SAMPLE_RATE // 20
    power = (sound[: len(sound) // block * block].reshape(-1, block * 2) ** 2).mean(axis=1)
    return max(float(np.sqrt(np.sort(power)[len(power) // 2 :].mean())), 1e-4)


def _placed(sound: NDArray[np.float32], pan: float) -> NDArray[np.float32]:
    """Equal-power balance, −1 left … 1 right."""
    angle = (pan + 1) * np.pi / 4
    return (
        sound * np.array([np.cos(angle), np.sin(angle)], dtype=np.float32) * np.float32(np.sqrt(2))
    )


def _widened(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add a short delay on the right (Haas effect), which puts chords around the melody."""
    delay = round(0.011 * MODEL_SAMPLE_RATE)
    out = sound.copy()
    out[delay:, 1] = 0.5 * (sound[delay:, 1] + sound[:-delay, 1])
    return out


def _in_room(sound: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """Add reverb, always of the same room: fewer sounds to learn."""
    tails = _room()
    size = 1 << (len(sound) + len(tails) - 1).bit_length()
    dry = np.fft.rfft(sound.mean(axis=1), size)
    wet = np.fft.irfft(dry[:, None] * np.fft.rfft(tails, size, axis=0), size, axis=0)
    return np.asarray(sound + level * wet[: len(sound)], dtype=np.float32)


@cache
def _room() -> NDArray[np.float64]:
    """A diffuse stereo tail of 0.5 s, `[frames, 2]`: noise under an exponential, a small room's."""
    length = MODEL_SAMPLE_RATE // 2
    time = np.arange(length) / MODEL_SAMPLE_RATE
    tails = np.random.default_rng(0).standard_normal((length, 2)) * np.exp(-time / 0.12)[:, None]
    tails[: round(0.008 * MODEL_SAMPLE_RATE)] = 0.0
    return np.asarray(tails / np.sqrt((tails**2).sum(axis=0)))
