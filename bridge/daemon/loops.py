"""The live loops: what was just played comes back as a band, swapped in on the bar line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from fractions import Fraction
from math import floor
from typing import Any

from bridge.clock.beat_clock import BeatClock
from bridge.commands import (
    LAYERS,
    LOOP_PREFIX,
    ClipSettings,
    Command,
    LoopClear,
    LoopCommand,
    LoopFreeze,
    LoopOverdub,
    LoopPlaying,
    LoopRedo,
    LoopSet,
    LoopStart,
    LoopStop,
    LoopUndo,
)
from bridge.daemon.clips import ClipRegistry
from bridge.daemon.loop import LIVE_LAYER, Loop
from bridge.daemon.loop_file import LoopFile, SavedLoops
from bridge.daemon.loop_grid import Grid, Line, LoopPace
from bridge.daemon.loop_keeper import LoopKeeper
from bridge.daemon.loop_players import LivePlayer, LoopPlayer, OutputPlayer
from bridge.daemon.loop_rounds import LAST_QUARTER
from bridge.daemon.loop_state import LoopState
from bridge.daemon.playing import NO_OUTPUT_CHOSEN
from bridge.delivery import KnownClip
from bridge.delivery.playback import Playback
from bridge.errors import BadArgument, NoOutput, NotEnoughBars, UnknownId
from bridge.events import DefaultsChanged, Event, LayerChanged
from bridge.timing import Quantum

SAME_BARS = 1e-3
"""A beat so close before a bar line is on it."""
MOST_ID_CHARACTERS = 48
"""Longest id of a loop: its requests' ids are ids too, of 64 characters at most."""


MOST_LIVE_LOOPS = 32
"""Loops that DAWs play, at most; each takes and renders until it is stopped."""


