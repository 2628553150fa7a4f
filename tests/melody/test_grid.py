"""Onsets and the grid."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from bridge.melody import TranscribedNote, quantized


def notes(beats: list[float], *, tempo_bpm: float, late_seconds: float) -> list[TranscribedNote]:
    """Notes that begin so many beats after second 1, each held until the next."""
    starts = [1.0 + beat * 60 / tempo_bpm + late_seconds for beat in [*beats, beats[-1] + 1]]
    lengths = np.diff(starts)
    return [
        TranscribedNote(start, float(length), 60, 0.0, 100, 1.0)
        for start, length in zip(starts, lengths, strict=False)
    ]


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    ("beats", "tempo_bpm"),
    [
        ([0, 1, 2, 3, 4, 6, 7], 120),
        ([0, 1, 2, 3, 4, 6, 7], 180),
        ([0, 1.5, 2, 3, 4, 4.5, 5], 100),
        ([0, 1.5, 3, 4.5, 6], 90),
    ],
)
def test_a_line_that_comes_in_late_is_pulled_as_far_as_asked(
    beats: list[float], tempo_bpm: int, strength: float
) -> None:
    late = notes(beats, tempo_bpm=tempo_bpm, late_seconds=0.12)
    pulled = quantized(tuple(late), strength, tempo_bpm=Fraction(tempo_bpm), first_beat_seconds=1.0)
    wanted = [1 + beat * 60 / tempo_bpm + 0.12 * (1 - strength) for beat in beats]
    assert [note.start_seconds for note in pulled] == pytest.approx(wanted)
    for note, after in pairwise(pulled):
        assert note.seconds == pytest.approx(after.start_seconds - note.start_seconds)


def test_notes_stay_in_order_and_apart_whatever_their_rhythm() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        starts = np.cumsum(rng.uniform(0.05, 0.6, 20))
        given = tuple(TranscribedNote(float(start), 0.04, 60, 0.0, 100, 1.0) for start in starts)
        pulled = quantized(given, 1.0, tempo_bpm=Fraction(97), first_beat_seconds=0.3)
        assert len(pulled) == len(given)
        assert all(note.seconds > 0 and note.start_seconds >= 0 for note in pulled)
        for note, after in pairwise(pulled):
            assert after.start_seconds >= note.start_seconds + note.seconds - 1e-9


def test_no_notes_are_no_error() -> None:
    assert quantized((), 1.0, tempo_bpm=Fraction(120), first_beat_seconds=0.0) == ()
