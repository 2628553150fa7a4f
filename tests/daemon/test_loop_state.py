"""A loop's states: rounds, slips, undo, layers and stops, in a time of the test's own."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.daemon.loop_actions import Action, Again, GiveUp, Play, Stop, Take, Vary
from bridge.daemon.loop_grid import Grid, Line, LoopPace
from bridge.daemon.loop_history import MOST_KEPT, LoopHistory
from bridge.daemon.loop_state import LoopState

BAR_SECONDS = 2.0
AHEAD_SECONDS = 0.05
STEP_SECONDS = 0.1
BARS = 4


def grid_at(seconds: float) -> Grid:
    """Bars of 2 s from second 0 on, with a quantum of one bar."""
    bar = floor(seconds / BAR_SECONDS + 1e-9) + 1
    entry = floor((seconds + AHEAD_SECONDS) / BAR_SECONDS + 1e-9) + 1
    return Grid(
        seconds,
        Line(bar * BAR_SECONDS, bar + 1),
        BAR_SECONDS,
        Line(entry * BAR_SECONDS, entry + 1),
        BAR_SECONDS,
    )


class Stage:
    """A loop on an output that does what it is asked at bar lines.

    Attributes:
        actions: all that the loop has asked for.
        output_hangs: whether the output does nothing at bar lines.
        states: every state that it had, with the bar that was announced.
        lowest: the fewest layers that sounded since the first did, until a stop.
    """

    def __init__(self, *, follows: bool = True, layer: int = 1) -> None:
        self.loop = LoopState(layer, bars=BARS, follows=follows)
        self.seconds = 0.0
        self.playing, self.output_hangs = True, False
        self.actions: list[Action] = []
        self.states: list[tuple[str, str, int]] = []
        self._coming: dict[int, tuple[float, str | None]] = {}
        self._clips = 0

    @property
    def grid(self) -> Grid | None:
        return grid_at(self.seconds) if self.playing else None

    def do(self, actions: Sequence[Action]) -> None:
        """Carry out what the loop asks for."""
        for action in actions:
            self.actions.append(action)
            match action:
                case Play():
                    grid = self.grid
                    at = self.seconds if grid is None else grid.entry.seconds
                    at = self.seconds if action.line_seconds is not None else at
                    self._coming |= {layer: (at, clip) for layer, clip in action.clips.items()}
                    for layer in action.keep:
                        self._coming.pop(layer, None)
                    self.loop.prepared(grid)
                case Stop(layers, at_once):
                    grid = self.grid
                    at = self.seconds if at_once or grid is None else grid.entry.seconds
                    self._coming |= dict.fromkeys(layers, (at, None))
        self._note()

    def run(self, until_seconds: float) -> None:
        """Let time pass."""
        while self.seconds < until_seconds - 1e-9:
            self.seconds = round(self.seconds + STEP_SECONDS, 6)
            due = [each for each, (at, _) in self._coming.items() if at <= self.seconds + 1e-9]
            due = [] if self.output_hangs else due
            for layer in due:
                self.loop.layer_changed(layer, self._coming.pop(layer)[1], self.grid)
            self.do(self.loop.poll(self.grid))

    def silence(self) -> None:
        """Let the output forget what was to come."""
        self._coming.clear()

    def take(self, played_bars: int = BARS) -> None:
        """Press the button."""
        self.do(self.loop.take(self.grid, played_bars))

    def finish(self, seconds: float | None = None) -> str:
        """Let the newest round come to a clip that is complete."""
        number = self.number
        self.loop.captured(number, self.grid, seconds)
        return self.render()

    def render(self, *, is_whole: bool = True) -> str:
        """Let the newest round's clip be complete, and return its name."""
        self._clips += 1
        name = f"clip {self._clips}"
        self.do(self.loop.rendered(self.number, name, self.grid, is_whole=is_whole))
        return name

    @property
    def number(self) -> int:
        """Of the newest round."""
        return max(each.number for each in self.actions if isinstance(each, Take | Vary | Again))

    @property
    def state(self) -> tuple[str, str, int]:
        line = self.loop.line
        return self.loop.sounding, self.loop.coming, 0 if line is None else line.bar

    def _note(self) -> None:
        if not self.states or self.states[-1] != self.state:
            self.states.append(self.state)


