"""When a message was played, on `time.perf_counter`, from the clock of its driver."""

from __future__ import annotations

import statistics
from collections import deque

WINDOW_SECONDS = 10.0
"""How long a smallest delay counts. Two clocks that differ by 100 ppm part by 1 ms in that time."""
LARGEST_DELAY_SECONDS = 1.0
"""A message that seems to have waited for longer shows that the driver's clock has jumped."""
CYCLES = 15
"""JACK cycles whose times are compared: an error of half of them changes nothing."""


class DeltaClock:
    """Times of one RtMidi port, from the seconds that its driver counts between messages.

    The callback comes some time after the message: at once on an idle machine, later on a busy
    one. So the smallest delay of the last seconds gives the relation of the two clocks.
    """

    def __init__(self) -> None:
        self._driver_seconds = 0.0
        self._seconds = float("-inf")
        # Arrival and offset, in the order of arrival; offsets rise, so the first is the smallest.
        self._offsets: deque[tuple[float, float]] = deque()

    def seconds(self, arrival_seconds: float, delta_seconds: float) -> float:
        """The time of a message; never after its arrival, and never before the last message.

        Args:
            arrival_seconds: when the callback came, on `time.perf_counter`.
            delta_seconds: since the port's last message, by the driver; 0 for the first.
        """
        self._driver_seconds += max(0.0, delta_seconds)
        offset = arrival_seconds - self._driver_seconds
        offsets = self._offsets
        while offsets and offsets[0][0] < arrival_seconds - WINDOW_SECONDS:
            offsets.popleft()
        if offsets and offset - offsets[0][1] > LARGEST_DELAY_SECONDS:
            offsets.clear()
        while offsets and offsets[-1][1] >= offset:
            offsets.pop()
        offsets.append((arrival_seconds, offset))
        seconds = min(arrival_seconds, self._driver_seconds + offsets[0][1])
        self._seconds = max(self._seconds, seconds)
        return self._seconds


class FrameClock:
    """Times of JACK frames, from one pair of a frame and a time for each cycle.

    The process callback comes late by a varying time. JACK says which frame it is by then, rounded;
    the median of some cycles removes most of the rounding, and single errors.
    """

    def __init__(self, sample_rate: int) -> None:
        """Args:
        sample_rate: Hz.
        """
        self._rate = sample_rate
        self._last_frame: int | None = None
        self._frames = 0
        self._offsets: deque[float] = deque(maxlen=CYCLES)
        self._offset = 0.0
        self._seconds = float("-inf")

    def begin_cycle(self, frame: int, now_frame: int, now_seconds: float) -> None:
        """Note the relation of both clocks at the beginning of a process callback.

        Args:
            frame: the cycle's first, as `jack_last_frame_time` gives it, modulo 2³².
            now_frame: the present one, as `jack_frame_time` estimates it, modulo 2³².
            now_seconds: the present, on `time.perf_counter`.
        """
        # The counter wraps after 27 hours at 44.1 kHz.
        self._frames += (frame - (frame if self._last_frame is None else self._last_frame)) % 2**32
        self._last_frame = frame
        # The estimate may be some frames before the cycle.
        frames_since = (now_frame - frame + 2**31) % 2**32 - 2**31
        self._offsets.append(now_seconds - (self._frames + frames_since) / self._rate)
        self._offset = statistics.median(self._offsets)

    def seconds(self, frame: int) -> float:
        """The time of a frame on `time.perf_counter`; never before the last one that was asked.

        Args:
            frame: counted from the cycle's first.
        """
        self._seconds = max(self._seconds, self._offset + (self._frames + frame) / self._rate)
        return self._seconds
