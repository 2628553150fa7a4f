"""The live loops: what was just played comes back as a band, swapped in on the bar line."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from bridge.clock.beat_clock import BeatClock
from bridge.commands import (
    LAYERS,
    ClipSettings,
    Command,
    DefaultsChanged,
    Event,
    LayerChanged,
    LoopClear,
    LoopCommand,
    LoopFreeze,
    LoopOverdub,
    LoopRedo,
    LoopSet,
    LoopStart,
    LoopStop,
    LoopUndo,
)
from bridge.config.small_file import read_small_file
from bridge.daemon.clips import ClipRegistry
from bridge.daemon.loop import Loop
from bridge.daemon.loop_grid import Grid, Line, LoopPace
from bridge.daemon.loop_state import LAST_QUARTER, LoopState
from bridge.delivery import KnownClip
from bridge.delivery.playback import Playback
from bridge.errors import BadArgument, NotEnoughBars, UnknownId
from bridge.timing import Quantum

PREFIX = "loop:"
"""The ids of a loop's own requests are `loop:<loop id>.<number>`; no client may begin such."""
QUICK = "quick"
"""The end of the ids of quick clips."""
MOST_ID_CHARACTERS = 48
"""Longest id of a loop: its requests' ids are ids too, of 64 characters at most."""


