"""90 s of `pocket`, four windows after the first: the seams between windows are inaudible."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import STEP_SECONDS, pitch_classes, similarity
from bridge.engine import Request, load
from bridge.engine.windows import windows
from bridge.melody import AlignedMelody, align_to_bars, read_melody
from bridge.rendering.plan import DEMO_MELODY
from bridge.timing import Meter

pytestmark = pytest.mark.slow

SECONDS = 90.0
RATE = 32_000
FLUX_HOP = 320
NEAR_SECONDS = 0.03
ORDINARY = 0.8
"""Limit of the seams' mean share. The mean is 0.5 if seams are like all other places."""
PROMPT = "strings, pad, no drums, 96 bpm"
"""Long notes: between drums a break of 40 ms looks like a hit."""


@pytest.fixture(scope="module")
def aligned() -> AlignedMelody:
    take = read_melody(DEMO_MELODY, tempo_bpm=Fraction(100))
    return align_to_bars(
        take, bars=36, tempo_bpm=Fraction(96), meter=Meter(4, 4), piece_seconds=SECONDS
    )


@pytest.fixture(scope="module")
def piece(aligned: AlignedMelody) -> Waveform:
    request = Request(PROMPT, aligned.chroma, seconds=SECONDS, seed=3)
    (made,) = load("pocket", device="cpu").generate(request)
    assert made.frames == round(SECONDS * RATE)
    return made


def seams() -> list[float]:
    """The times, in seconds, where a window ends and the next one continues."""
    return [(window.start + window.steps) / 50 for window in windows(0, 4500, 1500)][:-1]


def flux(piece: Waveform) -> NDArray[np.float64]:
    """Spectral flux every 10 ms: the sum of the increases in the log spectrum."""
    frames = sliding_window_view(piece.samples.mean(axis=1), 1024)[::FLUX_HOP] * np.hanning(1024)
    levels = np.log1p(10 * np.abs(np.fft.rfft(frames)))
    grown: NDArray[np.float64] = np.maximum(np.diff(levels, axis=0), 0).sum(axis=1)
    return grown


def around(curve: NDArray[np.float64], per_second: float) -> NDArray[np.float64]:
    """The curve's largest value within `NEAR_SECONDS` of each place."""
    width = 2 * round(NEAR_SECONDS * per_second) + 1
    largest: NDArray[np.float64] = sliding_window_view(curve, width).max(axis=1)
    return largest


def shares_below(curve: NDArray[np.float64], per_second: float) -> list[float]:
    """For each seam, the share of all places where the curve is lower than at the seam."""
    near = around(curve, per_second)
    first = round(NEAR_SECONDS * per_second)
    return [float((near < near[round(seam * per_second) - first]).mean()) for seam in seams()]


def loudness_steps(piece: Waveform) -> NDArray[np.float64]:
    """Level difference in dB between the second after and the second before, every 10 ms."""
    power = piece.samples.mean(axis=1).astype(np.float64) ** 2
    blocks = power[: len(power) // FLUX_HOP * FLUX_HOP].reshape(-1, FLUX_HOP).mean(axis=1)
    sums = np.concatenate([[0], np.cumsum(blocks)])
    per_second = RATE // FLUX_HOP
    level = 10 * np.log10(sums[per_second:] - sums[:-per_second] + 1e-9)
    steps = np.zeros(len(blocks))
    steps[per_second : len(level)] = np.abs(level[per_second:] - level[:-per_second])
    return steps


def ordinary_flux(piece: Waveform) -> float:
    """The seams' mean share for spectral flux."""
    return float(np.mean(shares_below(flux(piece), RATE / FLUX_HOP)))


def ordinary_loudness(piece: Waveform) -> float:
    """The seams' mean share for steps of loudness."""
    return float(np.mean(shares_below(loudness_steps(piece), RATE / FLUX_HOP)))


def test_spectrum_and_loudness_change_no_more_at_a_seam_than_elsewhere(piece: Waveform) -> None:
    assert ordinary_flux(piece) < ORDINARY
    assert ordinary_loudness(piece) < ORDINARY


def test_broken_seams_exceed_the_limit(piece: Waveform) -> None:
    """A jump of 94 ms, a hole of 40 ms, and steps of 8 dB, where the windows meet."""
    jumps, holes, steps = (piece.samples.copy() for _ in range(3))
    for index, seam in enumerate(seams()):
        frame = round(seam * RATE)
        jumps[frame:] = np.roll(jumps[frame:], 3000, axis=0)
        holes[frame - 640 : frame + 640] = 0
        steps[frame:] *= 2.5 if index % 2 else 0.4
    assert ordinary_flux(Waveform(jumps, RATE)) > ORDINARY
    assert ordinary_flux(Waveform(holes, RATE)) > ORDINARY
    assert ordinary_loudness(Waveform(steps, RATE)) > ORDINARY


def test_a_long_piece_follows_the_melody_to_the_end(
    piece: Waveform, aligned: AlignedMelody
) -> None:
    """Ten seconds at a time: the later windows as well as the first."""
    played = pitch_classes(piece)
    for start in range(0, 90, 10):
        part = slice(round(start / STEP_SECONDS), round((start + 10) / STEP_SECONDS))
        assert similarity(aligned.classes[part], played[part]) > 0.7, start


def test_a_long_piece_neither_fades_nor_swells(piece: Waveform) -> None:
    levels = [
        10 * np.log10((part.astype(np.float64) ** 2).mean())
        for part in np.array_split(piece.samples, 9)
    ]
    assert max(levels) - min(levels) < 6
