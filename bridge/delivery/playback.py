"""Plays clips in time with the clock: it starts, stops and swaps them on the grid.

The output counts frames and knows no beat; the clock knows beats and no frame. `poll` brings the
two together a moment before each line of the grid, so that a decision is as good as the clock's
newest estimate. What sounds needs no further command: when the event loop is late, it goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from bridge.clock.beat_clock import BeatClock
from bridge.clock.quantum import GridLine, next_line
from bridge.commands import LAYERS
from bridge.delivery.clip_stream import ClipStream
from bridge.delivery.playable import PlayableClip, Stretch, at_tempo, for_output
from bridge.delivery.played_layer import BarLine, LoadedClip, PlayedLayer
from bridge.errors import BridgeError, Cancelled, NoOutput
from bridge.events import LayerChanged, LayerState
from bridge.soundcard.clip_memory import ClipMemory
from bridge.soundcard.mixer import Silence
from bridge.soundcard.output_report import OutputStatus
from bridge.soundcard.player import Player
from bridge.timing import ONE_BAR, Quantum

AHEAD_SECONDS = 0.35
"""Commands for a line of the grid are given this long before it; `poll` comes each 0.1 s."""
SOONEST_SECONDS = 0.04
"""A line that is closer than this comes too early for a command to reach the output."""
SAME_TEMPO = Fraction(2, 1000)
"""A tempo that differs by less needs no stretching: a new anchor on each bar line is enough."""
LATEST_SECONDS = 0.5
"""What is ready so long after the line that it belongs to still enters, in time, in mid-bar."""
FAR_TEMPO = Fraction(8, 100)
"""A clip that is stretched by more sounds stretched: a person should know."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClipStarted:
    """A clip that the output has started, alone or in place of another.

    Attributes:
        layer: from 1.
        clip: its name.
        frame: of the output, at which it started: a cross-fade to it ends there.
        position: the clip's own frame there, at the tempo and rate at which it is played.
    """

    layer: int
    clip: str
    frame: int
    position: int


