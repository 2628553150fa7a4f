"""One live loop at work: it carries out what `LoopState` decides, as any client would.

Its takes and clips are requests of the session, so that presets, seeds, sidecars and the history
hold for them too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from bridge.commands import (
    RANDOM_SEED,
    Cancel,
    CaptureChanged,
    CaptureLast,
    ClipSettings,
    Command,
    Done,
    Event,
    Failed,
    Generate,
    LoopChanged,
    LoopSet,
    LoopStart,
    Remark,
)
from bridge.daemon.clips import ClipRegistry
from bridge.daemon.loop_actions import Action, GiveUp, Play, Stop, Take, Vary
from bridge.daemon.loop_grid import Grid, LoopPace
from bridge.daemon.loop_state import LoopState
from bridge.delivery import KnownClip
from bridge.delivery.playable import read_clip
from bridge.delivery.playback import Playback
from bridge.errors import BridgeError, Cancelled, SilentMelody

QUICK_BARS = 1
"""Length of the short clip that plays until the first whole one is there."""

_Role = Literal["take", "quick", "whole"]
_log = logging.getLogger(__name__)


class LoopStage(Protocol):
    """What a loop needs of the daemon.

    Attributes:
        playback: plays its clips.
        clips: has them.
        pace: of all loops.
    """

    playback: Playback
    clips: ClipRegistry
    pace: LoopPace

    def grid(self) -> Grid | None:
        """The clock's grid at this moment; None: it does not play."""

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


@dataclass
class _Requests:
    """The requests of one round.

    Attributes:
        roles: of the requests that have not ended, by id.
        take: the id of the melody that they follow.
        begun_seconds: the round's last bar line.
    """

    roles: dict[str, _Role]
    take: str
    begun_seconds: float