def looping(*, follows: bool = True, loops: int = 1) -> Stage:
    """A stage whose loop sounds, in the middle of a bar."""
    stage = Stage(follows=follows)
    stage.run(8.5)
    stage.take()
    stage.finish()
    stage.run(10.5)
    for _ in range(loops - 1):
        stage.take()
        stage.finish()
        stage.run(stage.seconds + BAR_SECONDS)
    return stage


def test_a_loop_goes_through_its_states_round_after_round() -> None:
    stage = Stage()
    stage.run(8.5)
    stage.take()
    assert stage.actions == [Take(1, BARS)]
    assert stage.state == ("off", "capturing", 0)
    stage.loop.captured(1, stage.grid, 1.0)
    assert stage.state == ("off", "rendering", 6)
    stage.run(9.0)
    first = stage.render()
    assert stage.state == ("off", "queued", 6)
    stage.run(10.1)
    # The bars 5 to 8 are being played; the take of them ends at bar 9.
    assert stage.state == ("playing", "capturing", 9)
    assert stage.loop.heard == {1: first}
    stage.run(15.4)
    assert len(stage.actions) == 2
    # In the last quarter of bar 8, so that the take is there right at its end.
    stage.run(15.6)
    assert stage.actions[-1] == Take(2, BARS)
    assert stage.state == ("playing", "capturing", 9)
    stage.run(16.1)
    second = stage.finish()
    assert stage.state == ("playing", "queued", 10)
    assert stage.loop.heard == {1: first}
    stage.run(18.1)
    assert stage.loop.heard == {1: second}
    assert stage.state == ("playing", "capturing", 13)


def test_a_press_in_the_last_quarter_of_a_bar_counts_the_next_round_from_its_end() -> None:
    stage = Stage()
    stage.run(7.7)
    stage.take()
    assert stage.state == ("off", "capturing", 5)
    stage.run(8.1)
    stage.finish()
    stage.run(15.6)
    assert stage.actions[-1] == Take(2, BARS)


def test_too_few_bars_are_waited_for() -> None:
    stage = Stage()
    stage.run(2.5)
    stage.take(played_bars=1)
    assert stage.state == ("off", "capturing", 5)
    assert stage.actions == []
    stage.run(7.6)
    assert stage.actions == [Take(1, BARS)]


def test_without_a_clock_the_last_phrase_is_taken_and_the_next_round_waits_for_a_clock() -> None:
    stage = Stage()
    stage.playing = False
    stage.take(played_bars=0)
    assert stage.actions == [Take(1, BARS)]
    first = stage.finish()
    stage.run(0.5)
    assert stage.loop.heard == {1: first}
    assert stage.state == ("playing", "armed", 0)
    stage.run(4.0)
    stage.playing = True
    stage.run(4.5)
    assert stage.state == ("playing", "capturing", 7)
    stage.playing = False
    stage.run(5.0)
    assert stage.state == ("playing", "armed", 0)


def test_a_late_clip_slips_by_whole_quanta_and_what_plays_goes_on() -> None:
    stage = looping()
    first = dict(stage.loop.heard)
    stage.run(16.1)
    stage.loop.captured(2, stage.grid, 1.0)
    assert stage.state == ("playing", "rendering", 10)
    stage.run(22.5)
    assert stage.states[-3:] == [
        ("playing", "slipped", 11),
        ("playing", "slipped", 12),
        ("playing", "slipped", 13),
    ]
    assert stage.loop.heard == first
    name = stage.render()
    assert stage.state == ("playing", "queued", 13)
    stage.run(24.1)
    assert stage.loop.heard == {1: name}
    # The round that ended meanwhile was left out; the next one ends on its place in the song.
    assert stage.state == ("playing", "capturing", 17)


