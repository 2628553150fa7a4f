"""Drum kits: a few synthesized hits each, and the patterns that play them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE
from bridge.pocket.music.score import Score, onset_frame


@dataclass(frozen=True)
class Kit:
    """How a drum kit sounds.

    Attributes:
        kick_hz: final pitch of the kick.
        kick_seconds: its decay.
        snare_tone_hz: pitch of the snare's shell.
        snare_noise: share of noise in the snare, 0…1.
        snare_seconds: its decay.
        hat_seconds: decay of the closed hat.
        hat_level: relative to the kick.
        brightness: 0…1, how much of the noise above 4 kHz is kept.
        swing: 0…1, delay of every second eighth; 1 is a sixth of a beat.
    """

    kick_hz: float
    kick_seconds: float
    snare_tone_hz: float
    snare_noise: float
    snare_seconds: float
    hat_seconds: float
    hat_level: float
    brightness: float
    swing: float


KITS = {
    "drums": Kit(52, 0.12, 185, 0.8, 0.09, 0.035, 0.7, 0.9, 0.0),
    "electronic drums": Kit(46, 0.22, 220, 0.7, 0.07, 0.025, 0.75, 1.0, 0.0),
    "lo-fi drums": Kit(58, 0.10, 165, 0.75, 0.08, 0.03, 0.65, 0.45, 0.55),
    "brushed drums": Kit(60, 0.08, 200, 0.97, 0.14, 0.06, 0.6, 0.6, 0.7),
}


def drum_track(score: Score, rng: Generator, *, frames: int) -> NDArray[np.float32]:
    """Render the drums of a score.

    Returns:
        float32 `[frames, 2]` at `MODEL_SAMPLE_RATE`, a kick on the one at peak 1; silence when
        it has no kit.
    """
    out = np.zeros((frames, 2), dtype=np.float32)
    if score.kit is None:
        return out
    kit = KITS[score.kit]
    hits = _hits(kit)
    pan = {"kick": (1.0, 1.0), "snare": (1.0, 0.92), "hat": (0.65, 1.0)}
    beats = int(score.meter.beats_per_bar)
    pattern = _pattern(score, rng, beats)
    bars = round(score.seconds * score.tempo_bpm / 60 / beats)
    for bar in range(bars):
        for name, beat, level in pattern:
            late = kit.swing / 3 * 0.5 if beat % 1 == 0.5 else 0.0
            first = onset_frame(bar * beats + beat + late, score.tempo_bpm)
            sound = hits[name][: max(frames - first, 0)] * np.float32(level)
            for channel in (0, 1):
                out[first : first + len(sound), channel] += sound * np.float32(pan[name][channel])
    return out


@cache
def _hits(kit: Kit) -> dict[str, NDArray[np.float32]]:
    """The samples of a kit: always the same, as in a drum machine, so that they can be learned."""
    rng = np.random.default_rng(0)
    return {"kick": _kick(kit), "snare": _snare(kit, rng), "hat": _hat(kit, rng)}


def _pattern(score: Score, rng: Generator, beats: int) -> list[tuple[str, float, float]]:
    """(hit, beat in the bar, level) of one bar: kick on one, snare on the back beats, hats."""
    busy = score.drum_density
    four_on_the_floor = score.kit == "electronic drums" and beats == 4 and rng.random() < 0.6
    kicks = (
        [float(b) for b in range(beats)]
        if four_on_the_floor
        else [0.0] + ([2.0] if beats == 4 else [])
    )
    if not four_on_the_floor and busy > 0.5:
        kicks.append(2.5 if beats == 4 else 1.5)
    snares = [1.0, 3.0] if beats == 4 else ([1.0, 2.0] if rng.random() < 0.5 else [2.0])
    step = 1.0 if busy < 0.2 else 0.5
    rows = [("kick", beat, 1.0 if beat == 0 else 0.85) for beat in kicks]
    rows += [("snare", beat, 0.85) for beat in snares]
    rows += [("hat", beat, 1.0 if beat % 1 == 0 else 0.7) for beat in np.arange(0, beats, step)]
    return rows


def _seconds(length: float) -> NDArray[np.float32]:
    time = np.arange(round(length * MODEL_SAMPLE_RATE), dtype=np.float32) / MODEL_SAMPLE_RATE
    return np.asarray(time, dtype=np.float32)


def _noise(frames: int, brightness: float, rng: Generator) -> NDArray[np.float32]:
    """White noise, darker as brightness falls (one-pole blend in the spectrum)."""
    spectrum = np.fft.rfft(rng.standard_normal(frames))
    frequency = np.fft.rfftfreq(frames, 1 / MODEL_SAMPLE_RATE)
    corner = 2500 + 9000 * brightness
    shaped = np.fft.irfft(spectrum / (1 + (frequency / corner) ** 2), frames)
    return np.asarray(shaped / (np.abs(shaped).max() + 1e-9), dtype=np.float32)


def _kick(kit: Kit) -> NDArray[np.float32]:
    time = _seconds(kit.kick_seconds * 4)
    sweep = kit.kick_hz * time + 110 * 0.02 * (1 - np.exp(-time / 0.02))
    body = np.sin(2 * np.pi * sweep) * np.exp(-time / kit.kick_seconds)
    click = np.exp(-time / 0.002) * np.sin(2 * np.pi * 1800 * time) * 0.25
    return np.asarray(body + click, dtype=np.float32)


def _snare(kit: Kit, rng: Generator) -> NDArray[np.float32]:
    time = _seconds(kit.snare_seconds * 4)
    noise = _noise(len(time), kit.brightness * 0.6, rng) * np.exp(-time / kit.snare_seconds)
    shell = np.sin(2 * np.pi * kit.snare_tone_hz * time) * np.exp(-time / 0.04)
    return np.asarray(kit.snare_noise * noise + (1 - kit.snare_noise) * shell, dtype=np.float32)


def _hat(kit: Kit, rng: Generator) -> NDArray[np.float32]:
    time = _seconds(kit.hat_seconds * 4)
    noise = np.diff(_noise(len(time) + 1, kit.brightness, rng))
    return np.asarray(kit.hat_level * 2 * noise * np.exp(-time / kit.hat_seconds), dtype=np.float32)
