"""Callbacks that come at once, because the driver's period is longer than a block."""

from __future__ import annotations

_AT_ONCE = 0.5
"""A callback that comes sooner after the last one than this share of that one's block was not
waited for: the driver asks for more of the same period."""


class Bursts:
    """Finds which callbacks share one period of the driver.

    PortAudio divides long periods: on JACK it gives blocks of 1024 frames at most
    (`PaUtil_InitializeBufferProcessor` in its pa_process.c), all of them at the period's begin. So
    only the first callback of a period says when it is.

    Attributes:
        begun_seconds: when the first callback of this period came.
        frames_before: frames of this period before the newest callback's block; 0: it is the first.
        period_frames: length of a period. It changes once two periods in a row have another length:
            a driver that catches up asks for several periods at once.
    """

    def __init__(self, sample_rate: int) -> None:
        """Args:
        sample_rate: Hz, nominal.
        """
        self.begun_seconds = 0.0
        self.frames_before = self.period_frames = 0
        self._sample_rate = sample_rate
        self._called_seconds = 0.0
        self._frames = self._last_period_frames = 0

    def update(self, now_seconds: float, frames: int) -> None:
        """Take in a callback.

        Args:
            now_seconds: when it came.
            frames: of its block, positive.
        """
        waited_seconds = now_seconds - self._called_seconds
        if self._frames and waited_seconds < _AT_ONCE * self._frames / self._sample_rate:
            self.frames_before += self._frames
        else:
            self._end_period(self.frames_before + self._frames)
            self.begun_seconds, self.frames_before = now_seconds, 0
        self._called_seconds, self._frames = now_seconds, frames
        self.period_frames = self.period_frames or frames

    def _end_period(self, frames: int) -> None:
        if frames and self._last_period_frames in (0, frames):
            self.period_frames = frames
        self._last_period_frames = frames
