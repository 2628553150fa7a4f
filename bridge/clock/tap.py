"""Tap tempo: the tempo of somebody's taps."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from itertools import pairwise
from statistics import median

from bridge.timing import MAX_TEMPO_BPM, MIN_TEMPO_BPM

FORGET_SECONDS = 2.0
"""After a longer pause, taps begin anew."""
_MOST_TAPS = 6
"""Taps that count: the median of five intervals ignores two that are off."""
_BOUNCE_SECONDS = 60 / MAX_TEMPO_BPM
"""A tap this soon after another is a bounce of the button."""


class TapTempo:
    """The tempo of the newest taps."""

    def __init__(self) -> None:
        self._taps: deque[float] = deque(maxlen=_MOST_TAPS)

    def tap(self, seconds: float) -> Fraction | None:
        """Add a tap.

        Args:
            seconds: when it came.

        Returns:
            The tempo in beats per minute, to 0.1; None with the first tap.
        """
        if self._taps:
            interval = seconds - self._taps[-1]
            if interval > FORGET_SECONDS:
                self._taps.clear()
            elif interval <= _BOUNCE_SECONDS:
                return self._tempo_bpm
        self._taps.append(seconds)
        return self._tempo_bpm

    @property
    def _tempo_bpm(self) -> Fraction | None:
        intervals = [later - earlier for earlier, later in pairwise(self._taps)]
        if not intervals:
            return None
        tempo_bpm = round(Fraction(60 / median(intervals)), 1)
        return min(max(tempo_bpm, Fraction(MIN_TEMPO_BPM)), Fraction(MAX_TEMPO_BPM))