class Loops:
    """All live loops. For the event loop's thread.

    Attributes:
        playback: plays them.
        clips: has theirs.
        pace: of all loops.
    """

    def __init__(
        self,
        playback: Playback,
        clips: ClipRegistry,
        *,
        clock: Callable[[], BeatClock],
        quantum: Quantum,
        bars: Callable[[], int],
        perform: Callable[[Command], None],
        publish: Callable[[Event], None],
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Args:
        clock: gives the clock that counts at this moment.
        quantum: the grid of the playback.
        bars: gives the length of a loop that names none.
        perform: gives the session a command; raises a `BridgeError` where it cannot be done.
        publish: sends an event to every client.
        now: gives the time, on the clock's scale.
        """
        self.playback, self.clips, self.pace = playback, clips, LoopPace()
        self._clock, self._quantum, self._bars = clock, quantum, bars
        self.perform, self.publish, self.now_seconds = perform, publish, now
        self._loops: dict[str, Loop] = {}
        self._count = 0
        self._to_resume: KnownClip | None = None

    def has(self, id: str) -> bool:
        """Whether a loop has that id."""
        return id in self._loops

    def handle(self, command: LoopCommand) -> None:
        """Carry out a command.

        Raises:
            UnknownId: no loop has that id.
            BadArgument: the id is too long, or no layer is free.
        """
        if isinstance(command, LoopStart):
            self._start(command)
            return
        loop = self._loops.get(command.id)
        if loop is None:
            raise UnknownId(f"no loop has the id {command.id!r}: start one first")
        state = loop.state
        match command:
            case LoopStop(_, now):
                loop.perform(state.stop(self.grid(), at_once=now))
            case LoopUndo():
                self._step(loop, state.undo(self.grid()), "before")
            case LoopRedo():
                self._step(loop, state.redo(self.grid()), "after")
            case LoopFreeze(_, is_frozen):
                loop.perform(state.freeze(is_frozen, self.grid()))
            case LoopOverdub():
                self._overdub(loop)
            case LoopClear():
                loop.perform(state.clear())
                del self._loops[command.id]
            case LoopSet():
                loop.adopt(command)

    def observe(self, event: Event) -> None:
        """Take in an event of the session; never within the call that publishes it."""
        if isinstance(event, LayerChanged):
            for loop in self._loops.values():
                loop.layer_changed(event.layer, event.clip)
            return
        if isinstance(event, DefaultsChanged):
            for loop in self._loops.values():
                loop.defaults_changed(self._bars())
            return
        id = getattr(event, "id", "")
        if isinstance(id, str) and id.startswith(PREFIX):
            loop_of = self._loops.get(_loop_id(id))
            if loop_of is not None:
                loop_of.observe(event)

    def poll(self) -> None:
        """Let time pass; call it ten times a second."""
        if self._to_resume is not None and self.playback.is_ready and self.grid() is not None:
            self._resume(self._to_resume)
            self._to_resume = None
        for loop in self._loops.values():
            loop.poll()

    def resume_from(self, newest: list[KnownClip]) -> None:
        """Go on with the loop that made the newest of those clips, once the clock plays.

        Args:
            newest: clips of the clips folder, the newest first.
        """
        for clip in newest:
            if clip.request.startswith(PREFIX) and not clip.request.endswith(QUICK):
                self._to_resume = clip
                return

    def stop_layer(self, layer: int | None) -> None:
        """Stop the loops that play on a layer; None: all loops."""
        for loop in self._loops.values():
            if layer is None or layer in loop.state.heard:
                loop.perform(loop.state.stop(self.grid()))

    def silenced(self) -> None:
        """Take in that the output was silenced."""
        for loop in self._loops.values():
            loop.silenced()

    async def close(self) -> None:
        """End all loops."""
        await asyncio.gather(*(loop.close() for loop in self._loops.values()))

    def grid(self) -> Grid | None:
        """The clock's grid at this moment; None: it does not play."""
        now, clock = self.now_seconds(), self._clock()
        entry, bar_line = self.playback.next_line(now), clock.next_bar_line(now)
        beat, tempo_bpm, meter = clock.beat_at(now), clock.tempo_bpm, clock.meter
        if entry is None or bar_line is None or beat is None or not (tempo_bpm and meter):
            return None
        beat_seconds, bar_beats = float(60 / tempo_bpm), float(meter.beats_per_bar)
        bar_seconds = beat_seconds * bar_beats
        bar = round((beat + (bar_line - now) / beat_seconds) / bar_beats) + 1
        unit_seconds = bar_seconds if self._quantum.unit == "bars" else beat_seconds
        grid = Grid(
            now,
            Line(bar_line, bar),
            bar_seconds,
            Line(entry.seconds, bar),
            unit_seconds * float(self._quantum.count),
        )
        return grid.with_entry(entry.seconds)

    def played_bars(self, bars: int) -> int:
        """How many of the last bars were played without a break, `bars` at most."""
        now, clock = self.now_seconds(), self._clock()
        share = clock.bar_fraction(now)
        if share is None:
            return 0
        try:
            played = clock.bars_ending(now, bars).bars
        except NotEnoughBars:
            return 0
        return min(bars, played + (share >= LAST_QUARTER))

    def new_id(self, loop: str, suffix: str = "") -> str:
        """The id of a loop's next request."""
        self._count += 1
        return f"{PREFIX}{loop}.{self._count}{suffix}"

    def _start(self, command: LoopStart) -> None:
        loop = self._loops.get(command.id)
        if loop is None:
            if len(command.id) > MOST_ID_CHARACTERS:
                raise BadArgument(
                    f"id {command.id!r}: a loop's id has {MOST_ID_CHARACTERS} characters at most"
                )
            layer = self._free_layer() if command.layer is None else command.layer
            self._check_free(layer)
            loop = self._new(command.id, layer)
        elif command.layer not in (None, *loop.state.layers):
            raise BadArgument(
                f"layer {command.layer}: the loop {command.id!r} plays on layer "
                f"{loop.state.layer}; clear it first"
            )
        loop.adopt(LoopSet(command.id, command.settings, command.follow, command.quick))
        loop.take()

    def _new(self, id: str, layer: int) -> Loop:
        loop = self._loops[id] = Loop(id, self, LoopState(layer, bars=self._bars()))
        return loop

    def _overdub(self, loop: Loop) -> None:
        if loop.state.sounding != "playing":
            raise BadArgument(f"the loop {loop.id!r} plays nothing that a layer could be added to")
        loop.overdub(self._free_layer())

    def _step(self, loop: Loop, actions: list[Any], where: str) -> None:
        if not actions:
            loop.remark(f"there is nothing {where} what the loop plays")
        loop.perform(actions)

    def _free_layer(self) -> int:
        taken = {layer for loop in self._loops.values() for layer in loop.state.layers}
        free = [layer for layer in range(1, LAYERS + 1) if layer not in taken]
        if not free:
            raise BadArgument(f"all {LAYERS} layers are in use: clear a loop first")
        return free[0]

    def _check_free(self, layer: int) -> None:
        for loop in self._loops.values():
            if layer in loop.state.layers:
                raise BadArgument(f"layer {layer} is the loop {loop.id!r}'s: clear that first")

    def _resume(self, clip: KnownClip) -> None:
        id = _loop_id(clip.request)
        if id in self._loops:
            return
        loop = self._new(id, self._free_layer())
        loop.adopt(LoopSet(id, ClipSettings(bars=clip.bars, preset=_preset(clip))))
        loop.resume(clip)


def _loop_id(request: str) -> str:
    return request.removeprefix(PREFIX).rpartition(".")[0]


def _preset(clip: KnownClip) -> str | None:
    """The preset that a clip was made with, from its sidecar."""
    try:
        preset = json.loads(read_small_file(clip.path.with_suffix(".json"))).get("preset")
    except (OSError, ValueError, AttributeError):
        return None
    return preset if isinstance(preset, str) else None
