"""When the take of a live loop's next round ends: rounds keep their places in the song."""

from __future__ import annotations

from bridge.daemon.loop_grid import Grid, Line

LAST_QUARTER = 0.75
"""A take is asked for when this share of its last bar has been played."""


class LoopRounds:
    """Counts the bar lines until the next round's take ends.

    Attributes:
        bars_left: bar lines until then.
    """

    def __init__(self) -> None:
        self.bars_left = 0
        # The next bar line, as it was counted last; None: the clock does not play.
        self._bar_line: Line | None = None

    def begin(self, bars_left: int, grid: Grid | None) -> None:
        """Count that many bar lines from now on."""
        self.bars_left = bars_left
        self._bar_line = None if grid is None else grid.next_bar

    def clock_stopped(self) -> None:
        """Begin anew at the first bar line after the clock plays again."""
        self._bar_line = None

    def pass_bar_lines(self, grid: Grid) -> None:
        """Count the bar lines that have passed."""
        if self._bar_line is None:
            return
        passed = round((grid.next_bar.seconds - self._bar_line.seconds) / grid.bar_seconds)
        if passed > 0:
            self.bars_left -= passed
        if passed:
            self._bar_line = grid.next_bar

    def end_line(self, bars: int, grid: Grid) -> Line:
        """The bar line at which the take ends.

        Args:
            bars: of a take that begins with the clock.
        """
        if self._bar_line is None:
            self.begin(max(self.bars_left, bars), grid)
        ahead = max(0, self.bars_left - 1)
        seconds = grid.next_bar.seconds + ahead * grid.bar_seconds
        return Line(seconds, grid.next_bar.bar + ahead)

    def is_due(self, grid: Grid) -> bool:
        """Whether it is time to ask for the take."""
        is_last_quarter = grid.bar_fraction >= LAST_QUARTER
        return self.bars_left <= 0 or (self.bars_left == 1 and is_last_quarter)
