"""How late an output's callbacks come, and how long they take.

They are counted by classes of duration, in memory that the daemon reads: counting takes the
callback a microsecond, whatever the length of the session.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLASSES = 128
LOWEST_SECONDS = 10e-6
"""The first class reaches up to this duration."""
CLASSES_PER_OCTAVE = 8
"""A class is 9 % wide; the last one begins at 0.56 s."""


@dataclass(frozen=True)
class CallbackTimes:
    """The callbacks of an output so far.

    Attributes:
        count: how many there were.
        late_ms: by how much 50 % and 99 % of them came late at most, by `p50` and `p99`. They are
            compared with the filtered times of the output's clock.
        took_ms: the same of the time that they took.
    """

    count: int
    late_ms: dict[str, float]
    took_ms: dict[str, float]


def duration_class(seconds: float) -> int:
    """The class of a duration, 0 … `CLASSES` − 1; early is as in time."""
    if seconds <= LOWEST_SECONDS:
        return 0
    octaves = math.log2(seconds / LOWEST_SECONDS)
    return min(CLASSES - 1, math.ceil(octaves * CLASSES_PER_OCTAVE))


def callback_times(late: NDArray[np.int64], took: NDArray[np.int64]) -> CallbackTimes | None:
    """The figures of counted durations, each `[CLASSES]`; None without a callback."""
    count = int(late.sum())
    if not count:
        return None
    return CallbackTimes(count, _percentiles(late), _percentiles(took))


def _percentiles(counts: NDArray[np.int64]) -> dict[str, float]:
    """The upper bounds of the classes of the 50th and the 99th percentile, in milliseconds."""
    shares = np.cumsum(counts) / max(1, int(counts.sum()))
    classes = {percent: int(np.argmax(shares >= percent / 100)) for percent in (50, 99)}
    return {
        f"p{percent}": round(1000 * LOWEST_SECONDS * 2 ** (number / CLASSES_PER_OCTAVE), 3)
        for percent, number in classes.items()
    }
