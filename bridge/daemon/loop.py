"""One live loop at work: it carries out what `LoopState` decides, as any client would.

Its takes and clips are requests of the session, so that presets, seeds, sidecars and the history
hold for them too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.commands import ClipSettings, LoopPlaying, LoopSet, LoopStart
from bridge.daemon.loop_actions import Action, Again, GiveUp, Play, Stop, Take, Vary
from bridge.daemon.loop_file import SavedLoop
from bridge.daemon.loop_grid import Grid
from bridge.daemon.loop_players import SILENT_SECONDS, LivePlayer, LoopPlayer
from bridge.daemon.loop_requests import LoopRequests, Recipe, Role, Round
from bridge.daemon.loop_stage import LoopStage
from bridge.daemon.loop_state import LoopState
from bridge.daemon.loop_tempo import TempoWatch, is_far
from bridge.delivery import KnownClip
from bridge.errors import BadArgument, BridgeError, Cancelled, SilentMelody, UnknownMelody
from bridge.events import CaptureChanged, Done, Event, Failed, LoopChanged, Remark

LIVE_LAYER = 0
"""The layer of a loop that the output does not play."""
NOT_THERE = (
    f"nothing has reported for {SILENT_SECONDS:g} s that it plays the loop: deliver live needs the "
    "Live device, and its own button Loop"
)
_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Loop:
    """One loop. For the event loop's thread.

    Attributes:
        player: plays it.
        settings: of its clips.
        quick: whether a short clip plays until the first whole one is there.
    """

    id: str
    stage: LoopStage
    state: LoopState
    player: LoopPlayer
    settings: ClipSettings = field(default_factory=ClipSettings)
    quick: bool = False

    def __post_init__(self) -> None:
        self._requests = LoopRequests(self.id, self.stage)
        self._clips: dict[str, KnownClip] = {}
        self._recipes: dict[str, Recipe] = {}
        self._tempo = TempoWatch()
        # Counts what is to enter: what is prepared for an earlier command is left out.
        self._turn = 0
        # The last bar line of the melody whose clip is about to enter; None: not measured.
        self._begun_seconds: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._published = LoopChanged(self.id, "off", "none", 0, 0, "")
        self._remarked = ""

    def adopt(self, command: LoopStart | LoopSet) -> None:
        """Take over the settings of a command; they hold from the next clip on."""
        self.settings = command.settings.over(self.settings)
        if command.settings.get("prompt") is not None or command.settings.get("preset") is not None:
            # Both choose the sound: either replaces both.
            self.settings = command.settings.over(self.settings.without("prompt", "preset"))
        self.state.bars = self.settings.get("bars") or self.state.bars
        if command.follow is not None:
            self.state.follows = command.follow
        self.quick = self.quick if command.quick is None else command.quick

    def defaults_changed(self, bars: int) -> None:
        """Take over the length of loops that name none."""
        self.state.bars = self.settings.get("bars") or bars

    def grid(self) -> Grid | None:
        """The clock's grid at this moment; None: nothing can play in time."""
        return self.stage.grid(self.player) if self.player.answers else None

    def take(self) -> None:
        """Take what was just played; if it is waiting for more bars, those that there are."""
        grid, bars = self.grid(), self.stage.played_bars(self.state.bars)
        if self.state.is_waiting_for_bars and grid is not None and bars:
            self.state.bars = bars
            self.settings = ClipSettings(bars=bars).over(self.settings)
        self.perform(self.state.take(grid, bars))

    def overdub(self, layer: int) -> None:
        """Take what was just played for another layer."""
        bars = self.stage.played_bars(self.state.bars)
        self.perform(self.state.overdub(layer, self.grid(), bars))

    def saved(self) -> SavedLoop:
        """What `restore` needs in a later run."""
        state = self.state
        settings = LoopSet(self.id, self.settings, state.follows, self.quick)
        return SavedLoop(
            settings,
            state.first_layer,
            *state.history.saved(),
            is_frozen=state.is_frozen,
            is_running=state.goes_on,
        )

    def restore(self, saved: SavedLoop, clips: Mapping[str, KnownClip]) -> None:
        """Take over the loop of an earlier run.

        Args:
            clips: all that it names, by name.
        """
        self.adopt(saved.settings)
        self._clips = {name: clips[name] for name in saved.clips()}
        self.state.restore(
            saved.arrangements,
            saved.index,
            is_frozen=saved.is_frozen,
            is_running=saved.is_running,
        )

    def resume(self) -> None:
        """Go on where the earlier run was."""
        self.perform(self.state.resume(self.grid()))

    def silenced(self) -> None:
        """Take in that the output was silenced: what is being prepared does not enter."""
        self._turn += 1
        self.player.silenced()
        self.perform(self.state.silenced())

    def poll(self) -> None:
        """Let time pass."""
        if not self.player.answers and self.state.is_on:
            self.remark(NOT_THERE)
            if self.state.is_entering:
                self._turn += 1
                self.player.keep(self.state.layer)
                self.state.not_prepared(None)
        self.perform(self.state.poll(self.grid()))
        self._follow_tempo()

    def perform(self, actions: Sequence[Action]) -> None:
        """Carry out what the state has decided, and publish the state."""
        for action in actions:
            match action:
                case Take() | Vary() | Again():
                    self._begin(action)
                case GiveUp(number):
                    self._requests.give_up(number)
                case Play():
                    self._play(action)
                case Stop(layers, at_once):
                    self._turn += 1
                    for layer in layers:
                        if self.player.stop(layer, at_once=at_once):
                            self.state.layer_changed(layer, None, None)
        self._forget_clips()
        self.publish()

    def observe(self, event: Event) -> None:
        """Take in what became of its requests."""
        match event:
            case CaptureChanged(id, "done"):
                if found := self._requests.find(id):
                    self._requests.melody = id
                    self._predict(*found)
            case Done(id):
                if found := self._requests.find(id):
                    number, round_ = found
                    role = round_.roles.pop(id)
                    if role != "take":
                        self._start(self._enter(number, id, role))
            case Failed(id):
                if found := self._requests.find(id):
                    del found[1].roles[id]
                    self._fail(found[0], event)
        self.publish()

    def layer_changed(self, layer: int, clip: str) -> None:
        """Take in what a layer of the output plays."""
        if layer in self.state.layers:
            known = clip if clip in self._clips else None
            self.state.layer_changed(layer, known, self.grid())
            self._forget_clips()
            self.publish()

    def played(self, report: LoopPlaying) -> None:
        """Take in what a DAW plays of it.

        Raises:
            BadArgument: no DAW plays it.
        """
        player = self.player
        if not isinstance(player, LivePlayer):
            raise BadArgument(
                f"the loop {self.id!r} plays on the output: start it with deliver live"
            )
        at_beat = report.at_beat
        line = self.stage.line_at_beat(at_beat) if at_beat >= 0 else None
        player.reported(report.clip, report.next, line)
        if player.next is not None and line is not None:
            self.state.moved(line)
        is_known = report.clip in self._clips
        self.state.layer_changed(LIVE_LAYER, report.clip, self.grid(), is_known=is_known)
        self._forget_clips()
        self.publish()

    def publish(self) -> None:
        """Publish its state, if that has changed."""
        state, next = self.state, self.player.next
        bar = 0 if state.line is None else state.line.bar
        changed = LoopChanged(
            self.id,
            state.sounding,
            state.coming,
            state.layer,
            bar,
            state.clip,
            state.is_on,
            self.player.deliver,
        )
        if next is not None:
            changed = replace(
                changed,
                next=next.path.stem,
                next_path=next.path.as_posix(),
                next_bars=next.bars,
                next_numerator=next.meter.numerator,
                next_denominator=next.meter.denominator,
            )
        if changed != self._published:
            self._published = changed
            self.stage.publish(changed)

    def remark(self, text: str) -> None:
        """Publish a remark, unless it is the last one again."""
        if text != self._remarked:
            self._remarked = text
            self.stage.publish(Remark(self.id, text))

    async def close(self) -> None:
        """End its tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, action: Take | Vary | Again) -> None:
        """Send the requests of a round."""
        number, state, requests = action.number, self.state, self._requests
        try:
            match action:
                case Take():
                    is_quick = self.quick and not state.heard
                    requests.take(
                        number,
                        self.settings,
                        bars=state.bars,
                        is_quick=is_quick,
                        begun_seconds=self._line_seconds(),
                    )
                case Vary():
                    self._predict(number, requests.vary(number, self.settings, bars=state.bars))
                case Again(_, layer):
                    name = state.heard[layer]
                    round_ = requests.again(number, self._clips[name], self._recipes[name])
                    self._predict(number, round_)
        except BridgeError as error:
            self._fail(number, Failed.of(self.id, error))

    def _follow_tempo(self) -> None:
        """Make a clip again that was made at a tempo too far from the clock's."""
        tempo_bpm = self.stage.tempo_bpm()
        heard = {
            layer: self._clips[name]
            for layer, name in self.state.heard.items()
            if name in self._recipes
        }
        layer = self._tempo.far_layer(heard, tempo_bpm, self.stage.now_seconds())
        if layer is None or tempo_bpm is None:
            return
        if actions := self.state.again(layer, self.grid()):
            clip = heard[layer]
            self._tempo.made_for(clip.path.stem, tempo_bpm)
            self.remark(
                f"the tempo is {float(tempo_bpm):g} bpm now: what was made at "
                f"{float(clip.tempo_bpm):g} plays stretched, and is made again"
            )
            self.perform(actions)

    def _predict(self, number: int, round_: Round) -> None:
        """Predict when the clip of a round can enter, whose melody is there."""
        seconds = self.stage.pace.predicted(self._clip_seconds())
        if seconds is not None:
            seconds -= self.stage.now_seconds() - round_.begun_seconds
        self.state.captured(number, self.grid(), seconds)

    def _line_seconds(self) -> float:
        """The bar line that a take ends on; this moment without one."""
        grid = self.grid()
        if grid is None:
            return self.stage.now_seconds()
        line = self.state.line
        return grid.next_bar.seconds - (0.0 if line is not None else grid.bar_seconds)

    def _fail(self, number: int, event: Failed) -> None:
        self._requests.give_up(number)
        if event.code == UnknownMelody.code:
            self.state.forget_melody()
        self.state.failed(number, self.grid())
        if event.code == SilentMelody.code:
            self.remark(f"nothing with a pitch was played: {self._goes_on()}")
        else:
            self.remark(f"{event.message}; {self._goes_on()}")

    def _goes_on(self) -> str:
        return "the loop goes on as it is" if self.state.heard else "the loop has no clip yet"

    async def _enter(self, number: int, id: str, role: Role) -> None:
        """Let a clip that is complete enter."""
        round_ = self._requests.round(number)
        clip = await self.stage.clips.find(id, 0)
        if round_ is None or self._requests.round(number) is not round_:
            return
        is_whole, name = role != "quick", clip.path.stem
        if is_whole:
            self._requests.end(number)
            self._begun_seconds = round_.begun_seconds
        self._clips[name], self._recipes[name] = clip, Recipe(round_.melody, round_.settings)
        if role == "again" or is_far(clip.tempo_bpm, round_.tempo_bpm):
            # It has another tempo than the clock had: the settings want that.
            self._tempo.made_for(name, self.stage.tempo_bpm())
        self._remarked = ""
        self.perform(self.state.rendered(number, name, self.grid(), is_whole=is_whole))

    def _play(self, action: Play) -> None:
        """Let clips enter together."""
        self._turn += 1
        for layer in action.keep:
            self.player.keep(layer)
        known = {
            layer: None if name is None else self._clips[name]
            for layer, name in action.clips.items()
        }
        if known:
            self._start(self._change(self._turn, known, action))

    async def _change(self, turn: int, known: Mapping[int, KnownClip | None], action: Play) -> None:
        """Give clips to what plays them, unless another command comes meanwhile."""
        stage, begun_seconds = self.stage, self._begun_seconds
        self._begun_seconds = None
        try:
            seconds = await self.player.enter(known, action, lambda: turn == self._turn)
        except Cancelled:
            # Something else is to play on a layer of it.
            if turn == self._turn:
                self.give_way()
            return
        except BridgeError as error:
            if turn == self._turn:
                self.remark(f"{error}; {self._goes_on()}")
                self.state.not_prepared(self.grid())
                self.publish()
            return
        if begun_seconds is not None:
            stage.pace.add(self._clip_seconds(), max(0.0, stage.now_seconds() - begun_seconds))
        if turn == self._turn:
            self.state.prepared(self.grid(), seconds)
            self.publish()

    def give_way(self) -> None:
        """What was to enter does not: what plays goes on."""
        self._turn += 1
        self.state.not_prepared(self.grid())
        self.publish()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _logged(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except BridgeError as error:
            self.remark(f"{error}; {self._goes_on()}")
        except Exception:
            _log.exception("loop %s", self.id)

    def _clip_seconds(self) -> float:
        """About how long its clips are."""
        grid = self.grid()
        return self.state.bars * (2.0 if grid is None else grid.bar_seconds)

    def _forget_clips(self) -> None:
        """Forget the clips that can no longer be played."""
        kept = self.state.clips
        self._clips = {name: self._clips[name] for name in self._clips if name in kept}
        self._recipes = {name: self._recipes[name] for name in self._recipes if name in kept}
        self._tempo.forget_all_but(kept)
