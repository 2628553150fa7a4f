"""The states of a live loop: what sounds, and what is to come.

A state machine without I/O: whoever drives it gives it the time, and carries out the actions that
it returns. What sounds goes on until a whole clip enters at a line of the grid, so a late clip
costs a repeat and never a gap.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.daemon.loop_actions import Action, Again, GiveUp, Play, Stop, Take, Vary
from bridge.daemon.loop_grid import Grid, Line
from bridge.daemon.loop_history import Arrangement, LoopHistory
from bridge.daemon.loop_rounds import LAST_QUARTER, LoopRounds
from bridge.events import LoopComing, LoopSounding

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
        # It is to go on once the clock plays, as it did in an earlier run of the program.
        self._is_restored = False
        # The arrangement that is to enter; None: none is.
        self._next: Arrangement | None = None
        # One that was to enter before; it entered if the output had begun with it by then.
        self._overtaken: Arrangement = {}
        self._replaces = False
        self._newest_number = 0
        self._making: int | None = None
        self._is_captured = self._quick_sounds = False
        self._ready_seconds: float | None = None
        self._rounds = LoopRounds()
        # The layer whose clip is made again at another tempo; None: none is.
        self._again_layer: int | None = None

    @property
    def sounding(self) -> LoopSounding:
        """What is heard of it."""
        if not self.heard:
            return "off"
        return "stopping" if self._is_stopping else "playing"

    @property
    def is_on(self) -> bool:
        """Whether it has been started, and not stopped since."""
        return self._is_running

    @property
    def is_entering(self) -> bool:
        """Whether clips are to enter."""
        return self._next is not None

    @property
    def layer(self) -> int:
        """The layer that the next clip is for."""
        return self._layer

    @property
    def layers(self) -> set[int]:
        """All layers that it uses."""
        kept = {layer for layer, _ in self.history.clips()}
        pending = self._overtaken.keys() | self.entering_layers
        return kept | {self._first_layer, self._layer} | self.heard.keys() | pending

    @property
    def entering_layers(self) -> set[int]:
        """The layers of the arrangement that is to enter."""
        return set(self._next or {})

    @property
    def clip(self) -> str:
        """The clip that sounds on its newest layer; empty: none does."""
        return list(self.heard.values())[-1] if self.heard else ""

    @property
    def clips(self) -> set[str]:
        """The clips that sound, are to enter, or can be gone back to."""
        kept = {clip for _, clip in self.history.clips()}
        may_sound = (self.heard, self._next or {}, self._overtaken)
        return kept.union(*(each.values() for each in may_sound))

    @property
    def goes_on(self) -> bool:
        """Whether it makes or plays clips by itself, until it is stopped."""
        return self._is_running or self._is_restored

    @property
    def first_layer(self) -> int:
        """The layer that it began on."""
        return self._first_layer

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
        self.is_frozen, self._is_running, self._is_restored = False, True, False
        if not self._is_stopping and not self.heard and self._next is None:
            self._layer = self._first_layer
        if grid is not None and played_bars < self.bars:
            self._rounds.begin(self.bars - played_bars, grid)
            self._count(grid)
            return []
        in_last_quarter = grid is not None and grid.bar_fraction >= LAST_QUARTER
        self._rounds.begin(self.bars + in_last_quarter, grid)
        return [self._begin(grid)]

    def poll(self, grid: Grid | None) -> list[Action]:
        """Let time pass; call it ten times a second."""
        if grid is None:
            self._rounds.clock_stopped()
            if self._is_running and self.coming == "capturing" and self._making is None:
                self._set("armed")
            return []
        self._rounds.pass_bar_lines(grid)
        self._slip(grid)
        if not self._is_running or self.is_frozen:
            return []
        if self._making is None and self._next is None:
            self._count(grid)
        if not self._rounds.is_due(grid):
            return []
        self._rounds.bars_left += self.bars
        if self._making is not None or self._next is not None:
            return []
        return [self._begin(grid)]

    def again(self, layer: int, grid: Grid | None) -> list[Action]:
        """Make the clip of a layer again, because the tempo is another.

        Nothing happens to a loop that is frozen or stopped, or is making another clip.
        """
        is_busy = self._making is not None or self._next is not None
        is_kept = self.is_frozen or self._is_stopping or not self._is_running
        if is_busy or is_kept or layer not in self.heard:
            return []
        self._newest_number += 1
        self._making, self._is_captured, self._ready_seconds = self._newest_number, True, None
        self._again_layer = layer
        self._set("rendering")
        return [Again(self._making, layer)]

    def captured(self, number: int, grid: Grid | None, seconds: float | None) -> None:
        """The melody of that number is there, and its clip is being rendered.

        Args:
            seconds: until it can start; None: not known.
        """
        if number != self._making:
            return
        self._has_melody = self._has_melody or self._again_layer is None
        self._is_captured = True
        now = None if grid is None else grid.now_seconds
        self._ready_seconds = None if now is None or seconds is None else now + seconds
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
        base = {} if self._is_stopping or not self.heard else self._next or self.history.present
        self._is_stopping = False
        again_layer, self._again_layer = self._again_layer, None
        self._replaces = (is_whole and self._quick_sounds) or again_layer is not None
        self._quick_sounds = not is_whole
        layer = self._layer if again_layer is None else again_layer
        return [self._play({**base, layer: clip}, grid, at_bar=self._replaces)]

    def prepared(self, grid: Grid | None, seconds: float | None = None) -> None:
        """What plays the loop has what is to enter, at that instant; None: at the grid's entry."""
        if self._next is not None:
            if grid is not None and seconds is not None:
                grid = grid.with_entry(seconds)
            self._set("queued", None if grid is None else grid.entry)

    def moved(self, line: Line) -> None:
        """What is prepared enters at another line."""
        if self._next is None or self.coming not in ("queued", "slipped"):
            return
        bar = line.bar if self.line is None else self.line.bar
        if self.line is None or line.bar != bar:
            self._set("slipped" if line.bar > bar else "queued", line)

    def failed(self, number: int, grid: Grid | None) -> None:
        """What was begun under that number came to nothing: what plays goes on."""
        if number == self._making:
            self._making = self._again_layer = None
            if self._next is None:
                self._wait(grid)

    def forget_melody(self) -> None:
        """The melody can be followed no more: the next round takes another."""
        self._has_melody = False

    def layer_changed(
        self, layer: int, clip: str | None, grid: Grid | None, *, is_known: bool = True
    ) -> None:
        """Something else plays on one of the layers; None: nothing of this loop.

        Args:
            is_known: whether the clip can be played again.
        """
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
            elif self.heard and self.heard == self._overtaken:
                self.history.enter(self._overtaken)
        elif self.heard and clip is not None and is_known:
            self.history.enter(self.heard)

    def not_prepared(self, grid: Grid | None) -> None:
        """What was to enter could not be taken: what plays goes on."""
        self._expect(None)
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
                self._expect(None)
            self._set("none")
        elif self._is_running:
            self._rounds.bars_left = self.bars
            self._wait(grid)
        return actions

    def stop(self, grid: Grid | None, *, at_once: bool = False) -> list[Action]:
        """Stop at the next line of the quantum, or at once; a second stop can be sooner."""
        actions = self._give_up()
        layers = tuple({**self.heard, **(self._next or {})})
        self._is_running = self._is_restored = False
        self._expect(None)
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
        self._overtaken = {}
        self._layer, self._has_melody = self._first_layer, False
        return actions

    def restore(
        self,
        arrangements: Sequence[Arrangement],
        index: int,
        *,
        is_frozen: bool,
        is_running: bool,
    ) -> None:
        """Take over what a loop of an earlier run of the program was; `resume` lets it go on.

        Args:
            arrangements, index: as in `LoopHistory.saved`.
            is_running: whether it is to go on by itself.
        """
        self.history.restore(arrangements, index)
        self.is_frozen, self._is_restored = is_frozen, is_running
        if is_running:
            self._set("armed")

    def resume(self, grid: Grid | None) -> list[Action]:
        """Go on with what was restored, unless it got another command meanwhile."""
        if not self._is_restored:
            return []
        self._is_restored, self._is_running = False, True
        self._rounds.bars_left = self.bars
        arrangement = self.history.present
        if not arrangement:
            self._wait(grid)
            return []
        self._layer = list(arrangement)[-1]
        return [self._play(arrangement, grid)]

    def silenced(self) -> list[Action]:
        """The output was silenced; nothing goes on by itself."""
        actions = self._give_up()
        self.heard, self._next, self._overtaken = {}, None, {}
        self._is_running = self._is_stopping = self._is_restored = False
        self._set("none")
        return actions

    def _begin(self, grid: Grid | None) -> Action:
        """Begin a round."""
        self._newest_number += 1
        self._making, self._is_captured = self._newest_number, False
        self._ready_seconds = None
        if self.follows or not self._has_melody:
            line = None if grid is None else grid.next_bar
            self._set("capturing", line if self._rounds.bars_left > self.bars else None)
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
        before = self._next
        self._expect(arrangement)
        changed = self._changed(arrangement)
        # Layers on which something else was to start or stop.
        pending = [] if before is None else [*before, *self._changed(before)]
        keep = tuple(each for each in dict.fromkeys(pending) if each not in changed)
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

    def _expect(self, arrangement: Arrangement | None) -> None:
        """Let an arrangement be the next; None: none is."""
        if self._next is not None:
            self._overtaken = self._next
        self._next = arrangement

    def _give_up(self) -> list[Action]:
        making, self._making, self._again_layer = self._making, None, None
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
        self._set("capturing", self._rounds.end_line(self.bars, grid))

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
