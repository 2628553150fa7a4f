"""The states of a live loop: what sounds, and what is to come.

A state machine without I/O: whoever drives it gives it the time, and carries out the actions that
it returns. What sounds goes on until a whole clip enters at a line of the grid, so a late clip
costs a repeat and never a gap.
"""

from __future__ import annotations

from bridge.commands import LoopComing, LoopSounding
from bridge.daemon.loop_actions import Action, GiveUp, Play, Stop, Take, Vary
from bridge.daemon.loop_grid import Grid, Line
from bridge.daemon.loop_history import Arrangement, LoopHistory

LAST_QUARTER = 0.75
"""A take is asked for when this share of its last bar has been played."""
SEEN_SECONDS = 0.5
"""After a line, the output reports within this time what it plays."""


class LoopState:
    """One loop. Its methods take in what happened, and return what is to be done.

    Where a method takes a grid, None means that the clock does not play.

    Attributes:
        bars: length of the next takes and clips.
        follows: whether each round takes what was played; else it varies the last melody.
        is_frozen: whether what plays is kept.
        coming: what is to come.
        line: where it is to happen; None: not known.
        heard: the clip that sounds on each layer.
    """

    def __init__(self, layer: int, *, bars: int, follows: bool = True) -> None:
        """Args:
        layer: of the output, for the loop's first layer.
        """
        self.bars, self.follows = bars, follows
        self.is_frozen = False
        self.coming: LoopComing = "none"
        self.line: Line | None = None
        self.heard: dict[int, str] = {}
        self.history = LoopHistory()
        self._first_layer, self._layer = layer, layer
        self._is_running = self._is_stopping = self._has_melody = False
        # The arrangement that is to enter; None: none is.
        self._next: Arrangement | None = None
        self._replaces = False
        self._newest_number = 0
        self._making: int | None = None
        self._is_captured = self._quick_sounds = False
        self._ready_seconds: float | None = None
        # Bar lines until the next round's take ends, and the next of them.
        self._bars_left = 0
        self._bar_line: Line | None = None

    @property
    def sounding(self) -> LoopSounding:
        """What is heard of it."""
        if not self.heard:
            return "off"
        return "stopping" if self._is_stopping else "playing"

    @property
    def layer(self) -> int:
        """The layer that the next clip is for."""
        return self._layer

    @property
    def layers(self) -> set[int]:
        """All layers that it uses."""
        kept = {layer for layer, _ in self.history.clips()}
        return kept | {self._first_layer, self._layer} | self.heard.keys()

    @property
    def clip(self) -> str:
        """The clip that sounds on its newest layer; empty: none does."""
        return list(self.heard.values())[-1] if self.heard else ""

    @property
    def clips(self) -> set[str]:
        """The clips that sound, are to enter, or can be gone back to."""
        kept = {clip for _, clip in self.history.clips()}
        return kept | set(self.heard.values()) | set((self._next or {}).values())

    @property
    def is_waiting_for_bars(self) -> bool:
        """Whether the first take has not begun to be cut: fewer bars can still be taken."""
        return self._is_running and self._making is None and not self.heard

    def take(self, grid: Grid | None, played_bars: int) -> list[Action]:
        """Take what was just played, now or as soon as enough bars are played.

        Nothing happens while another take is on its way.

        Args:
            played_bars: bars that were played without a break, the present one too in its last
                quarter.
        """
        if self._making is not None:
            return []
        self.is_frozen, self._is_running = False, True
        if not self._is_stopping and not self.heard and self._next is None:
            self._layer = self._first_layer
        self._bar_line = None if grid is None else grid.next_bar
        if grid is not None and played_bars < self.bars:
            self._bars_left = self.bars - played_bars
            self._count(grid)
            return []
        self._bars_left = self.bars
        if grid is not None and grid.bar_fraction >= LAST_QUARTER:
            self._bars_left += 1
        return [self._begin(grid)]

    def poll(self, grid: Grid | None) -> list[Action]:
        """Let time pass; call it ten times a second."""
        if grid is None:
            self._bar_line = None
            if self._is_running and self.coming == "capturing" and self._making is None:
                self._set("armed")
            return []
        self._pass_bar_lines(grid)
        self._slip(grid)
        if not self._is_running or self.is_frozen:
            return []
        if self._making is None and self._next is None:
            self._count(grid)
        is_due = self._bars_left <= 0 or (
            self._bars_left == 1 and grid.bar_fraction >= LAST_QUARTER
        )
        if not is_due:
            return []
        # The next round ends so many bars later: rounds keep their places in the song.
        self._bars_left += self.bars
        if self._making is not None or self._next is not None:
            return []
        return [self._begin(grid)]

    def captured(self, number: int, grid: Grid | None, seconds: float | None) -> None:
        """The melody of that number is there, and its clip is being rendered.

        Args:
            seconds: until it can start; None: not known.
        """
        if number != self._making:
            return
        self._has_melody = self._is_captured = True
        now = None if grid is None else grid.now_seconds
        self._ready_seconds = None if now is None or seconds is None else now + seconds
        if self._next is None:
            self._set("rendering", self._predicted(grid))

    def rendered(
        self, number: int, clip: str, grid: Grid | None, *, is_whole: bool = True
    ) -> list[Action]:
        """A clip of that number is complete.

        Args:
            is_whole: else it is a short one, and the whole one is still being made.
        """
        if number != self._making:
            return []
        if is_whole:
            self._making = None
        base = {} if self._is_stopping or not self.heard else self.history.present
        self._is_stopping = False
        self._replaces = is_whole and self._quick_sounds
        self._quick_sounds = not is_whole
        return [self._play({**base, self._layer: clip}, grid, at_bar=self._replaces)]

    def prepared(self, grid: Grid | None) -> None:
        """The output has what is to enter."""
        if self._next is not None:
            self._set("queued", None if grid is None else grid.entry)

    def failed(self, number: int, grid: Grid | None) -> None:
        """What was begun under that number came to nothing: what plays goes on."""
        if number == self._making:
            self._making = None
            if self._next is None:
                self._wait(grid)

    def layer_changed(self, layer: int, clip: str | None, grid: Grid | None) -> None:
        """The output plays something else on one of its layers; None: nothing of this loop."""
        if self.heard.get(layer) == clip:
            return
        heard = {each: self.heard[each] for each in self.heard if each != layer}
        self.heard = heard if clip is None else {**heard, layer: clip}
        if not self.heard:
            self._is_stopping = False
        if self._is_stopping:
            return
        if self._next is not None:
            if self.heard == self._next:
                self.history.enter(self._next, replaces=self._replaces)
                self._next = None
                self._go_on(grid)
        elif self.heard and clip is not None:
            self.history.enter(self.heard)

    def not_prepared(self, grid: Grid | None) -> None:
        """The output could not take what was to enter: what plays goes on."""
        self._next = None
        self._go_on(grid)

    def undo(self, grid: Grid | None) -> list[Action]:
        """Go back to the arrangement before; nothing happens without one."""
        return self._step(-1, grid)

    def redo(self, grid: Grid | None) -> list[Action]:
        """Go forward again; nothing happens without an arrangement that was undone."""
        return self._step(1, grid)

    def overdub(self, layer: int, grid: Grid | None, played_bars: int) -> list[Action]:
        """Take what was just played for another layer, beside those that play."""
        actions = self._give_up()
        self._layer = layer
        return [*actions, *self.take(grid, played_bars)]

    def freeze(self, is_frozen: bool, grid: Grid | None) -> list[Action]:
        """Keep what plays, or follow again."""
        if is_frozen == self.is_frozen:
            return []
        self.is_frozen = is_frozen
        actions: list[Action] = []
        if is_frozen:
            actions = self._give_up()
            if self._next is not None:
                actions.append(Play({}, keep=tuple(self._changed(self._next))))
                self._next = None
            self._set("none")
        elif self._is_running:
            self._bars_left = self.bars
            self._wait(grid)
        return actions

    def stop(self, grid: Grid | None, *, at_once: bool = False) -> list[Action]:
        """Stop at the next line of the quantum, or at once; a second stop can be sooner."""
        actions = self._give_up()
        layers = tuple({**self.heard, **(self._next or {})})
        self._is_running, self._next = False, None
        self._set("none")
        if not layers:
            return actions
        self._is_stopping = bool(self.heard)
        is_late = grid is None or grid.late_line_seconds is not None
        return [*actions, Stop(layers, at_once or is_late)]

    def clear(self) -> list[Action]:
        """Stop at once, and forget every clip."""
        actions = self.stop(None, at_once=True)
        self.history.clear()
        self._layer, self._has_melody = self._first_layer, False
        return actions

    def resume(self, clip: str, grid: Grid | None) -> list[Action]:
        """Play a clip of an earlier run of the program, and go on from there."""
        self._is_running, self._bars_left = True, self.bars
        return [self._play({self._layer: clip}, grid)]

    def silenced(self) -> list[Action]:
        """The output was silenced; nothing goes on by itself."""
        actions = self._give_up()
        self.heard, self._next = {}, None
        self._is_running = self._is_stopping = False
        self._set("none")
        return actions

    def _begin(self, grid: Grid | None) -> Action:
        """Begin a round."""
        self._newest_number += 1
        self._making, self._is_captured = self._newest_number, False
        self._ready_seconds = None
        if self.follows or not self._has_melody:
            line = None if grid is None else grid.next_bar
            self._set("capturing", line if self._bars_left > self.bars else None)
            return Take(self._making, self.bars)
        self._is_captured = True
        self._set("rendering")
        return Vary(self._making)

    def _play(
        self,
        arrangement: Arrangement,
        grid: Grid | None,
        *,
        at_bar: bool = False,
        late: bool = False,
    ) -> Action:
        """Let an arrangement be the next."""
        before, self._next = self._next or {}, arrangement
        touched = {**self.heard, **before, **arrangement}
        changed = self._changed(arrangement)
        keep = tuple(each for each in touched if each not in changed and each in before)
        clips = {each: arrangement.get(each) for each in changed}
        line_seconds = grid.late_line_seconds if late and grid is not None else None
        return Play(clips, keep, line_seconds, at_bar)

    def _changed(self, arrangement: Arrangement) -> list[int]:
        """The layers on which another clip sounds than in an arrangement."""
        layers = {**self.heard, **arrangement}
        return [each for each in layers if self.heard.get(each) != arrangement.get(each)]

    def _step(self, steps: int, grid: Grid | None) -> list[Action]:
        if not self.heard or self._is_stopping:
            return []
        wanted = self.history.beside(steps, self._next)
        if wanted is None:
            return []
        actions = self._give_up()
        self._replaces = self._quick_sounds = False
        self._layer = list(wanted)[-1]
        actions.append(self._play(wanted, grid, late=True))
        if wanted == self.heard:
            self._next = None
            self._go_on(grid)
        return actions

    def _give_up(self) -> list[Action]:
        making, self._making = self._making, None
        return [] if making is None else [GiveUp(making)]

    def _go_on(self, grid: Grid | None) -> None:
        """Something has entered: make or wait for the next."""
        if self._making is None:
            self._wait(grid)
        else:
            self._set("rendering" if self._is_captured else "capturing", self._predicted(grid))

    def _wait(self, grid: Grid | None) -> None:
        """Wait for the next round."""
        if not self._is_running or self.is_frozen:
            self._set("none")
        elif grid is None:
            self._set("armed")
        else:
            self._count(grid)

    def _count(self, grid: Grid) -> None:
        """Show when the take ends whose bars are being played."""
        if self._bar_line is None:
            self._bar_line = grid.next_bar
            self._bars_left = max(self._bars_left, self.bars)
        ahead = max(0, self._bars_left - 1)
        seconds = grid.next_bar.seconds + ahead * grid.bar_seconds
        self._set("capturing", Line(seconds, grid.next_bar.bar + ahead))

    def _pass_bar_lines(self, grid: Grid) -> None:
        if self._bar_line is None:
            return
        passed = round((grid.next_bar.seconds - self._bar_line.seconds) / grid.bar_seconds)
        if passed > 0:
            self._bars_left -= passed
        if passed:
            self._bar_line = grid.next_bar

    def _slip(self, grid: Grid) -> None:
        """Announce a later line where the one that was announced is missed."""
        if self.line is None or self.coming == "capturing":
            return
        if self._next is None and grid.is_missed(self.line):
            self._set("slipped", self._predicted(grid) or grid.entry)
        elif self._next is not None and grid.now_seconds > self.line.seconds + SEEN_SECONDS:
            self._set("slipped", grid.entry)

    def _predicted(self, grid: Grid | None) -> Line | None:
        if grid is None or self._ready_seconds is None:
            return None
        return grid.entry_after(self._ready_seconds)

    def _set(self, coming: LoopComing, line: Line | None = None) -> None:
        self.coming, self.line = coming, line
