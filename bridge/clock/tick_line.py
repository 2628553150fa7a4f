"""The ticks of a clock, heard with jitter: how far apart they are, and when each was due.

Evenly spaced ticks lie on a straight line of time over number. It is fitted by least squares over
the newest eight beats. When the newest ticks leave the line, ticks were lost, or the tempo has
changed, or some came late; only the ticks that follow show which.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bridge.timing import MAX_TEMPO_BPM

TICKS_PER_BEAT = 24
"""MIDI clock's, for each quarter note."""
SURE_TICKS = TICKS_PER_BEAT
"""A line of fewer ticks may be off: many clocks begin with irregular ones."""

_SHORTEST_SECONDS = 60 / TICKS_PER_BEAT / MAX_TEMPO_BPM
"""Ticks closer together waited somewhere, and came all at once."""
_LONGEST = 8 * TICKS_PER_BEAT
_REFIT_TICKS = 6
_LEAST_TICKS = 6
"""Ticks after a change of tempo that show the new one."""
_SEARCHED_TICKS = 48
"""How far back a change of tempo is searched for."""
_PATIENCE_TICKS = 24
"""When so many ticks off the line fit no explanation, a new line begins with the newest."""
_LEVEL_TICKS = 4
"""Ticks that must be late by the same amount to show that some were lost before them."""
_SIGMAS = 5.0
"""Ticks are off the line when their median is off by more than so many standard errors."""
_MEDIAN_ERROR = 1.5
"""The median of six evenly distributed values errs by so many times the error of their mean."""
_BEND_SIGMAS = 6.0
"""A bend is one when it is so many standard errors large. At the usual five, one of the many that
are looked for would be found by chance every half hour."""
_WORST = 3.0
"""Ticks that lie on a line are not off it by more than so many times the usual jitter."""
_LEAST_SECONDS = 0.0002
"""A smaller distance from the line is none."""
_SAME_SHARE = 0.3
"""Share of an interval by which ticks may differ from the place of another tick."""


@dataclass(frozen=True)
class _Line:
    """A straight line through ticks: `seconds` is when tick `number` was due."""

    number: float
    seconds: float
    interval_seconds: float
    count: int
    residual_seconds: float
    """Root mean square distance of the ticks from the line."""

    def seconds_at(self, number: float) -> float:
        return self.seconds + (number - self.number) * self.interval_seconds

    def error_seconds(self, number: float, count: int, jitter_seconds: float) -> float:
        """Standard error of the mean of so many further ticks, around a number."""
        away = (number - self.number) ** 2 * 12 / max(self.count, 2) ** 3
        return jitter_seconds * float(np.sqrt(1 / count + 1 / self.count + away))


