"""The time left for a request, from its present pace and the finishing times of earlier clips.

The module reads no clock: the caller passes the time.
"""

from __future__ import annotations

import math
import statistics
from collections import deque

TIME_CONSTANT_SECONDS = 0.5
"""Time constant of the pace's exponential average: it follows a slower machine within two seconds,
and a single slow step hardly shows."""
UNMEASURED_FINISHING = 0.06
"""Seconds to finish a second of audio, before any was measured; measured on two slow cores."""
MOST_TIMES = 16
"""Earlier finishing times that are kept."""
UNKNOWN_SECONDS = -1.0
"""The time left of a request whose pace is not known."""
NEAREST = 3
"""Earlier finishing times that an estimate is the median of."""


class FinishingTimes:
    """Measured times on this machine from the last step to the written clips."""

    def __init__(self) -> None:
        self._earlier: deque[tuple[float, float]] = deque(maxlen=MOST_TIMES)

    def add(self, sound_seconds: float, took_seconds: float) -> None:
        """Record a finishing time.

        Args:
            sound_seconds: audio that was finished, over 0, all variations together.
            took_seconds: the time that it took.
        """
        self._earlier.appendleft((sound_seconds, took_seconds))

    def expected(self, sound_seconds: float) -> float:
        """Estimate the finishing time of this much audio, in proportion to the nearest lengths.

        It is the median of three, so that one slow measurement does not decide it.
        """
        if not self._earlier:
            return UNMEASURED_FINISHING * sound_seconds
        # The newest come first, and sorting keeps the order of equal lengths.
        nearest = sorted(
            self._earlier, key=lambda earlier: abs(math.log(earlier[0] / sound_seconds))
        )[:NEAREST]
        return statistics.median(took * sound_seconds / length for length, took in nearest)


class TimeLeft:
    """The time left for one request. It is measured from the first step on, not from the wait."""

    def __init__(self, finishing: FinishingTimes, sound_seconds: float) -> None:
        """Args:
        finishing: times of earlier requests; gets this one's too.
        sound_seconds: audio to be made, over 0, all variations together.
        """
        self._finishing, self._sound_seconds = finishing, sound_seconds
        self._share = self._seconds = 0.0
        self._begun = False
        # Steps so far and the time they took, both with the same exponential decay.
        self._recent_share = self._recent_seconds = 0.0

    def after(self, share: float, now_seconds: float) -> float | None:
        """The seconds left until the clips are written; None while the pace is unknown.

        Args:
            share: share of the steps that are done, over 0 and at most 1. Less than before: the
                request has started again.
            now_seconds: when they were done, on any clock that never runs back.
        """
        if self._begun and share >= self._share:
            passed = now_seconds - self._seconds
            kept = math.exp(-passed / TIME_CONSTANT_SECONDS)
            self._recent_share = self._recent_share * kept + share - self._share
            self._recent_seconds = self._recent_seconds * kept + passed
        else:
            self._recent_share = self._recent_seconds = 0.0
        self._begun, self._share, self._seconds = True, share, now_seconds
        finishing = self._finishing.expected(self._sound_seconds)
        if share >= 1:
            return finishing
        if not self._recent_share or not self._recent_seconds:
            return None
        return (1 - share) * self._recent_seconds / self._recent_share + finishing

    def finished(self, now_seconds: float) -> None:
        """Record the finishing time; to be called when the clips are written."""
        if self._share >= 1:
            self._finishing.add(self._sound_seconds, now_seconds - self._seconds)
