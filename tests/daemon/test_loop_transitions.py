"""A loop goes from state to state as the tables say, which are what the docs draw."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

from bridge.daemon.loop_grid import Line
from bridge.daemon.loop_state import LoopState
from bridge.daemon.loop_transitions import (
    COMING,
    COMMANDED,
    ENTERS_LATE,
    FROZEN,
    SOUNDING,
    WITHOUT_CLOCK,
)
from bridge.events import LoopComing
from tests.daemon.test_loop_state import BARS, STEP_SECONDS, Stage

WALKS = 1000
STEPS = 40
SEED = 3
BY_ITSELF = ("time", "captured", "ready", "fails")
"""What happens to a loop without a command."""
LIKELY = {"ready": 8, "undo": 5, "redo": 5, "clear": 0.3, "panic": 0.3}
"""How likely something is beside the rest."""
Seen = set[tuple[str, str, str]]
"""The state before, the state after, and what happened."""


class WatchedState(LoopState):
    """A loop that reports its changes of what is to come."""

    on_change: Callable[[LoopComing, LoopComing], None] = staticmethod(lambda before, after: None)

    def _set(self, coming: LoopComing, line: Line | None = None) -> None:
        if coming != self.coming:
            self.on_change(self.coming, coming)
        super()._set(coming, line)


class Walk:
    """A loop to which anything happens, in any order that the daemon can bring about.

    Attributes:
        coming, sounding: the changes that were seen.
    """

    def __init__(self, chance: random.Random) -> None:
        self.coming: Seen = set()
        self.sounding: Seen = set()
        self._chance, self._now, self._was = chance, "", "off"
        self._stage = stage = Stage(follows=chance.random() < 0.7)
        stage.loop = self._loop = WatchedState(1, bars=BARS, follows=stage.loop.follows)
        self._loop.on_change = lambda before, after: self.coming.add((before, after, self._now))
        self._captured = 0
        if chance.random() < 0.2:
            self._loop.restore([{1: "old"}], 0, is_frozen=chance.random() < 0.2, is_running=True)
            self.coming.clear()

    def step(self) -> None:
        """Let something happen, and some time pass."""
        happenings = {
            **dict.fromkeys(("captured", "ready", "fails"), self._round),
            **dict.fromkeys(("start", "overdub"), self._take),
            **dict.fromkeys(("undo", "redo", "stop", "freeze", "freeze 0", "clear"), self._command),
            **dict.fromkeys(("panic", "--resume", "clock", "output", "again"), self._other),
        }
        weights = [LIKELY.get(each, 1) for each in happenings]
        (self._now,) = self._chance.choices(list(happenings), weights)
        happenings[self._now]()
        self._note()
        self._now = "time"
        for _ in range(self._chance.choice([0, 0, 1, 3, 10, 25])):
            self._stage.run(self._stage.seconds + STEP_SECONDS)
            self._note()

    def _round(self) -> None:
        """Something becomes of the round that is made: its take comes before its clip."""
        stage, loop = self._stage, self._loop
        if loop._making is None:
            return
        number = loop._making
        if self._now == "fails":
            loop.failed(number, stage.grid)
        elif self._captured < number:
            self._now, self._captured = "captured", number
            loop.captured(number, stage.grid, self._chance.choice([None, 0.5, 3.0]))
        elif self._now == "ready":
            is_quick = not loop.heard and self._chance.random() < 0.5
            stage.render(is_whole=not is_quick)

    def _take(self) -> None:
        loop, grid = self._loop, self._stage.grid
        played = self._chance.choice([0, BARS])
        if self._now == "start":
            self._stage.do(loop.take(grid, played))
        elif loop.sounding == "playing" and (free := set(range(1, 9)) - loop.layers):
            self._stage.do(loop.overdub(min(free), grid, played))

    def _command(self) -> None:
        loop, grid = self._loop, self._stage.grid
        match self._now:
            case "undo" | "redo":
                actions = getattr(loop, self._now)(grid)
            case "stop":
                actions = loop.stop(grid, at_once=self._chance.random() < 0.3)
            case "clear":
                actions = loop.clear()
            case _:
                actions = loop.freeze(self._now == "freeze", grid)
        self._stage.do(actions)

    def _other(self) -> None:
        stage, loop = self._stage, self._loop
        match self._now:
            case "panic":
                stage.do(loop.silenced())
                stage.silence()
            case "--resume":
                stage.do(loop.resume(stage.grid))
            case "clock":
                stage.playing = not stage.playing
            case "output":
                stage.output_hangs = not stage.output_hangs
            case "again" if loop.heard and stage.playing:
                self._now = "time"
                if actions := loop.again(min(loop.heard), stage.grid):
                    self._captured = loop._making or 0
                stage.do(actions)

    def _note(self) -> None:
        if self._loop.sounding != self._was:
            self.sounding.add((self._was, self._loop.sounding, self._now))
            self._was = self._loop.sounding


@cache
def walked() -> tuple[Seen, Seen]:
    """All changes of what is to come, and of what sounds, in many walks."""
    chance, coming, sounding = random.Random(SEED), Seen(), Seen()
    for _ in range(WALKS):
        walk = Walk(chance)
        for _ in range(STEPS):
            walk.step()
        coming |= walk.coming
        sounding |= walk.sounding
    return coming, sounding


def test_what_sounds_changes_as_the_table_says() -> None:
    seen = {(before, after) for before, after, _ in walked()[1]}
    assert seen == {(each.before, each.after) for each in SOUNDING}


def instead_of_capturing(known: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The same changes where no clock plays, or the loop is frozen."""
    ends = [each for each in known if "capturing" in each]
    return {
        (instead if first == "capturing" else first, instead if last == "capturing" else last)
        for first, last in ends
        for instead in (WITHOUT_CLOCK, FROZEN)
    }


def test_what_is_to_come_changes_by_itself_as_the_table_says() -> None:
    known: set[tuple[str, str]] = {(each.before, each.after) for each in COMING}
    seen = {(before, after) for before, after, why in walked()[0] if why in BY_ITSELF}
    assert known <= seen, known - seen
    known |= {(ENTERS_LATE, after) for before, after in known if before == "queued"}
    known |= instead_of_capturing(known)
    assert seen <= known, seen - known


def test_what_is_to_come_changes_by_commands_as_the_table_says() -> None:
    known: set[tuple[str, str]] = {
        (command, each.after) for each in COMMANDED for command in each.commands
    }
    seen = {(why, after) for _, after, why in walked()[0] if why not in BY_ITSELF}
    assert known <= seen, known - seen
    known |= instead_of_capturing(known)
    assert seen <= known, seen - known