class TickLine:
    """The line through the newest ticks.

    Attributes:
        number: of the newest tick; ticks that were lost are counted.
        is_settled: the newest ticks lie on the line.
        first_number: of the tick that the line began with.
    """

    def __init__(self, number: int = -1) -> None:
        """Args:
        number: of the tick before the first.
        """
        self.number = number
        self.first_number = number + 1
        self.is_settled = True
        self._numbers: deque[int] = deque(maxlen=_LONGEST)
        self._seconds: deque[float] = deque(maxlen=_LONGEST)
        self._line: _Line | None = None
        self._new = 0
        self._jitter_seconds = _LEAST_SECONDS
        self._is_bent = False

    @property
    def is_sure(self) -> bool:
        """Whether the interval is known: from a beat on, or after a change of tempo sooner."""
        return self._line is not None and (self._is_bent or len(self._numbers) >= SURE_TICKS)

    @property
    def newest_seconds(self) -> float:
        """When the newest tick came."""
        return self._seconds[-1]

    @property
    def interval_seconds(self) -> float:
        """The time between two ticks; needs `is_sure`."""
        assert self._line is not None
        return self._line.interval_seconds

    @property
    def interval_error_seconds(self) -> float:
        """The standard error of the interval."""
        assert self._line is not None
        return self._jitter_seconds * float(np.sqrt(12 / max(self._line.count, 2) ** 3))

    def seconds_at(self, number: float) -> float:
        """When a tick was or will be due; needs one tick."""
        if self._line is None:
            return self._seconds[-1]
        return self._line.seconds_at(number)

    def number_at(self, seconds: float) -> float:
        """The number of the tick that is due then, with its fraction; needs one tick."""
        if self._line is None:
            return float(self.number)
        return self._line.number + (seconds - self._line.seconds) / self._line.interval_seconds

    def add(self, seconds: float) -> None:
        """Add the next tick.

        Args:
            seconds: when it came, not before the last one.
        """
        was_sure = self.is_sure
        self.number += 1
        self._numbers.append(self.number)
        self._seconds.append(seconds)
        self._new += 1
        if not was_sure:
            self._fit()
        elif self._are_off():
            self.is_settled = False
            self._explain()
        elif self._new >= _PATIENCE_TICKS or (
            self._new >= _REFIT_TICKS and abs(self._residuals()[-1]) <= self._usual_seconds
        ):
            self._drop_late_ones()
            self._fit()

    @property
    def _usual_seconds(self) -> float:
        """How far off the line a tick is at most, unless it came late."""
        assert self._line is not None
        error = self._line.error_seconds(self.number, 1, self._jitter_seconds)
        return _SIGMAS * error + _LEAST_SECONDS

    def _fit(self) -> None:
        """Draw the line again through all its ticks, or a new one if the tempo has changed."""
        self.is_settled, self._new = True, 0
        numbers, seconds = np.array(self._numbers, float), np.array(self._seconds)
        if len(numbers) < 2:
            return
        self._line = _line_through(numbers, seconds)
        if len(numbers) < SURE_TICKS:
            return
        newest = _line_through(numbers[-2 * SURE_TICKS :], seconds[-2 * SURE_TICKS :])
        self._jitter_seconds = max(newest.residual_seconds, _LEAST_SECONDS / _SIGMAS)
        index, gain = _best_bend(numbers, seconds, self._line)
        if (
            gain > (_BEND_SIGMAS * self._jitter_seconds) ** 2
            and len(numbers) - index >= _LEAST_TICKS
        ):
            self._begin_with(len(numbers) - index)

    def _are_off(self) -> bool:
        """Whether most of the newest ticks since the last fit are off the line."""
        assert self._line is not None
        line, count = self._line, min(self._new, _REFIT_TICKS)
        # The median: a few ticks that came late do not count.
        middle = median(
            self._seconds[at] - line.seconds_at(self._numbers[at]) for at in range(-count, 0)
        )
        error = _MEDIAN_ERROR * line.error_seconds(self.number, count, self._jitter_seconds)
        return abs(middle) > max(_SIGMAS * error, _LEAST_SECONDS)

    def _residuals(self) -> NDArray[np.float64]:
        """How far the ticks since the last fit are off the line."""
        assert self._line is not None
        count = min(self._new, len(self._numbers))
        numbers, seconds = (
            np.array(list(each)[-count:]) for each in (self._numbers, self._seconds)
        )
        due = self._line.seconds + (numbers - self._line.number) * self._line.interval_seconds
        residuals: NDArray[np.float64] = seconds - due
        return residuals

    def _explain(self) -> None:
        """Find out why the newest ticks are off the line, if that shows by now."""
        lates = self._residuals() / self.interval_seconds
        lost = np.maximum.accumulate(np.rint(lates).astype(int).clip(0))
        losses = np.count_nonzero(np.diff(lost, prepend=0))
        if losses and np.abs(lates - lost).max() <= _SAME_SHARE and 2 * losses <= len(lost):
            # Late by whole numbers of intervals: ticks were lost, and more may be before long.
            if lost[-_LEVEL_TICKS:].min() == lost[-1] or self._new >= _PATIENCE_TICKS:
                self._count(lost)
        elif self._new >= _LEAST_TICKS:
            self._bend()

    def _count(self, lost: NDArray[np.int64]) -> None:
        """Count lost ticks: so many before each tick since the last fit."""
        first = self.number + 1 - len(lost)
        for _ in lost:
            self._numbers.pop()
        self._numbers.extend(int(first + at + more) for at, more in enumerate(lost))
        self.number = self._numbers[-1]
        self._fit()

    def _bend(self) -> None:
        """Begin another line where the tempo changed, once it has enough ticks."""
        numbers, seconds = np.array(self._numbers, float), np.array(self._seconds)
        index, _ = _best_bend(numbers, seconds, _line_through(numbers, seconds))
        rest = _line_through(numbers[index:], seconds[index:])
        most = _WORST * self._jitter_seconds + _LEAST_SECONDS
        is_line = rest.residual_seconds <= most and rest.interval_seconds >= _SHORTEST_SECONDS
        if len(numbers) - index >= _LEAST_TICKS and is_line:
            self._begin_with(len(numbers) - index)
        elif self._new >= _PATIENCE_TICKS:
            self._begin_with(2 * _LEAST_TICKS)

    def _begin_with(self, count: int) -> None:
        """Begin another line with the newest ticks."""
        while len(self._numbers) > count:
            self._numbers.popleft()
            self._seconds.popleft()
        self.first_number = self._numbers[0]
        self._is_bent, self.is_settled, self._new = True, True, 0
        self._line = _line_through(np.array(self._numbers, float), np.array(self._seconds))

    def _drop_late_ones(self) -> None:
        """Forget the ticks since the last fit that came late."""
        residuals = self._residuals()
        kept = [
            (number, seconds)
            for index, (number, seconds) in enumerate(
                zip(self._numbers, self._seconds, strict=True), len(residuals) - len(self._numbers)
            )
            if index < 0 or abs(residuals[index]) <= self._usual_seconds
        ]
        self._numbers = deque((number for number, _ in kept), maxlen=_LONGEST)
        self._seconds = deque((seconds for _, seconds in kept), maxlen=_LONGEST)


