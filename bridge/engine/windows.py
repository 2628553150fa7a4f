"""Splits a piece that is longer than the model's 30 s into windows that overlap.

audiocraft moves its window of 30 s on by 18 s, and the melody with it. Here a window moves on by
17.92 s: a whole number of codec steps (896) and of steps of chroma (140), so that the melody stays
aligned to the sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

STRIDE_STEPS = 896
STRIDE_CHROMA_STEPS = 140


@dataclass(frozen=True)
class Window:
    """One window's part of a piece.

    Attributes:
        start: the step of the piece where the window begins.
        known: how many of its first steps have codes already.
        steps: all of its steps, including the known ones.
    """

    start: int
    known: int
    steps: int

    @property
    def first_chroma_step(self) -> int:
        """The step of the melody where the window begins."""
        return self.start // STRIDE_STEPS * STRIDE_CHROMA_STEPS


def windows(before: int, total: int, longest: int) -> Iterator[Window]:
    """The windows of a piece that have new steps. Where they begin does not depend on `before`.

    Args:
        before: steps that have codes already, fewer than `total`.
        total: steps of the complete piece.
        longest: most steps of a window, over `STRIDE_STEPS`.
    """
    start = 0
    while before < total:
        end = min(start + longest, total)
        if end > before:
            yield Window(start, before - start, end - start)
            before = end
        start += STRIDE_STEPS