def test_a_failed_round_costs_a_repeat() -> None:
    stage = looping()
    first = dict(stage.loop.heard)
    stage.run(15.6)
    stage.loop.failed(2, stage.grid)
    stage.run(16.5)
    assert stage.state == ("playing", "capturing", 13)
    assert stage.loop.heard == first
    stage.run(23.6)
    assert stage.actions[-1] == Take(3, BARS)


def test_follow_0_varies_the_one_melody() -> None:
    stage = looping(follows=False)
    stage.run(15.6)
    assert stage.actions[-1] == Vary(2)
    assert stage.state == ("playing", "rendering", 0)


def test_freeze_keeps_what_plays_and_gives_up_what_comes() -> None:
    stage = looping()
    first = dict(stage.loop.heard)
    stage.take()
    stage.do(stage.loop.freeze(True, stage.grid))
    assert stage.actions[-1] == GiveUp(2)
    assert stage.state == ("playing", "none", 0)
    assert stage.loop.rendered(2, "too late", stage.grid) == []
    stage.run(40.0)
    assert (stage.loop.heard, stage.number) == (first, 2)
    stage.do(stage.loop.freeze(False, stage.grid))
    stage.run(50.0)
    assert stage.number == 3


def test_freeze_revokes_a_clip_that_has_not_entered() -> None:
    stage = looping()
    first = dict(stage.loop.heard)
    stage.take()
    stage.finish()
    stage.do(stage.loop.freeze(True, stage.grid))
    assert stage.actions[-1] == Play({}, keep=(1,))
    stage.run(20.0)
    assert stage.loop.heard == first


@pytest.mark.parametrize("press", ["undo", "freeze"])
def test_a_clip_that_enters_while_a_button_is_pressed_is_heard_and_can_be_gone_back_to(
    press: str,
) -> None:
    stage = looping(loops=2)
    stage.take()
    entered = stage.finish()
    # The output starts it, and the press comes before its report.
    stage.do(
        stage.loop.undo(stage.grid) if press == "undo" else stage.loop.freeze(True, stage.grid)
    )
    assert entered in stage.loop.clips
    stage.loop.layer_changed(1, entered, stage.grid)
    assert stage.loop.clip == entered and stage.loop.sounding == "playing"
    stage.run(stage.seconds + BAR_SECONDS)
    assert stage.loop.clip == ("clip 1" if press == "undo" else entered)
    for _ in range(2 if press == "undo" else 0):
        stage.do(stage.loop.redo(stage.grid))
        stage.run(stage.seconds + BAR_SECONDS)
    assert stage.loop.clip == entered


def test_undo_and_redo_go_through_the_loops_and_undo_after_redo_is_where_it_was() -> None:
    stage = looping(loops=3)
    stage.do(stage.loop.freeze(True, stage.grid))
    heard = []
    for step in ("undo", "undo", "undo", "redo", "redo", "redo"):
        stage.do(getattr(stage.loop, step)(stage.grid))
        stage.run(stage.seconds + BAR_SECONDS)
        heard.append(stage.loop.clip)
    assert heard == ["clip 2", "clip 1", "clip 1", "clip 2", "clip 3", "clip 3"]


def test_undo_twice_before_the_bar_goes_back_two_loops_and_redo_takes_it_back() -> None:
    stage = looping(loops=3)
    stage.do(stage.loop.freeze(True, stage.grid))
    stage.do(stage.loop.undo(stage.grid))
    stage.do(stage.loop.undo(stage.grid))
    stage.run(stage.seconds + BAR_SECONDS)
    assert stage.loop.clip == "clip 1"
    stage.do(stage.loop.redo(stage.grid))
    stage.do(stage.loop.undo(stage.grid))
    assert stage.state[1] == "none"
    stage.run(stage.seconds + BAR_SECONDS)
    assert stage.loop.clip == "clip 1"


