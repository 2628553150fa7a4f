"""Which frame an output plays when: its callbacks are counted, and their times filtered."""

from __future__ import annotations

import math
from statistics import median_low

from bridge.soundcard.bursts import Bursts
from bridge.soundcard.dll import DelayLockedLoop

JUDGED_PERIODS = 8
JUDGED_SECONDS = 0.1
"""Skipped periods are found by the lateness of so many periods and of so long: a busy machine calls
back late for a while, and not always late, where the driver has skipped nothing."""


class OutputClock:
    """Counts the frames that an output has taken, and times them.

    A driver that was not served in time skips whole periods. By the count alone, everything after
    that would be late for ever: so skipped periods are found, and counted too. A late callback says
    nothing about the driver's clock, so it does not move the times; nor does a further one in the
    same period.

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
        self._loop, self._bursts = DelayLockedLoop(sample_rate), Bursts(sample_rate)
        self._last_frames = 0
        self._timed_seconds = 0.0
        self._untimed_frames = 0
        self._lateness: list[float] = []

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
        self._bursts.update(now_seconds, frames)
        if not self._last_frames:
            self.seconds = self._timed_seconds = self._loop.update(now_seconds, frames)
        elif self._bursts.frames_before:
            self.seconds = self._expected()
            # A late callback is followed at once by the next period's, which may be in time.
            is_of_next_period = self._bursts.frames_before >= self._bursts.period_frames
            if is_of_next_period and not self._is_late(now_seconds):
                self._lateness.clear()
        else:
            self._time(now_seconds)
        self._last_frames = frames

    def _time(self, now_seconds: float) -> None:
        if self._is_late(now_seconds):
            self._count_skipped(now_seconds)
        else:
            self._lateness.clear()
        if self._is_late(now_seconds):
            self.seconds = self._expected()
            return
        self.seconds = self._timed_seconds = self._loop.update(now_seconds, self._untimed_frames)
        self._untimed_frames = 0

    def _count_skipped(self, now_seconds: float) -> None:
        """Take in a late period; count the frames that were skipped once that is certain."""
        period_frames = self._bursts.period_frames
        self._lateness.append(self._late_frames(now_seconds))
        judged = max(JUDGED_PERIODS, math.ceil(JUDGED_SECONDS * self._sample_rate / period_frames))
        if len(self._lateness) < judged:
            return
        # All are late, so that periods are missing. The middle one says how many: its lateness is
        # nearest to the usual one, which the times contain.
        skipped = round(median_low(self._lateness) / period_frames) * period_frames
        self._lateness.clear()
        self.frame += skipped
        self._untimed_frames += skipped
        self.skips += 1

    def _is_late(self, now_seconds: float) -> bool:
        return self._late_frames(now_seconds) > self._bursts.period_frames / 2

    def _late_frames(self, now_seconds: float) -> float:
        """How many frames a callback is late by the count so far; negative: early."""
        return (now_seconds - self._expected()) * self._sample_rate

    def _expected(self) -> float:
        return self._timed_seconds + self._untimed_frames * self._loop.seconds_per_frame
