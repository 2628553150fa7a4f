"""Rows of a terminal's cells: meters, waveforms in braille, chroma and piano roll in half blocks.

A row is a list of texts, each with a style of rich. Colours are the 16 of the terminal's own
palette, so that they suit a light background and a dark one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Cell(NamedTuple):
    """A text of a row.

    Attributes:
        style: of rich.
        action: what a click on it does; empty: nothing.
    """

    text: str
    style: str = ""
    action: str = ""


Row = list[Cell]

FLOOR_DB = -60.0
"""The meter's left end, and the level below which nothing counts as sound."""
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Braille's dots of the left and the right column, from the top (Unicode 15, block 2800)."""
_BRAILLE = 0x2800
_DOTS_HIGH = len(_DOTS[0])


def width_of(row: Row) -> int:
    """The row's length in cells, of which each of its characters takes one."""
    return sum(len(cell.text) for cell in row)


def fitted(row: Row, width: int) -> Row:
    """The row cut or filled with blanks to that width."""
    cells, left = [], width
    for cell in row:
        cells.append(cell._replace(text=cell.text[:left]))
        left -= len(cells[-1].text)
    return [*cells, Cell(" " * left)]


def meter(peak_db: float, rms_db: float, width: int) -> Row:
    """RMS as a bar and the peak as a mark, from −60 to 0 dBFS; red when the peak nears 0."""

    def cells_up_to(level_db: float) -> int:
        return min(max(math.ceil((level_db - FLOOR_DB) / -FLOOR_DB * width), 0), width)

    filled, peak = cells_up_to(rms_db), cells_up_to(peak_db)
    cells = ["█" if cell < filled else "·" for cell in range(width)]
    if peak > filled:
        cells[peak - 1] = "│"
    return [Cell("".join(cells), "red" if peak_db > -1 else "green")]


def progress_bar(fraction: float, width: int) -> str:
    """The share that is done, as a bar."""
    return f"{'█' * round(min(max(fraction, 0.0), 1.0) * width):·<{width}}"


def waveform(peaks: NDArray[np.float32], height: int) -> list[str]:
    """Peaks as columns of dots, symmetrical about the middle.

    Args:
        peaks: `[2 * width]`, 0…1: two columns of dots a cell.
        height: in cells.

    Returns:
        The rows, from the top.
    """
    dots = height * _DOTS_HIGH
    # From the middle line up and down; a silent column keeps one dot, so that it can be seen.
    half = np.maximum(np.round(np.clip(peaks, 0, 1) * dots / 2), 0.5)
    distance = np.abs(np.arange(dots) + 0.5 - dots / 2)
    is_set = distance[:, None] <= half[None, :]
    rows = []
    for top in range(0, dots, _DOTS_HIGH):
        codes = [_BRAILLE] * (len(peaks) // 2)
        for side in range(2):
            for line in range(_DOTS_HIGH):
                for cell in np.flatnonzero(is_set[top + line, side::2]):
                    codes[cell] |= _DOTS[side][line]
        rows.append("".join(map(chr, codes)))
    return rows


def chroma(classes: Sequence[int], height: int) -> list[str]:
    """Pitch classes as half blocks, C at the bottom.

    Args:
        classes: a class for each column, 0 (C) to 11 (B); −1: none.
        height: in cells: 6 shows each class apart, 3 shows two together.

    Returns:
        The rows, from the top.
    """
    lines = [-1 if each < 0 else each * 2 * height // 12 for each in classes]
    return half_blocks(lines, height)


def half_blocks(lines: Sequence[int], height: int) -> list[str]:
    """One mark a column.

    Args:
        lines: the mark of each column in half cells from the bottom; below 0, or too high: none.
        height: in cells.

    Returns:
        The rows, from the top.
    """
    rows = []
    for row in range(height - 1, -1, -1):
        rows.append(
            "".join(
                " " if line < 0 or line // 2 != row else "▀" if line % 2 else "▄" for line in lines
            )
        )
    return rows


def resampled_peaks(peaks: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The highest peak in each of `count` equal parts; 0 where there are none."""
    if not len(peaks):
        return np.zeros(count, np.float32)
    edges = np.arange(count + 1) * len(peaks) / count
    first = np.minimum(edges[:-1].astype(int), len(peaks) - 1)
    last = np.maximum(np.ceil(edges[1:]).astype(int), first + 1)
    return np.array([peaks[a:b].max() for a, b in zip(first, last, strict=True)], np.float32)


def resampled_classes(classes: NDArray[np.int64], count: int) -> list[int]:
    """The class in the middle of each of `count` equal parts; −1 where there are none."""
    if not len(classes):
        return [-1] * count
    middles = ((np.arange(count) + 0.5) * len(classes) / count).astype(int)
    return [int(each) for each in classes[middles]]
