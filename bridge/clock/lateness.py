"""When packets were due, estimated from when they arrived: the low envelope of their delays.

A packet is never early, so the least delayed packets show the true time. This module knows nothing
of beats: for each packet it gets the offset of its arrival from a steady time scale.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import floor, inf

WINDOW_SECONDS = 8.0
"""Window around an instant; it holds forty packets at five a second."""
RECENT_SECONDS = 3.0
RISE_SECONDS = 0.015
"""When the envelope of the last 3 s is this much above that of all 8, the scale has moved (a tempo
change was lost, or a faulty packet came early), and older packets no longer count."""
_RECENT_PACKETS = 10
"""With fewer, all of them are sometimes late by chance."""
_APART_SECONDS = 0.005
"""Of two packets closer together, only the less late one is kept: a flood must not fill memory."""
_PACKETS_A_RANK = 16
_SURE_PACKETS = 7


class LatenessEnvelope:
    """The offsets of packets over time, and their low envelope at any instant.

    The envelope is a line through one point per second. Each point is computed from the 8 s around
    it, or from the last 8 s where nothing is newer, so it is final 4 s later.
    """

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._offsets: list[float] = []
        self._points: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._seconds)

    def add(self, seconds: float, offset: float) -> None:
        """Add a packet.

        Args:
            seconds: when it arrived; not before the last one.
            offset: seconds by which it arrived later than the steady scale says.
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
        """Seconds to add to the steady scale at that instant; needs one packet or more."""
        before = floor(seconds)
        low, high = self._point(before), self._point(before + 1)
        return low + (high - low) * (seconds - before)

    def forget(self, before_seconds: float) -> None:
        """Drop the packets that arrived before that instant, except the newest."""
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
    """Estimate the offset of a packet without delay.

    It is one of the lowest offsets, less the expected distance of the lowest of so many uniformly
    distributed delays from their lower end: the gap between neighbours. The rank of the chosen
    offset rises with their number, so that a single outlier decides nothing. The gap is measured in
    the lower half, so that late packets do not change it; with few packets it is uncertain, and
    counts for less.
    """
    ordered = sorted(offsets)
    rank = 1 + len(ordered) // _PACKETS_A_RANK
    middle = len(ordered) // 2
    gap = (ordered[middle] - ordered[rank - 1]) / max(1, middle - rank + 1)
    known = min(1.0, (len(ordered) - 1) / (_SURE_PACKETS - 1))
    return ordered[rank - 1] - rank * gap * known
