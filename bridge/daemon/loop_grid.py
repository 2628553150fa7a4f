"""The lines of the clock's grid that a loop goes by, at one moment."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from math import ceil, floor

LATE_SECONDS = 0.1
"""A press up to this long after a line means that line: nobody wants to wait for the next one."""
MEASURED_LOOPS = 4
"""So many loops are remembered; the slowest of them decides what is announced."""
_SAME_SECONDS = 1e-3
"""Two estimates of one line differ by less."""


@dataclass(frozen=True)
class Line:
    """A line of the grid: its instant, and the bar that it is in, from 1."""

    seconds: float
    bar: int


@dataclass(frozen=True)
class Grid:
    """Where the music is, while the clock plays. All times are seconds of one clock.

    Attributes:
        now_seconds: this moment.
        next_bar: the next bar line.
        bar_seconds: length of a bar.
        entry: the next line of the quantum at which a clip that is ready can start.
        quantum_seconds: how far apart such lines are.
        is_late_allowed: whether what comes soon after a line can still begin on it.
    """

    now_seconds: float
    next_bar: Line
    bar_seconds: float
    entry: Line
    quantum_seconds: float
    is_late_allowed: bool = True

    @property
    def bar_fraction(self) -> float:
        """Share of the bar that has been played, 0 to 1."""
        return 1 - (self.next_bar.seconds - self.now_seconds) / self.bar_seconds

    @property
    def late_line_seconds(self) -> float | None:
        """The line of the quantum that a press at this moment still means; None: the next one."""
        if not self.is_late_allowed:
            return None
        since = (self.now_seconds - self.entry.seconds) % self.quantum_seconds
        return self.now_seconds - since if since <= LATE_SECONDS else None

    def with_entry(self, seconds: float) -> Grid:
        """The same grid, with the line at that instant as its entry."""
        return replace(self, entry=Line(seconds, self.bar_at(seconds)))

    def entry_after(self, seconds: float) -> Line:
        """The first line of the quantum from an instant on, `entry` or later."""
        count = max(0, ceil((seconds - self.entry.seconds - _SAME_SECONDS) / self.quantum_seconds))
        at = self.entry.seconds + count * self.quantum_seconds
        return Line(at, self.bar_at(at))

    def bar_at(self, seconds: float) -> int:
        """The number of the bar at an instant, at this tempo."""
        bars = (seconds - self.next_bar.seconds + _SAME_SECONDS) / self.bar_seconds
        return self.next_bar.bar + floor(bars)

    def is_missed(self, line: Line) -> bool:
        """Whether a clip that is ready now comes too late for that line."""
        return self.entry.seconds > line.seconds + min(0.1, self.quantum_seconds / 2)


class LoopPace:
    """How long a loop takes from its last bar line until it can start."""

    def __init__(self) -> None:
        self._seconds_per_second: deque[float] = deque(maxlen=MEASURED_LOOPS)

    def add(self, clip_seconds: float, seconds: float) -> None:
        """Take in that a clip of that length, positive, took so long."""
        self._seconds_per_second.append(seconds / clip_seconds)

    def predicted(self, clip_seconds: float) -> float | None:
        """How long a clip of that length will take; None before the first one."""
        if not self._seconds_per_second:
            return None
        return max(self._seconds_per_second) * clip_seconds
