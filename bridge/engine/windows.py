"""How a piece that is longer than what the model sees at once is made: in windows that overlap.

audiocraft slides its window of 30 s by 18 s and turns the melody along. Here it slides by 17.92 s,
which is whole both in codec steps (896) and in steps of chroma (140), so that the melody stays
where it belongs, to the sample.
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
        start: the step of the piece that it begins at.
        known: its first steps, whose codes are there already.
        steps: all of its steps, the known ones too.
    """

    start: int
    known: int
    steps: int

    @property
    def first_chroma_step(self) -> int:
        """The step of the melody that it begins at."""
        return self.start // STRIDE_STEPS * STRIDE_CHROMA_STEPS


def windows(before: int, total: int, longest: int) -> Iterator[Window]:
    """The windows of a piece, each with something to make. Their places do not depend on `before`.

    Args:
        before: steps that are there already, fewer than `total`.
        total: steps of the whole piece.
        longest: steps of a window, over `STRIDE_STEPS`.
    """
    start = 0
    while before < total:
        end = min(start + longest, total)
        if end > before:
            yield Window(start, before - start, end - start)
            before = end
        start += STRIDE_STEPS
