"""When packets were due, from when they arrived: the low envelope of their delays.

A packet is never early, so those that hurried most tell the time. This module knows nothing of
beats: it is given, for each packet, how much later it arrived than some steady scale says.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import floor, inf

WINDOW_SECONDS = 8.0
"""What is looked at around an instant: at five packets a second, forty of them."""
RECENT_SECONDS = 3.0
RISE_SECONDS = 0.015
"""When the envelope of the last 3 s is this much above that of all 8, the scale has moved (a tempo
change that was lost, a packet that was early by a fault) and what is older counts no more."""
_RECENT_PACKETS = 10
"""Fewer would be all late by chance now and then."""
_APART_SECONDS = 0.005
"""Closer together, the one that was less late stands for both: a flood must not fill the memory."""
_PACKETS_A_RANK = 16
_SURE_PACKETS = 7


class LatenessEnvelope:
    """The offsets of packets over time, and their low envelope at any instant.

    The envelope is a line through a point a second. Each point rests on the 8 s around it, or on
    the last 8 s where there is nothing newer, so it settles 4 s later.
    """

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._offsets: list[float] = []
        self._points: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._seconds)

    def add(self, seconds: float, offset: float) -> None:
        """Take in a packet.

        Args:
            seconds: when it arrived; not before the last one.
            offset: seconds that it arrived after what the steady scale says.
        """
        settled = -inf
        if self._seconds and self._seconds[0] + WINDOW_SECONDS <= self._seconds[-1]:
            settled = self._seconds[-1] - WINDOW_SECONDS / 2
        self._points = {at: value for at, value in self._points.items() if at < settled}
        if self._seconds and seconds < self._seconds[-1] + _APART_SECONDS:
            self._offsets[-1] = min(self._offsets[-1], offset)
        else:
            self._seconds.append(seconds)
            self._offsets.append(offset)

    def offset_at(self, seconds: float) -> float:
        """What to add to the steady scale at that instant, in seconds; needs one packet or more."""
        before = floor(seconds)
        low, high = self._point(before), self._point(before + 1)
        return low + (high - low) * (seconds - before)

    def forget(self, before_seconds: float) -> None:
        """Drop what arrived before, but for the newest packet."""
        if self._seconds and self._seconds[0] < before_seconds - WINDOW_SECONDS:
            count = min(bisect_left(self._seconds, before_seconds), len(self._seconds) - 1)
            del self._seconds[:count], self._offsets[:count]
            self._points.clear()

    def _point(self, at: int) -> float:
        if at not in self._points:
            first, last = self._seconds[0], self._seconds[-1]
            end = min(last, max(at + WINDOW_SECONDS / 2, first + WINDOW_SECONDS))
            stop = bisect_right(self._seconds, end)
            everything, recent = (
                self._offsets[bisect_left(self._seconds, end - length) : stop]
                for length in (WINDOW_SECONDS, RECENT_SECONDS)
            )
            value = low_envelope(everything)
            if len(recent) >= _RECENT_PACKETS and low_envelope(recent) > value + RISE_SECONDS:
                value = low_envelope(recent)
            self._points[at] = value
        return self._points[at]


def low_envelope(offsets: Sequence[float]) -> float:
    """Where a packet without delay would lie.

    One of the lowest, the rank rising with their number so that a single freak decides nothing,
    less what the lowest of so many evenly spread delays lies above their lower end on average:
    the gap between two of them. The gap is that of the lower half, whatever the late ones do; of
    few packets it is hardly known, and counts for less.
    """
    ordered = sorted(offsets)
    rank = 1 + len(ordered) // _PACKETS_A_RANK
    middle = len(ordered) // 2
    gap = (ordered[middle] - ordered[rank - 1]) / max(1, middle - rank + 1)
    known = min(1.0, (len(ordered) - 1) / (_SURE_PACKETS - 1))
    return ordered[rank - 1] - rank * gap * known
