"""The scores of transcriptions, held to mir_eval's."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from mir_eval.transcription import precision_recall_f1_overlap

from bridge.melody import Key
from bridge.tools.hums.scores import (
    is_tempo,
    key_score,
    leading_steps,
    note_f_measure,
    steps_of,
)


@pytest.mark.parametrize("seed", range(20))
def test_the_f_measure_is_mir_evals(seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = 1 + np.cumsum(rng.uniform(0.03, 0.5, 30))
    meant = [(float(start), 0.2, int(rng.integers(60, 64))) for start in starts]
    found = [
        (start + float(rng.normal(0, 0.04)), 0.2, pitch + int(rng.random() < 0.2))
        for start, _, pitch in meant
        if rng.random() < 0.9
    ]
    arrays = [
        part
        for notes in (meant, found)
        for part in (
            np.array([(start, start + length) for start, length, _ in notes]),
            np.array([440 * 2 ** ((pitch - 69) / 12) for *_, pitch in notes]),
        )
    ]
    *_, expected, _ = precision_recall_f1_overlap(*arrays, offset_ratio=None)
    assert note_f_measure(meant, found) == pytest.approx(expected)


def test_nothing_that_is_found_scores_nothing() -> None:
    assert note_f_measure([(0.0, 1.0, 60)], []) == 0.0


def test_steps_have_the_class_of_the_note_and_rests_none() -> None:
    notes = [(0.0, 0.5, 62), (1.0, 0.5, 64)]
    assert set(steps_of(notes, 1.5).tolist()) == {2, 4, -1}
    assert leading_steps(notes, 1.5).tolist() == [2] * 8 + [4] * 4


@pytest.mark.parametrize(
    ("meant", "found", "score"),
    [
        (Key(0, "major"), Key(0, "major"), 1.0),
        (Key(0, "major"), Key(9, "minor"), 0.5),
        (Key(9, "minor"), Key(0, "major"), 0.5),
        (Key(2, "dorian"), Key(2, "minor"), 1.0),
        (Key(0, "major"), Key(0, "minor"), 0.0),
        (Key(0, "major"), Key(3, "minor"), 0.0),
        (Key(0, "major"), None, 0.0),
    ],
)
def test_a_relative_key_counts_half(meant: Key, found: Key | None, score: float) -> None:
    assert key_score(meant, found) == score


def test_twice_and_half_the_tempo_count_and_a_third_more_does_not() -> None:
    right = [Fraction(each) for each in ("100", "102", "51", "196")]
    wrong = [Fraction(each) for each in ("104", "133", "150", "66")]
    assert all(is_tempo(Fraction(100), each) for each in right)
    assert not any(is_tempo(Fraction(100), each) for each in (*wrong, None))
