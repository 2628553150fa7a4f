"""Which frame an output plays when: its callbacks are counted, and their times filtered."""

from __future__ import annotations

from collections import deque
from statistics import median_low

from bridge.soundcard.dll import DelayLockedLoop

JUDGED_CALLBACKS = 8
"""Skipped periods are found by the median lateness of this many callbacks: one is only late."""


class OutputClock:
    """Counts the frames that an output has taken, and times them.

    A driver that was not served in time skips whole periods. By the count alone, everything after
    that would be late for ever: so skipped periods are found, and counted too. A late callback says
    nothing about the driver's clock, so it does not move the times.

    Attributes:
        frame: the number of the next block's first frame.
        seconds: when that block was handed over, on `time.perf_counter`, filtered.
        skips: how often the driver skipped periods.
    """

    def __init__(self, sample_rate: int) -> None:
        """Args:
        sample_rate: Hz, nominal.
        """
        self.frame = 0
        self.seconds = 0.0
        self.skips = 0
        self._sample_rate = sample_rate
        self._loop = DelayLockedLoop(sample_rate)
        self._last_frames = 0
        self._timed_seconds = 0.0
        self._untimed_frames = 0
        self._lateness: deque[float] = deque(maxlen=JUDGED_CALLBACKS)

    @property
    def seconds_per_frame(self) -> float:
        """The measured duration of a frame."""
        return self._loop.seconds_per_frame

    def update(self, now_seconds: float, frames: int) -> None:
        """Count a callback; `frame` and `seconds` are then those of its block.

        Args:
            now_seconds: when the callback came.
            frames: of its block, positive.
        """
        self.frame += self._last_frames
        self._untimed_frames += self._last_frames
        if not self._last_frames:
            self.seconds = self._timed_seconds = self._loop.update(now_seconds, frames)
        else:
            self._time(now_seconds, frames)
        self._last_frames = frames

    def _time(self, now_seconds: float, frames: int) -> None:
        late = (now_seconds - self._expected()) * self._sample_rate
        self._lateness.append(late)
        middle = median_low(self._lateness)
        if len(self._lateness) == JUDGED_CALLBACKS and middle > frames / 2:
            skipped = round(middle / frames) * frames
            self.frame += skipped
            self._untimed_frames += skipped
            self.skips += 1
            self._lateness.clear()
            late -= skipped
        if late > frames / 2:
            self.seconds = self._expected()
            return
        self.seconds = self._timed_seconds = self._loop.update(now_seconds, self._untimed_frames)
        self._untimed_frames = 0

    def _expected(self) -> float:
        return self._timed_seconds + self._untimed_frames * self._loop.seconds_per_frame
