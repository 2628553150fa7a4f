"""Windows of a long piece: each step is made once, and windows begin at whole steps of chroma."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bridge.chroma import STEP_SECONDS
from bridge.engine.windows import STRIDE_CHROMA_STEPS, STRIDE_STEPS, Window, windows


def test_a_piece_that_fits_is_one_window() -> None:
    assert list(windows(0, 1500, 1500)) == [Window(0, 0, 1500)]
    assert list(windows(20, 30, 1500)) == [Window(0, 20, 30)]


def test_a_longer_piece_has_overlapping_windows() -> None:
    assert list(windows(0, 4500, 1500)) == [
        Window(0, 0, 1500),
        Window(896, 604, 1500),
        Window(1792, 604, 1500),
        Window(2688, 604, 1500),
        Window(3584, 604, 916),
    ]


@given(st.integers(0, 8000), st.integers(1, 5000))
def test_each_step_is_made_once_and_in_the_right_window(before: int, more: int) -> None:
    total = before + more
    made = before
    complete = {window.start + window.known: window for window in windows(0, total, 1500)}
    for window in windows(before, total, 1500):
        assert window.start % STRIDE_STEPS == 0
        assert window.start + window.known == made
        assert window.known < window.steps <= 1500
        made = window.start + window.steps
        # A continued piece has the same window borders as the complete one.
        assert made in complete or made == total
    assert made == total


def test_the_stride_is_a_whole_number_of_codec_and_chroma_steps() -> None:
    seconds = Fraction(STRIDE_STEPS, 50)
    assert seconds == STRIDE_CHROMA_STEPS * Fraction(STEP_SECONDS).limit_denominator(1000)
    assert Window(2 * STRIDE_STEPS, 0, 1).first_chroma_step == 2 * STRIDE_CHROMA_STEPS