def test_a_new_loop_after_an_undo_replaces_what_was_undone() -> None:
    stage = looping(loops=2)
    stage.do(stage.loop.undo(stage.grid))
    stage.run(stage.seconds + BAR_SECONDS)
    stage.take()
    stage.finish()
    stage.run(stage.seconds + BAR_SECONDS)
    assert stage.loop.clip == "clip 3"
    assert stage.loop.redo(stage.grid) == []
    stage.do(stage.loop.undo(stage.grid))
    stage.run(stage.seconds + BAR_SECONDS)
    assert stage.loop.clip == "clip 1"


def test_overdub_adds_layers_and_undo_takes_them_off_again() -> None:
    stage = looping()
    for layer in (2, 3, 4):
        stage.do(stage.loop.overdub(layer, stage.grid, BARS))
        stage.finish()
        stage.run(stage.seconds + BAR_SECONDS)
    assert stage.loop.heard == {1: "clip 1", 2: "clip 2", 3: "clip 3", 4: "clip 4"}
    stage.do(stage.loop.undo(stage.grid))
    assert stage.actions[-1] == Play({4: None})
    stage.run(stage.seconds + BAR_SECONDS)
    assert stage.loop.heard == {1: "clip 1", 2: "clip 2", 3: "clip 3"}
    assert stage.loop.layer == 3
    stage.do(stage.loop.redo(stage.grid))
    stage.run(stage.seconds + BAR_SECONDS)
    assert len(stage.loop.heard) == 4


def test_a_clip_that_is_ready_after_an_undo_enters_over_what_that_goes_back_to() -> None:
    stage = looping()
    stage.do(stage.loop.overdub(2, stage.grid, BARS))
    second = stage.finish()
    stage.run(stage.seconds + BAR_SECONDS)
    assert stage.loop.heard == {1: "clip 1", 2: second}
    stage.do(stage.loop.undo(stage.grid))
    stage.take()
    third = stage.finish(0.5)
    stage.run(stage.seconds + BAR_SECONDS)
    assert stage.loop.heard == stage.loop.history.present == {1: third}


def test_a_clip_is_made_again_at_another_tempo_and_takes_its_place() -> None:
    stage = looping(loops=2)
    assert stage.loop.again(2, stage.grid) == []
    stage.do(stage.loop.again(1, stage.grid))
    assert stage.actions[-1] == Again(3, 1)
    assert stage.state[:2] == ("playing", "rendering")
    assert stage.loop.again(1, stage.grid) == []
    other = stage.finish(0.5)
    stage.run(stage.seconds + BAR_SECONDS)
    assert stage.loop.heard == {1: other}
    # It has taken the place of the one at the old tempo.
    assert stage.loop.history.beside(-1) == {1: "clip 1"}


def test_a_take_that_ends_while_a_clip_is_made_again_is_left_out() -> None:
    stage = looping()
    stage.run(15.0)
    stage.do(stage.loop.again(1, stage.grid))
    stage.run(15.6)
    assert stage.actions[-1] == Again(2, 1)
    other = stage.finish(0.5)
    stage.run(20.0)
    assert stage.loop.heard == {1: other}
    stage.run(23.6)
    assert Take(3, BARS) in stage.actions[-1:]


@pytest.mark.parametrize("what", ["frozen", "stopping", "busy"])
def test_a_clip_is_not_made_again_by_a_loop_that_is_kept_or_busy(what: str) -> None:
    stage = looping()
    match what:
        case "frozen":
            stage.do(stage.loop.freeze(True, stage.grid))
        case "stopping":
            stage.do(stage.loop.stop(stage.grid))
        case "busy":
            stage.take()
    assert stage.loop.again(1, stage.grid) == []


