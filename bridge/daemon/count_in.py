"""The count-in before a recording: how many bars, and the clock that counts them."""

from __future__ import annotations

from collections.abc import Callable

from bridge.clock.clocks import Clocks
from bridge.commands import CaptureStart
from bridge.errors import BadArgument


class CountIn:
    """Decides on the count-in of a recording. For the event loop's thread."""

    def __init__(
        self, clocks: Clocks, *, bars: Callable[[], int], lead_seconds: Callable[[], float]
    ) -> None:
        """Args:
        bars: gives the session's count-in at this moment.
        lead_seconds: gives how long before its first beat the clock starts, so that it is heard.
        """
        self._clocks, self._bars, self._lead_seconds = clocks, bars, lead_seconds

    def begin(self, command: CaptureStart, now_seconds: float) -> int:
        """Start the daemon's own clock if nothing plays and bars are to be counted.

        The session's count-in is for who plays alone: a DAW has its own.

        Returns:
            How many bars are counted from the next bar line on. 0 also where the clock was started
            here: its count-in has no bar lines.

        Raises:
            BadArgument: the command asks for a count-in, and no clock can count.
        """
        clocks = self._clocks
        is_playing = clocks.current.is_playing(now_seconds)
        is_alone = not is_playing or clocks.source == "internal"
        bars = command.count_in_bars
        if bars is None:
            bars = self._bars() if is_alone else 0
        if is_playing or not bars:
            return bars
        if clocks.choice not in ("auto", "internal"):
            if command.count_in_bars is None:
                return 0
            raise BadArgument(
                f"count_in_bars {bars}: nothing plays, and the time comes from {clocks.choice} "
                "alone; start that, or send /bridge/clock auto"
            )
        clocks.start(now_seconds, count_in_bars=bars, lead_seconds=self._lead_seconds())
        return 0
