"""Which states of a live loop follow which, and why: what docs/stage.md draws.

`LoopState` decides; a test holds it to these tables.
"""

from __future__ import annotations

from typing import NamedTuple

from bridge.events import LoopComing, LoopSounding


class Sounding(NamedTuple):
    """A change of what sounds, and why it comes."""

    before: LoopSounding
    after: LoopSounding
    why: str


class Coming(NamedTuple):
    """A change of what is to come that comes by itself, and why."""

    before: LoopComing
    after: LoopComing
    why: str


class Commanded(NamedTuple):
    """A change of what is to come by a command, from every state.

    Attributes:
        commands: the last words of their addresses, or `--resume`.
    """

    after: LoopComing
    commands: tuple[str, ...]


SOUNDING = (
    Sounding("off", "playing", "the first clip enters"),
    Sounding("playing", "stopping", "stop"),
    Sounding("stopping", "playing", "a clip is ready"),
    Sounding("stopping", "off", "the line of the grid, or stop now"),
    Sounding("playing", "off", "panic"),
)
COMING = (
    Coming("armed", "capturing", "the clock plays"),
    Coming("capturing", "armed", "the clock stops"),
    Coming("capturing", "rendering", "the take is there"),
    Coming("rendering", "queued", "it is ready"),
    Coming("rendering", "slipped", "it is late"),
    Coming("slipped", "queued", "it is ready"),
    Coming("queued", "slipped", "its line is missed"),
    Coming("queued", "capturing", "it enters"),
    Coming("queued", "rendering", "a quick clip enters"),
    Coming("rendering", "capturing", "it fails"),
)
ENTERS_LATE: LoopComing = "slipped"
"""From here a clip enters as from `queued`."""
WITHOUT_CLOCK: LoopComing = "armed"
FROZEN: LoopComing = "none"
"""Where no clock plays, and in a loop that is frozen, these take the place of `capturing`."""
COMMANDED = (
    Commanded("none", ("stop", "freeze", "clear", "panic")),
    Commanded("capturing", ("start", "overdub", "undo", "redo", "freeze 0")),
    Commanded("rendering", ("start", "overdub")),
    Commanded("queued", ("undo", "redo", "--resume")),
)