def _line_through(numbers: NDArray[np.float64], seconds: NDArray[np.float64]) -> _Line:
    """The line of least squares."""
    mean_number, mean_seconds = float(numbers.mean()), float(seconds.mean())
    away = numbers - mean_number
    interval = float(away @ (seconds - mean_seconds) / (away @ away))
    residuals = seconds - mean_seconds - away * interval
    freedom = max(len(numbers) - 2, 1)
    return _Line(
        mean_number,
        mean_seconds,
        interval,
        len(numbers),
        float(np.sqrt(residuals @ residuals / freedom)),
    )


def _best_bend(
    numbers: NDArray[np.float64], seconds: NDArray[np.float64], line: _Line
) -> tuple[int, float]:
    """Find where two lines that meet at a tick fit best.

    Args:
        line: the straight line through the ticks.

    Returns:
        The index of that tick, and by how much the sum of the squared distances becomes smaller.
    """
    indices = np.arange(max(1, len(numbers) - _SEARCHED_TICKS), len(numbers) - 2)
    if not len(indices):
        return 0, 0.0
    away = numbers - line.number
    residuals = seconds - line.seconds - away * line.interval_seconds
    # One more regressor, the part of a bend at each tick that no straight line explains
    # (Frisch-Waugh-Lovell): [candidates, ticks].
    bends = np.maximum(numbers - numbers[indices, None], 0.0)
    bends -= bends.mean(axis=1, keepdims=True)
    bends -= (bends @ away / (away @ away))[:, None] * away
    gains = (bends @ residuals) ** 2 / (bends * bends).sum(axis=1)
    best = int(gains.argmax())
    return int(indices[best]), float(gains[best])