@dataclass(eq=False)
class Loop:
    """One loop. For the event loop's thread.

    Attributes:
        settings: of its clips.
        quick: whether a short clip plays until the first whole one is there.
    """

    id: str
    stage: LoopStage
    state: LoopState
    settings: ClipSettings = field(default_factory=ClipSettings)
    quick: bool = False

    def __post_init__(self) -> None:
        self._rounds: dict[int, _Requests] = {}
        self._melody = ""
        self._clips: dict[str, KnownClip] = {}
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

    def take(self) -> None:
        """Take what was just played; if it is waiting for more bars, those that there are."""
        grid, bars = self.stage.grid(), self.stage.played_bars(self.state.bars)
        if self.state.is_waiting_for_bars and grid is not None and bars:
            self.state.bars = bars
            self.settings = ClipSettings(bars=bars).over(self.settings)
        self.perform(self.state.take(grid, bars))

    def overdub(self, layer: int) -> None:
        """Take what was just played for another layer."""
        bars = self.stage.played_bars(self.state.bars)
        self.perform(self.state.overdub(layer, self.stage.grid(), bars))

    def resume(self, clip: KnownClip) -> None:
        """Play a clip of an earlier run."""
        self._clips[clip.path.stem] = clip
        self.perform(self.state.resume(clip.path.stem, self.stage.grid()))

    def silenced(self) -> None:
        """Take in that the output was silenced: what is being prepared does not enter."""
        self._turn += 1
        self.perform(self.state.silenced())

    def poll(self) -> None:
        """Let time pass."""
        self.perform(self.state.poll(self.stage.grid()))

    def perform(self, actions: Sequence[Action]) -> None:
        """Carry out what the state has decided, and publish the state."""
        for action in actions:
            match action:
                case Take() | Vary():
                    self._begin(action)
                case GiveUp(number):
                    self._give_up(number)
                case Play():
                    self._play(action)
                case Stop(layers, at_once):
                    self._turn += 1
                    for layer in layers:
                        self.stage.playback.stop(layer - 1, at_once=at_once)
        self._forget_clips()
        self.publish()

    def observe(self, event: Event) -> None:
        """Take in what became of its requests."""
        match event:
            case CaptureChanged(id, "done"):
                if found := self._round_of(id):
                    self._captured(*found)
            case Done(id):
                if found := self._round_of(id):
                    number, requests = found
                    role = requests.roles.pop(id)
                    if role != "take":
                        self._start(self._enter(number, id, is_whole=role == "whole"))
            case Failed(id):
                if found := self._round_of(id):
                    del found[1].roles[id]
                    self._fail(found[0], event)
        self.publish()

    def layer_changed(self, layer: int, clip: str) -> None:
        """Take in what a layer of the output plays."""
        if layer in self.state.layers:
            known = clip if clip in self._clips else None
            self.state.layer_changed(layer, known, self.stage.grid())
            self._forget_clips()
            self.publish()

    def publish(self) -> None:
        """Publish its state, if that has changed."""
        state = self.state
        bar = 0 if state.line is None else state.line.bar
        changed = LoopChanged(self.id, state.sounding, state.coming, state.layer, bar, state.clip)
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

    def _begin(self, action: Take | Vary) -> None:
        """Send the requests of a round."""
        stage, is_take = self.stage, isinstance(action, Take)
        take = stage.new_id(self.id) if is_take else self._melody
        commands: list[Command] = []
        roles: dict[str, _Role] = {}
        settings = self.settings
        if is_take:
            commands.append(CaptureLast(take, self.state.bars))
            roles[take] = "take"
        else:
            settings = ClipSettings(seed=RANDOM_SEED).over(settings)
        bars = self.state.bars
        if is_take and self.quick and not self.state.heard and bars > QUICK_BARS:
            quick = stage.new_id(self.id, "quick")
            commands.append(Generate(quick, ClipSettings(bars=QUICK_BARS).over(settings), take))
            roles[quick] = "quick"
        whole = stage.new_id(self.id)
        commands.append(Generate(whole, ClipSettings(bars=bars).over(settings), take))
        roles[whole] = "whole"
        self._rounds[action.number] = _Requests(roles, take, self._line_seconds(is_take))
        for command in commands:
            try:
                stage.perform(command)
            except BridgeError as error:
                self._fail(action.number, Failed.of(whole, error))
                return
        if not is_take:
            self._captured(action.number, self._rounds[action.number])

    def _captured(self, number: int, requests: _Requests) -> None:
        """The melody of a round is there: predict when its clip can enter."""
        self._melody = requests.take
        seconds = self.stage.pace.predicted(self._clip_seconds())
        if seconds is not None:
            seconds -= self.stage.now_seconds() - requests.begun_seconds
        self.state.captured(number, self.stage.grid(), seconds)

    def _line_seconds(self, is_take: bool) -> float:
        """The bar line that a round's melody ends on; this moment without one."""
        grid = self.stage.grid()
        if grid is None or not is_take:
            return self.stage.now_seconds()
        line = self.state.line
        return grid.next_bar.seconds - (0.0 if line is not None else grid.bar_seconds)

    def _give_up(self, number: int) -> None:
        """Cancel what is left of a round."""
        requests = self._rounds.pop(number, None)
        for id in requests.roles if requests else ():
            try:
                self.stage.perform(Cancel(id))
            except BridgeError as error:
                _log.debug("%s: %s", id, error)

    def _fail(self, number: int, event: Failed) -> None:
        self._give_up(number)
        self.state.failed(number, self.stage.grid())
        if event.code == SilentMelody.code:
            self.remark(f"nothing with a pitch was played: {self._goes_on()}")
        else:
            self.remark(f"{event.message}; {self._goes_on()}")

    def _goes_on(self) -> str:
        return "the loop goes on as it is" if self.state.heard else "the loop has no clip yet"

    async def _enter(self, number: int, id: str, *, is_whole: bool) -> None:
        """Let a clip that is complete enter."""
        requests = self._rounds.get(number)
        clip = await self.stage.clips.find(id, 0)
        if requests is None or self._rounds.get(number) is not requests:
            return
        if is_whole:
            del self._rounds[number]
            self._begun_seconds = requests.begun_seconds
        name = clip.path.stem
        self._clips[name] = clip
        self._remarked = ""
        self.perform(self.state.rendered(number, name, self.stage.grid(), is_whole=is_whole))

    def _play(self, action: Play) -> None:
        """Let clips enter together."""
        self._turn += 1
        for layer in action.keep:
            self.stage.playback.keep(layer - 1)
        known = {
            layer - 1: None if name is None else self._clips[name]
            for layer, name in action.clips.items()
        }
        if known:
            self._start(self._change(self._turn, known, action))

    async def _change(self, turn: int, known: Mapping[int, KnownClip | None], action: Play) -> None:
        """Read clips, and give them to the output, unless another command comes meanwhile."""
        stage, begun_seconds = self.stage, self._begun_seconds
        self._begun_seconds = None
        try:
            clips = {
                layer: None if clip is None else await asyncio.to_thread(read_clip, clip)
                for layer, clip in known.items()
            }
            if turn != self._turn:
                return
            await stage.playback.change(
                clips, line_seconds=action.line_seconds, at_bar=action.at_bar
            )
        except Cancelled:
            return
        except BridgeError as error:
            if turn == self._turn:
                self.remark(f"{error}; {self._goes_on()}")
                self.state.not_prepared(stage.grid())
                self.publish()
            return
        if begun_seconds is not None:
            stage.pace.add(self._clip_seconds(), max(0.0, stage.now_seconds() - begun_seconds))
        if turn == self._turn:
            self.state.prepared(stage.grid())
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

    def _round_of(self, id: str) -> tuple[int, _Requests] | None:
        for number, requests in self._rounds.items():
            if id in requests.roles:
                return number, requests
        return None

    def _clip_seconds(self) -> float:
        """About how long its clips are."""
        grid = self.stage.grid()
        return self.state.bars * (2.0 if grid is None else grid.bar_seconds)

    def _forget_clips(self) -> None:
        """Forget the clips that can no longer be played."""
        kept = self.state.clips
        self._clips = {name: self._clips[name] for name in self._clips if name in kept}