class Playback:
    """The layers of one output, counted from 0. For the event loop's thread."""

    def __init__(
        self,
        player: Player,
        clock: Callable[[], BeatClock],
        *,
        quantum: Quantum,
        latency_seconds: float | None,
        stretch: Stretch,
        publish: Callable[[LayerChanged], None],
        remark: Callable[[str], None],
        on_start: Callable[[ClipStarted], None] = lambda started: None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Args:
        clock: gives the clock that counts at this moment.
        quantum: the grid.
        latency_seconds: from handing a frame over until it is heard; None: as the driver says.
        publish: called whenever a layer's state changes.
        remark: called with what a person should know.
        on_start: called when the output has started a clip.
        now: gives the time, on the clock's scale.
        """
        self._player, self._clock, self._now = player, clock, now
        self._quantum, self._latency_seconds = quantum, latency_seconds
        self._stretch, self._publish, self._remark = stretch, publish, remark
        self._on_start = on_start
        self._layers = tuple(PlayedLayer(number, player.send) for number in range(LAYERS))
        self._published = [_state(number, layer) for number, layer in enumerate(self._layers)]
        # What each layer is to play, also when the output has been away.
        self._wanted: list[PlayableClip | None] = [None] * LAYERS
        # Counts the commands for each layer: what is prepared for an earlier one is not played.
        self._turns = [0] * LAYERS
        self._tasks: dict[int, asyncio.Task[None]] = {}
        # What could not be prepared for each layer: it is not tried again and again.
        self._failed: dict[int, tuple[PlayableClip, Fraction]] = {}

    async def play(self, clip: PlayableClip, layer: int = 0) -> None:
        """Start a clip on the next line of the grid; at once while the clock does not play.

        It replaces what the layer plays and what was to come. Returns once the clip is prepared.

        Raises:
            NoOutput: no output is ready, or memory has no room for the clip.
            BadArgument: the clip is too long.
            Cancelled: another command for the layer came before the clip was prepared.
        """
        await self.change({layer: clip})

    async def change(
        self,
        clips: Mapping[int, PlayableClip | None],
        *,
        line_seconds: float | None = None,
        at_bar: bool = False,
    ) -> float | None:
        """Start clips and stop layers together on the next line of the grid, as `play` does.

        Args:
            clips: by layer; None: the layer stops.
            line_seconds: a line that has just passed: if all is prepared soon after it, the clips
                enter at once, as far as if they had started on it.
            at_bar: a bar line, whatever the grid.

        Returns:
            The line, where its commands are given already; None: the next line that is near enough
            will be it.

        Raises:
            NoOutput, BadArgument, Cancelled: as in `play`; then nothing changes.
        """
        for number in clips:
            self._turns[number] += 1
        turns = {number: self._turns[number] for number in clips}
        loaded: dict[int, LoadedClip] = {}
        try:
            for number, clip in clips.items():
                if clip is not None:
                    loaded[number] = await self._prepared(number, clip, self._tempo_for(clip))
            if any(self._turns[number] != turn for number, turn in turns.items()):
                raise Cancelled("another command for one of the layers came meanwhile")
        except BridgeError:
            self._free(*loaded.values())
            raise
        for number, clip in clips.items():
            self._wanted[number] = clip
            layer = self._layers[number]
            if number in loaded:
                self._free(layer.expect(replace(loaded[number], at_bar=at_bar)))
            else:
                self._free(layer.stop())
        line = None if line_seconds is None else self._passed_line(line_seconds)
        for number in clips:
            if line is not None and self._layers[number].is_waiting:
                self._layers[number].begin_at(line)
        self.poll(self._now())
        given = [self._layers[number].line_seconds for number in clips]
        return max((each for each in given if each is not None), default=None)

    def keep(self, layer: int) -> None:
        """Go on with what a layer plays; forget what was to come, unless it is about to start."""
        self._turns[layer] += 1
        self._free(self._layers[layer].keep())
        kept = self._layers[layer].coming or self._layers[layer].sounding
        self._wanted[layer] = None if kept is None else kept.clip
        self._publish_changes()

    def stream(self, clip: PlayableClip, layer: int = 0) -> ClipStream:
        """Make room for a clip whose samples come in pieces; it starts when the stream is started.

        It plays at its own tempo until all of it is there.

        Args:
            clip: with an empty waveform of the pieces' rate and channels.

        Raises:
            NoOutput, BadArgument: as in `play`.
        """
        player = self._player
        memory = player.new_clip(clip.frames_at(clip.tempo_bpm, player.sample_rate))
        player.load(memory)
        self._forget(layer)
        turn, loaded = self._turns[layer], LoadedClip(clip, memory, clip.tempo_bpm)

        def start() -> None:
            if turn == self._turns[layer]:
                self._free(self._layers[layer].expect(loaded))
                self.poll(self._now())

        def end(whole: PlayableClip) -> None:
            if turn == self._turns[layer]:
                self._wanted[layer] = whole
                self._layers[layer].replace(loaded, replace(loaded, clip=whole))
            else:
                self._free(loaded)

        return ClipStream(clip, memory, player.sample_rate, start=start, end=end)

    def stop(self, layer: int | None = None, *, at_once: bool = False) -> None:
        """Stop a layer on the next line of the grid, or at once, in a fade; None: all layers."""
        for number in range(LAYERS) if layer is None else [layer]:
            self._forget(number)
            self._free(self._layers[number].stop())
            if at_once and self._layers[number].is_waiting:
                self._layers[number].begin_at_once()
        self.poll(self._now())

    def panic(self) -> None:
        """Silence everything now."""
        self._player.send(Silence())
        for number, layer in enumerate(self._layers):
            self._forget(number)
            self._free(*layer.clear())
        self._publish_changes()

    def set_gain(self, layer: int, gain_db: float) -> None:
        """Change a layer's gain, within 20 ms."""
        self._layers[layer].set_gain(gain_db=gain_db)
        self._publish_changes()

    def mute(self, layer: int, is_muted: bool) -> None:
        """Mute or unmute a layer, within 20 ms; it goes on silently."""
        self._layers[layer].set_gain(is_muted=is_muted)
        self._publish_changes()

    def output_changed(self) -> None:
        """Take in that the output has come or gone; what played starts again when it is back."""
        self._failed.clear()
        for number, layer in enumerate(self._layers):
            layer.clear()
            if self._player.state == "ready":
                layer.send_gain()
                clip = self._wanted[number]
                if clip is not None:
                    self._begin(number, clip, self._tempo_for(clip))
        self._publish_changes()

    def poll(self, now_seconds: float) -> None:
        """Give the commands for lines of the grid that are near; call it ten times a second."""
        status, clock = self._player.status, self._clock()
        if status is not None:
            grid_line = self._near_line(status, clock, self._quantum, now_seconds)
            bar_line = self._near_line(status, clock, ONE_BAR, now_seconds)
            for number, layer in enumerate(self._layers):
                self._observe(number, layer, status)
                line = bar_line if layer.coming and layer.coming.is_for_bar_line else grid_line
                if layer.is_waiting and not clock.is_playing(now_seconds):
                    layer.begin_at_once()
                elif layer.is_waiting and line is not None:
                    layer.begin_at(line)
                elif bar_line is not None:
                    layer.anchor_at(bar_line, self._player.sample_rate)
                self._follow_tempo(number, layer)
        self._publish_changes()

    @property
    def latency_seconds(self) -> float:
        """From handing a frame over until it is heard."""
        if self._latency_seconds is None:
            return self._player.latency_seconds
        return self._latency_seconds

    @property
    def is_ready(self) -> bool:
        """Whether there is an output now."""
        return self._player.state == "ready"

    def next_line(self, now_seconds: float) -> GridLine | None:
        """The next line of the grid that a clip which is prepared can start on."""
        return next_line(
            self._clock(), now_seconds + self.latency_seconds + SOONEST_SECONDS, self._quantum
        )

    async def close(self) -> None:
        """Stop preparing clips."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _observe(self, number: int, layer: PlayedLayer, status: OutputStatus) -> None:
        before = layer.sounding
        self._free(*layer.observe(status.layers[number]))
        if layer.sounding is not None and layer.sounding is not before:
            frame, position = layer.started
            self._on_start(ClipStarted(number + 1, layer.sounding.clip.name, frame, position))

    def _near_line(
        self, status: OutputStatus, clock: BeatClock, quantum: Quantum, now_seconds: float
    ) -> BarLine | None:
        """The next line of a grid, if it is time to give the commands for it."""
        latency_seconds = self.latency_seconds
        line = next_line(clock, now_seconds + latency_seconds + SOONEST_SECONDS, quantum)
        if line is None or line.seconds - latency_seconds > now_seconds + AHEAD_SECONDS:
            return None
        frame = status.frame_at(line.seconds - latency_seconds)
        return BarLine(frame, line.seconds, line.beats_into_bar, clock.meter)

    def _passed_line(self, seconds: float) -> BarLine | None:
        """The line of the grid at an instant; None: it passed too long ago."""
        status, clock = self._player.status, self._clock()
        if status is None or self._now() > seconds + LATEST_SECONDS:
            return None
        line = next_line(clock, seconds - SOONEST_SECONDS, self._quantum)
        if line is None or line.seconds > seconds + SOONEST_SECONDS:
            return None
        frame = status.frame_at(line.seconds - self.latency_seconds)
        return BarLine(frame, line.seconds, line.beats_into_bar, clock.meter)

    def _tempo_for(self, clip: PlayableClip) -> Fraction:
        """The tempo at which a clip is to be played now."""
        clock = self._clock()
        tempo_bpm = clock.tempo_bpm
        if tempo_bpm is None or not clock.is_playing(self._now()):
            return clip.tempo_bpm
        return clip.tempo_bpm if _is_same(clip.tempo_bpm, tempo_bpm) else tempo_bpm

    def _follow_tempo(self, number: int, layer: PlayedLayer) -> None:
        """Stretch what plays, or is to, if the clock has another tempo by now."""
        newest = layer.coming or layer.sounding
        if newest is None or newest.clip is not self._wanted[number] or number in self._tasks:
            return
        if layer.coming is not None and not layer.is_waiting:
            # It starts in a moment, and is stretched once it plays.
            return
        tempo_bpm = self._tempo_for(newest.clip)
        failed_clip, failed_bpm = self._failed.get(number, (None, tempo_bpm))
        if newest.clip is failed_clip and _is_same(failed_bpm, tempo_bpm):
            return
        if self._clock().is_playing(self._now()) and not _is_same(newest.tempo_bpm, tempo_bpm):
            follows = newest is layer.sounding or newest.follows
            self._begin(number, newest.clip, tempo_bpm, follows=follows)

    async def _load(
        self, number: int, clip: PlayableClip, tempo_bpm: Fraction, *, follows: bool = False
    ) -> None:
        """Prepare a clip, and let it be the layer's next.

        Raises:
            NoOutput, BadArgument, Cancelled: as in `play`.
        """
        loaded = await self._prepared(number, clip, tempo_bpm, follows=follows)
        self._free(self._layers[number].expect(loaded))
        self.poll(self._now())

    async def _prepared(
        self, number: int, clip: PlayableClip, tempo_bpm: Fraction, *, follows: bool = False
    ) -> LoadedClip:
        """Prepare a clip for a layer.

        Raises:
            NoOutput, BadArgument, Cancelled: as in `play`.
        """
        player, turn = self._player, self._turns[number]
        form = (player.sample_rate, player.channels)

        def make() -> ClipMemory:
            memory = player.new_clip(clip.frames_at(tempo_bpm, form[0]))
            samples = for_output(
                waveform, frames=memory.frames, sample_rate=form[0], channels=form[1]
            )
            memory.append(samples)
            return memory

        if player.state != "ready":
            raise NoOutput(f"nothing plays: {player.detail}")
        waveform = await at_tempo(clip, tempo_bpm, self._stretch)
        memory = await asyncio.to_thread(make)
        if turn != self._turns[number] or (follows and clip is not self._wanted[number]):
            memory.unlink()
            raise Cancelled(f"{clip.name}: another command for layer {number + 1} came meanwhile")
        if player.state != "ready" or form != (player.sample_rate, player.channels):
            memory.unlink()
            raise NoOutput(f"{clip.name}: the output changed while it was prepared")
        player.load(memory)
        self._remark_if_far(clip, tempo_bpm)
        return LoadedClip(clip, memory, tempo_bpm, follows)

    def _remark_if_far(self, clip: PlayableClip, tempo_bpm: Fraction) -> None:
        ratio = tempo_bpm / clip.tempo_bpm
        if abs(ratio - 1) > FAR_TEMPO:
            self._remark(
                f"{clip.name} was made at {float(clip.tempo_bpm):g} bpm and is stretched to "
                f"{float(tempo_bpm):g}: one made at this tempo sounds better"
            )

    def _begin(
        self, number: int, clip: PlayableClip, tempo_bpm: Fraction, *, follows: bool = False
    ) -> None:
        """Prepare a clip that nobody waits for."""

        async def prepare() -> None:
            try:
                await self._load(number, clip, tempo_bpm, follows=follows)
                self._failed.pop(number, None)
            except Cancelled:
                pass
            except BridgeError as error:
                self._failed[number] = clip, tempo_bpm
                self._remark(str(error))
            except Exception:
                self._failed[number] = clip, tempo_bpm
                _log.exception("layer %d: a clip could not be prepared", number + 1)
            finally:
                del self._tasks[number]

        if number not in self._tasks:
            self._tasks[number] = asyncio.create_task(prepare())

    def _forget(self, number: int) -> None:
        """No longer want what the layer was to play."""
        self._turns[number] += 1
        self._wanted[number] = None

    def _free(self, *clips: LoadedClip | None) -> None:
        for clip in clips:
            if clip is not None:
                self._player.drop(clip.memory)

    def _publish_changes(self) -> None:
        for number, layer in enumerate(self._layers):
            state = _state(number, layer)
            if state != self._published[number]:
                self._published[number] = state
                self._publish(state)


def _is_same(one_bpm: Fraction, other_bpm: Fraction) -> bool:
    return abs(one_bpm / other_bpm - 1) < SAME_TEMPO


def _state(number: int, layer: PlayedLayer) -> LayerChanged:
    state: LayerState = "off"
    if layer.sounding is not None:
        state = "stopping" if layer.is_stopping else "playing"
    return LayerChanged(
        number + 1,
        state,
        "" if layer.sounding is None else layer.sounding.clip.name,
        "" if layer.coming is None else layer.coming.clip.name,
        layer.gain_db,
        layer.is_muted,
    )
