"""What a live loop needs of the daemon around it."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from bridge.commands import Command
from bridge.daemon.clips import ClipRegistry
from bridge.daemon.loop_grid import Grid, Line, LoopPace
from bridge.daemon.loop_players import LoopPlayer
from bridge.events import Event


class LoopStage(Protocol):
    """What a loop needs of the daemon.

    Attributes:
        clips: has its clips.
        pace: of all loops.
    """

    clips: ClipRegistry
    pace: LoopPace

    def grid(self, player: LoopPlayer) -> Grid | None:
        """The clock's grid for a player at this moment; None: the clock does not play."""

    def line_at_beat(self, beat: float) -> Line | None:
        """The line at a beat of the song, from 0; None: the clock does not play."""

    def played_bars(self, bars: int) -> int:
        """How many of the last bars were played without a break, `bars` at most."""

    def new_id(self, loop: str, suffix: str = "") -> str:
        """The id of the loop's next request."""

    def perform(self, command: Command) -> None:
        """Give the session a command."""

    def publish(self, event: Event) -> None:
        """Send an event to every client."""

    def now_seconds(self) -> float:
        """This moment, on the clock's scale."""

    def tempo_bpm(self) -> Fraction | None:
        """The clock's tempo; None: it does not play."""
