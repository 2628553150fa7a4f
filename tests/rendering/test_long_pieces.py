"""90 s of `pocket`, four windows after the first: the seams between windows are inaudible."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.chroma import STEP_SECONDS, pitch_classes, similarity
from bridge.engine import Request, load
from bridge.engine.windows import windows
from bridge.melody import AlignedMelody, align_to_bars, read_melody
from bridge.rendering.plan import DEMO_MELODY
from bridge.timing import Meter
from tests.rendering.seams import ORDINARY, flux, loudness_steps, share_below

pytestmark = pytest.mark.slow

SECONDS = 90.0
RATE = 32_000
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


def ordinary_flux(piece: Waveform) -> float:
    """The seams' mean share for spectral flux."""
    curve = flux(piece.samples, RATE)
    return float(np.mean([share_below(curve, seam) for seam in seams()]))


def ordinary_loudness(piece: Waveform) -> float:
    """The seams' mean share for steps of loudness."""
    curve = loudness_steps(piece.samples, RATE)
    return float(np.mean([share_below(curve, seam) for seam in seams()]))


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