def test_stop_waits_for_the_line_and_a_second_stop_is_at_once() -> None:
    stage = looping()
    stage.take()
    stage.do(stage.loop.stop(stage.grid))
    assert stage.actions[-2:] == [GiveUp(2), Stop((1,), at_once=False)]
    assert stage.state == ("stopping", "none", 0)
    stage.do(stage.loop.stop(stage.grid, at_once=True))
    assert stage.actions[-1] == Stop((1,), at_once=True)
    stage.run(40.0)
    assert stage.state == ("off", "none", 0)
    assert stage.number == 2


@pytest.mark.parametrize(("late_seconds", "means_the_line_before"), [(0.1, True), (0.2, False)])
def test_a_press_up_to_100_ms_after_a_bar_line_means_that_bar(
    late_seconds: float, means_the_line_before: bool
) -> None:
    stage = looping(loops=2)
    stage.run(14.0 + late_seconds)
    stage.do(stage.loop.undo(stage.grid))
    (play,) = [each for each in stage.actions if isinstance(each, Play)][-1:]
    assert play.line_seconds == (pytest.approx(14.0) if means_the_line_before else None)
    stage = looping()
    stage.run(12.0 + late_seconds)
    stage.do(stage.loop.stop(stage.grid))
    assert stage.actions[-1] == Stop((1,), at_once=means_the_line_before)


def test_a_take_after_a_stop_starts_anew_and_undo_finds_the_old_loop() -> None:
    stage = looping()
    stage.do(stage.loop.stop(stage.grid))
    stage.run(12.5)
    assert stage.state == ("off", "none", 0)
    stage.take()
    stage.finish()
    stage.run(14.5)
    assert stage.loop.heard == {1: "clip 2"}
    stage.do(stage.loop.undo(stage.grid))
    stage.run(16.5)
    assert stage.loop.heard == {1: "clip 1"}


def test_a_take_while_it_stops_replaces_the_stop() -> None:
    stage = looping()
    stage.do(stage.loop.stop(stage.grid))
    stage.take()
    name = stage.finish()
    stage.run(12.5)
    assert stage.loop.heard == {1: name}
    assert stage.state[:2] == ("playing", "capturing")


def test_clear_forgets_everything() -> None:
    stage = looping(loops=2)
    stage.do(stage.loop.clear())
    stage.run(stage.seconds + 0.2)
    assert stage.state == ("off", "none", 0)
    assert (stage.loop.clips, stage.loop.layers) == (set(), {1})


def test_a_quick_clip_gives_way_to_the_whole_one_at_a_bar_line() -> None:
    stage = Stage()
    stage.run(8.5)
    stage.take()
    stage.loop.captured(1, stage.grid, None)
    quick = stage.render(is_whole=False)
    stage.run(10.1)
    assert stage.loop.heard == {1: quick}
    assert stage.state == ("playing", "rendering", 0)
    whole = stage.render()
    assert stage.actions[-1] == Play({1: whole}, at_bar=True)
    stage.run(12.1)
    assert stage.loop.heard == {1: whole}
    # Nobody wants the short one back.
    assert stage.loop.undo(stage.grid) == []


def test_an_output_that_goes_and_comes_back_changes_nothing_in_the_history() -> None:
    stage = looping(loops=2)
    heard = dict(stage.loop.heard)
    stage.loop.layer_changed(1, None, stage.grid)
    assert stage.loop.sounding == "off"
    stage.loop.layer_changed(1, heard[1], stage.grid)
    stage.do(stage.loop.undo(stage.grid))
    stage.run(stage.seconds + BAR_SECONDS)
    assert stage.loop.clip == "clip 1"


def test_a_resumed_loop_plays_and_follows() -> None:
    stage = Stage()
    stage.loop.restore([{1: "older"}, {1: "old", 2: "over"}], 1, is_frozen=False, is_running=True)
    assert stage.state == ("off", "armed", 0)
    stage.run(0.5)
    assert stage.actions == []
    stage.do(stage.loop.resume(stage.grid))
    stage.run(2.5)
    assert stage.loop.heard == {1: "old", 2: "over"}
    assert stage.state == ("playing", "capturing", 6)
    stage.do(stage.loop.undo(stage.grid))
    stage.run(4.5)
    assert stage.loop.heard == {1: "older"}


