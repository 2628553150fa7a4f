"""How long a request still takes, by how fast it goes, and by how long former clips took to finish.

It has no clock of its own: whoever asks says what time it is.
"""

from __future__ import annotations

import math
import statistics
from collections import deque

MEMORY_SECONDS = 0.5
"""What lies this long back counts by 1/e: what slows the machine down is followed in two seconds,
and a step that takes longer than its neighbours hardly shows."""
UNMEASURED_FINISHING = 0.06
"""Seconds that a second of sound takes to finish, before any was; measured on two slow cores."""
REMEMBERED = 16
NEAREST = 3


class FinishingTimes:
    """How long it took, on this machine, from the last step to clips that are written."""

    def __init__(self) -> None:
        self._former: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)

    def add(self, sound_seconds: float, took_seconds: float) -> None:
        """Remember how long so much sound, over 0, took; all variations together."""
        self._former.appendleft((sound_seconds, took_seconds))

    def expected(self, sound_seconds: float) -> float:
        """How long so much sound will take, in proportion to what was nearest in length.

        The median of three: one that a loud neighbour held up does not speak for the next.
        """
        if not self._former:
            return UNMEASURED_FINISHING * sound_seconds
        # Of several of a length, the newest: they stay in their order.
        nearest = sorted(self._former, key=lambda former: abs(math.log(former[0] / sound_seconds)))[
            :NEAREST
        ]
        return statistics.median(took * sound_seconds / length for length, took in nearest)


class TimeLeft:
    """Of one request, from its first step on: what came before it tells nothing of its pace."""

    def __init__(self, finishing: FinishingTimes, sound_seconds: float) -> None:
        """Args:
        finishing: of former requests; is told of this one.
        sound_seconds: to be made, over 0, all variations together.
        """
        self._finishing, self._sound_seconds = finishing, sound_seconds
        self._share = self._seconds = 0.0
        self._begun = False
        # Of the steps so far and of the time they took, both fading alike.
        self._recent_share = self._recent_seconds = 0.0

    def after(self, share: float, now_seconds: float) -> float | None:
        """The seconds left until the clips are there; None as long as there is no pace to go by.

        Args:
            share: of the steps that are done, over 0 and at most 1. Less than before: it has begun
                anew.
            now_seconds: when they were, on any clock that never runs back.
        """
        if self._begun and share >= self._share:
            passed = now_seconds - self._seconds
            kept = math.exp(-passed / MEMORY_SECONDS)
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
        """The clips are there: remember how long it took after the last step."""
        if self._share >= 1:
            self._finishing.add(self._sound_seconds, now_seconds - self._seconds)