class Loops:
    """All live loops. For the event loop's thread.

    Attributes:
        clips: has theirs.
        pace: of all loops.
    """

    def __init__(
        self,
        playback: Playback | None,
        clips: ClipRegistry,
        *,
        clock: Callable[[], BeatClock],
        quantum: Quantum,
        bars: Callable[[], int],
        perform: Callable[[Command], None],
        publish: Callable[[Event], None],
        file: LoopFile,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Args:
        playback: plays those that no DAW plays; None: without an output.
        clock: gives the clock that counts at this moment.
        quantum: the grid.
        bars: gives the length of a loop that names none.
        perform: gives the session a command; raises a `BridgeError` where it cannot be done.
        publish: sends an event to every client.
        file: keeps what a later run can go on with.
        now: gives the time, on the clock's scale.
        """
        self._playback, self.clips, self.pace = playback, clips, LoopPace()
        self._output = None if playback is None else OutputPlayer(playback)
        self._clock, self._quantum, self._bars = clock, quantum, bars
        self.perform, self.publish, self.now_seconds = perform, publish, now
        self._loops: dict[str, Loop] = {}
        self._count = 0
        self._to_resume: list[Loop] = []
        self._session = ClipSettings()
        self._gains: dict[int, tuple[float, bool]] = {}
        self._keeper = LoopKeeper(file, publish)

    def has(self, id: str) -> bool:
        """Whether a loop has that id."""
        return id in self._loops

    def handle(self, command: LoopCommand) -> None:
        """Carry out a command.

        Raises:
            UnknownId: no loop has that id.
            BadArgument: the id is too long, no layer is free, or the loop cannot do that.
            NoOutput: it needs an output, and none was chosen.
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
                loop.perform(state.stop(loop.grid(), at_once=now))
            case LoopUndo():
                self._step(loop, state.undo(loop.grid()), "before")
            case LoopRedo():
                self._step(loop, state.redo(loop.grid()), "after")
            case LoopFreeze(_, is_frozen):
                loop.perform(state.freeze(is_frozen, loop.grid()))
            case LoopOverdub():
                self._overdub(loop)
            case LoopClear():
                loop.perform(state.clear())
                # Its layer falls silent only after the loop is gone, so it says so itself.
                loop.silenced()
                del self._loops[command.id]
            case LoopSet():
                loop.adopt(command)
            case LoopPlaying():
                loop.played(command)

    def observe(self, event: Event) -> None:
        """Take in an event of the session; never within the call that publishes it."""
        if isinstance(event, LayerChanged):
            self._gains[event.layer] = (event.gain_db, event.is_muted)
            for loop in self._loops.values():
                loop.layer_changed(event.layer, event.clip)
            return
        if isinstance(event, DefaultsChanged):
            self._session = event.settings
            for loop in self._loops.values():
                loop.defaults_changed(self._bars())
            return
        id = getattr(event, "id", "")
        if isinstance(id, str) and id.startswith(LOOP_PREFIX):
            loop_of = self._loops.get(_loop_id(id))
            if loop_of is not None:
                loop_of.observe(event)

    def poll(self) -> None:
        """Let time pass; call it ten times a second."""
        if self._to_resume and self._can_play():
            for loop in self._to_resume:
                loop.resume()
            self._to_resume = []
        for loop in self._loops.values():
            loop.poll()
        self._keeper.keep(self._saved(), self.now_seconds())

    def resume_from(self, saved: SavedLoops, named: Callable[[str], KnownClip | None]) -> None:
        """Take over the loops of an earlier run; they go on once the clock plays.

        Args:
            named: finds a clip by its name.

        Raises:
            NoOutput: none was chosen.
        """
        if self._playback is None or self._output is None:
            raise NoOutput(NO_OUTPUT_CHOSEN)
        for layer, (gain_db, is_muted) in saved.gains.items():
            self._playback.set_gain(layer - 1, gain_db)
            self._playback.mute(layer - 1, is_muted)
        for each in saved.loops:
            found = {name: named(name) for name in each.clips()}
            clips = {name: clip for name, clip in found.items() if clip is not None}
            loop = self._add(each.settings.id, self._output, each.layer)
            loop.restore(each.without(found.keys() - clips.keys()), clips)
            if gone := sorted(found.keys() - clips.keys()):
                loop.remark(f"clips that it has played are gone: {', '.join(gone)}")
            self._to_resume.append(loop)
            loop.publish()
        self._gains = dict(saved.gains)

    def stop_layer(self, layer: int | None) -> bool:
        """Stop the loops that play, or are to, on a layer; None: all loops.

        Return whether there is one.
        """
        stopped = [
            loop
            for loop in self._loops.values()
            if layer is None or layer in loop.state.heard.keys() | loop.state.entering_layers
        ]
        for loop in stopped:
            loop.perform(loop.state.stop(loop.grid()))
        return bool(stopped)

    def layer_taken(self, layer: int) -> None:
        """Something else is to play on a layer: what a loop has for it does not enter."""
        for loop in self._loops.values():
            if layer in loop.state.entering_layers:
                loop.give_way()

    def silenced(self) -> None:
        """Take in that the output was silenced."""
        for loop in self._loops.values():
            loop.silenced()

    async def close(self) -> None:
        """End all loops."""
        await self._keeper.close(self._saved())
        await asyncio.gather(*(loop.close() for loop in self._loops.values()))

    def grid(self, player: LoopPlayer) -> Grid | None:
        """The clock's grid for a player at this moment; None: the clock does not play."""
        now, clock = self.now_seconds(), self._clock()
        entry, bar_line = player.next_line(now), clock.next_bar_line(now)
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
            is_late_allowed=player.deliver == "output",
        )
        return grid.with_entry(entry.seconds)

    def line_at_beat(self, beat: float) -> Line | None:
        """The line at a beat of the song, from 0; None: the clock does not play."""
        now, clock = self.now_seconds(), self._clock()
        present, tempo_bpm, meter = clock.beat_at(now), clock.tempo_bpm, clock.meter
        if present is None or not (tempo_bpm and meter) or not clock.is_playing(now):
            return None
        bar = floor(beat / float(meter.beats_per_bar) + SAME_BARS) + 1
        return Line(now + (beat - present) * float(60 / tempo_bpm), bar)

    def tempo_bpm(self) -> Fraction | None:
        """The clock's tempo; None: it does not play."""
        clock = self._clock()
        return clock.tempo_bpm if clock.is_playing(self.now_seconds()) else None

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
        return f"{LOOP_PREFIX}{loop}.{self._count}{suffix}"

    def _start(self, command: LoopStart) -> None:
        loop = self._loops.get(command.id)
        if loop is None:
            loop = self._new(command)
        elif command.deliver not in (None, loop.player.deliver):
            raise BadArgument(
                f"deliver {command.deliver}: the loop {command.id!r} has deliver "
                f"{loop.player.deliver}; clear it first"
            )
        elif command.layer not in (None, *loop.state.layers):
            raise BadArgument(
                f"layer {command.layer}: the loop {command.id!r} plays on layer "
                f"{loop.state.layer}; clear it first"
            )
        if isinstance(loop.player, LivePlayer):
            loop.player.called()
        loop.adopt(LoopSet(command.id, command.settings, command.follow, command.quick))
        loop.take()

    def _new(self, command: LoopStart) -> Loop:
        id, layer, is_live = command.id, command.layer, command.deliver == "live"
        if self._output is None and not is_live:
            raise NoOutput(NO_OUTPUT_CHOSEN)
        if len(id) > MOST_ID_CHARACTERS:
            raise BadArgument(f"id {id!r}: a loop's id has {MOST_ID_CHARACTERS} characters at most")
        if self._output is None or is_live:
            if layer is not None:
                raise BadArgument(f"layer {layer}: a loop with deliver live has no layer")
            count = sum(loop.player.deliver == "live" for loop in self._loops.values())
            if count >= MOST_LIVE_LOOPS:
                raise BadArgument(
                    f"{count} loops with deliver live are there, and no more can be: clear one"
                )
            player = LivePlayer(
                self._clock,
                self._quantum,
                changed=lambda: self._loops[id].publish(),
                now=self.now_seconds,
            )
            return self._add(id, player, LIVE_LAYER)
        layer = self._free_layer() if layer is None else layer
        self._check_free(layer)
        return self._add(id, self._output, layer)

    def _add(self, id: str, player: LoopPlayer, layer: int) -> Loop:
        loop = self._loops[id] = Loop(id, self, LoopState(layer, bars=self._bars()), player)
        return loop

    def _overdub(self, loop: Loop) -> None:
        if loop.player.deliver == "live":
            raise BadArgument(
                f"the loop {loop.id!r} has deliver live, and one layer: start another"
            )
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

    def _can_play(self) -> bool:
        """Whether the output and the clock are there."""
        playback, output = self._playback, self._output
        is_ready = playback is not None and playback.is_ready
        return is_ready and output is not None and self.grid(output) is not None

    def _saved(self) -> SavedLoops:
        """What a later run can go on with; what a DAW plays, its device starts again."""
        kept = [loop for loop in self._loops.values() if loop.player.deliver == "output"]
        if not kept:
            return SavedLoops()
        gains = {layer: gain for layer, gain in self._gains.items() if gain != (0.0, False)}
        loops = tuple(loop.saved() for loop in kept)
        return SavedLoops(loops, gains, self._session)


def _loop_id(request: str) -> str:
    return request.removeprefix(LOOP_PREFIX).rpartition(".")[0]