@pytest.mark.parametrize("what", ["frozen", "stopped", "stopped meanwhile", "taken meanwhile"])
def test_a_resumed_loop_is_as_it_was_unless_it_gets_another_command(what: str) -> None:
    stage = Stage()
    stage.loop.restore([{1: "old"}], 0, is_frozen=what == "frozen", is_running=what != "stopped")
    if what == "stopped meanwhile":
        stage.do(stage.loop.stop(stage.grid))
    if what == "taken meanwhile":
        stage.take()
    stage.do(stage.loop.resume(stage.grid))
    stage.run(2.5)
    if what == "frozen":
        assert stage.state == ("playing", "none", 0) and stage.loop.heard == {1: "old"}
    elif what == "taken meanwhile":
        assert stage.state[:2] == ("off", "capturing") and not stage.loop.heard
    else:
        assert stage.state == ("off", "none", 0) and not stage.loop.goes_on


def test_the_history_keeps_eight_arrangements_before_the_present_one() -> None:
    history = LoopHistory()
    for number in range(20):
        history.enter({1: f"clip {number}"})
    assert history.beside(-MOST_KEPT) == {1: "clip 11"}
    assert history.beside(-MOST_KEPT - 1) is None
    assert history.beside(1) is None


def test_the_slowest_of_the_last_loops_decides_what_is_announced() -> None:
    pace = LoopPace()
    assert pace.predicted(8.0) is None
    for seconds in (9.0, 1.0, 2.0, 1.5, 1.0):
        pace.add(8.0, seconds)
    assert pace.predicted(4.0) == 1.0


COMMANDS = st.sampled_from(
    [
        "take",
        "captured",
        "render",
        "fail",
        "undo",
        "redo",
        "freeze",
        "thaw",
        "overdub",
        "again",
        "wait",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(COMMANDS, st.integers(1, 40)), max_size=40))
def test_whatever_happens_a_loop_that_sounds_goes_on_with_whole_clips(
    script: list[tuple[str, int]],
) -> None:
    stage = looping()
    rendered = {"clip 1"}
    for command, steps in script:
        grid = stage.grid
        match command:
            case "take":
                stage.take()
            case "captured":
                stage.loop.captured(stage.number, grid, steps / 10)
            case "render":
                rendered.add(stage.render())
            case "fail":
                stage.loop.failed(stage.number, grid)
            case "overdub":
                free = set(range(1, 9)) - stage.loop.layers
                if free:
                    stage.do(stage.loop.overdub(min(free), grid, BARS))
            case "again":
                stage.do(stage.loop.again(1, grid))
            case "freeze" | "thaw":
                stage.do(stage.loop.freeze(command == "freeze", grid))
            case "undo" | "redo":
                stage.do(getattr(stage.loop, command)(grid))
        for _ in range(steps):
            stage.run(stage.seconds + STEP_SECONDS)
            assert stage.loop.sounding == "playing"
            assert set(stage.loop.heard.values()) <= rendered
            assert stage.loop.coming != "armed"
    # What was begun ends: a clip or a failure brings every loop back to its rounds.
    stage.loop.failed(stage.number, stage.grid)
    stage.do(stage.loop.freeze(False, stage.grid))
    stage.run(stage.seconds + 3 * BAR_SECONDS)
    present, before = dict(stage.loop.heard), stage.loop.history.beside(-1)
    assert present == stage.loop.history.present
    if before is not None:
        stage.do(stage.loop.freeze(True, stage.grid))
        for step in ("undo", "redo"):
            stage.do(getattr(stage.loop, step)(stage.grid))
            stage.run(stage.seconds + 2 * BAR_SECONDS)
        assert stage.loop.heard == present
