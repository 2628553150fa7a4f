"""The session: it handles every command, and starts the tasks of those that take time.

Everything runs in the event loop and never blocks it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bridge.clock.clocks import Clocks
from bridge.clock.session_time import SessionTime
from bridge.clock.tap import TapTempo
from bridge.commands import (
    LOOP_PREFIX,
    Cancel,
    CaptureFile,
    CaptureLast,
    CaptureNotes,
    CaptureStart,
    CaptureStop,
    ClipSettings,
    Command,
    Discard,
    Generate,
    HaltClock,
    Hotkey,
    HotkeyAction,
    Keep,
    ListClips,
    ListNotes,
    ListPresets,
    LoopCommand,
    LoopSet,
    LoopStart,
    MuteLayer,
    Panic,
    Play,
    ResetDefaults,
    Restore,
    SelectClock,
    SetDefaults,
    SetLayerGain,
    SetMetronome,
    StartClock,
    StopPlaying,
    Tap,
    Transport,
    UnsetDefaults,
)
from bridge.config import RunOptions, presets
from bridge.daemon.captures import CaptureRegistry
from bridge.daemon.clips import Change, ClipRegistry
from bridge.daemon.defaults import SessionDefaults
from bridge.daemon.heard_notes import HeardNotes
from bridge.daemon.loop_file import LoopFile
from bridge.daemon.loops import Loops
from bridge.daemon.playing import Playing
from bridge.daemon.renders import TIME, Renders
from bridge.daemon.request_tasks import RequestTasks
from bridge.daemon.requests import RequestRegistry
from bridge.daemon.snapshot import GENERATE
from bridge.delivery import History
from bridge.delivery.metronome import Metronome
from bridge.delivery.playback import Playback
from bridge.engine.process.host import EngineHost
from bridge.errors import (
    BadArgument,
    BridgeError,
    Cancelled,
    UnknownId,
)
from bridge.events import DefaultsChanged, Done, Event, Failed, PresetListed, Remark

NO_ID = "-"
"""The id of an event that answers no request."""
BEGINNINGS = (
    CaptureStart,
    CaptureLast,
    CaptureFile,
    CaptureNotes,
    Generate,
    ListPresets,
    ListClips,
    LoopStart,
)
"""Commands that begin something under an id of the client's."""
STOPPING = "the daemon is being stopped"

Value = TypeVar("Value")

_log = logging.getLogger(__name__)


class Session:
    """The commands of all clients and the tasks that they start. For the event loop's thread.

    Args:
        folder: the clips folder.
        publish: sends an event to every client.
        answer: sends an event to the client whose command is being carried out.
        defaults: the session's own settings.
        history: of the clips folder.
        playback, metronome: None without an output.
        press: does what a hotkey does.
    """

    def __init__(
        self,
        options: RunOptions,
        folder: Path,
        *,
        publish: Callable[[Event], None],
        answer: Callable[[Event], None],
        requests: RequestRegistry,
        defaults: SessionDefaults,
        clocks: Clocks,
        session_time: SessionTime,
        captures: CaptureRegistry,
        engine: EngineHost,
        history: History,
        playback: Playback | None,
        metronome: Metronome | None,
        press: Callable[[HotkeyAction], None],
    ) -> None:
        self._options, self._folder = options, folder
        self._publish, self._answer = publish, answer
        self._requests, self._captures = requests, captures
        self._defaults, self._time, self._clocks = defaults, session_time, clocks
        self._taps = TapTempo()
        self._clips = ClipRegistry(requests, history)
        self._renders = Renders(
            options,
            folder,
            requests=requests,
            defaults=defaults,
            session_time=session_time,
            captures=captures,
            engine=engine,
            clips=self._clips,
        )
        self._press = press
        self._playing = Playing(playback, metronome, self._clips)
        self._loop_file, self._named = LoopFile(folder), history.named
        self._loops = Loops(
            playback,
            self._clips,
            clock=lambda: clocks.current,
            quantum=options.quantum,
            bars=lambda: defaults.bars,
            perform=self._handle,
            publish=publish,
            file=self._loop_file,
        )
        self._tasks = RequestTasks(requests)
        self._heard_notes = HeardNotes(captures, defaults, session_time, publish)
        self._stopping = False
        # What to do with clips once they are made, by the request's id and the index, None for all.
        self._to_change: dict[str, dict[int | None, Discard | Keep]] = {}

    def resume(self) -> None:
        """Go on with the live loops of an earlier run; a remark says what keeps from it."""
        try:
            saved = self._loop_file.read()
            if saved is None:
                self._publish(Remark(NO_ID, f"--resume: {self._folder} has no live loops"))
                return
            self._loops.resume_from(saved, self._named)
            if saved.session.values:
                self._handle(SetDefaults(saved.session))
        except BridgeError as error:
            self._publish(Remark(NO_ID, f"--resume: {error}"))

    def warm_up(self) -> None:
        """Load, in threads, what would delay the first request by seconds."""
        self._renders.warm_up()
        threading.Thread(target=self._defaults.warm_up, name="presets", daemon=True).start()

    def handle(self, command: Command) -> None:
        """Carry out a client's command, or start its task.

        Raises:
            BridgeError: the command cannot be carried out.
        """
        if isinstance(command, BEGINNINGS):
            self._check_id(command.id, is_loop=isinstance(command, LoopStart))
        self._handle(command)

    def poll_loops(self) -> None:
        """Let time pass for the loops; call it ten times a second."""
        self._loops.poll()

    def observe(self, event: Event) -> None:
        """Let the loops know of an event, after the call that publishes it."""
        if not self._stopping:
            asyncio.get_running_loop().call_soon(self._loops.observe, event)

    def _check_id(self, id: str, *, is_loop: bool) -> None:
        """Check that a client may begin something under that id.

        Raises:
            BadArgument: it is a loop's, or that of a loop's request, or of another request.
        """
        if id.startswith(LOOP_PREFIX):
            raise BadArgument(f"id {id!r}: ids that begin with {LOOP_PREFIX!r} are the loops' own")
        kind = self._requests.kind(id)
        if is_loop and kind is not None:
            raise BadArgument(f"id {id!r} is taken by a {kind}: use another for a loop")
        if not is_loop and self._loops.has(id):
            raise BadArgument(f"id {id!r} is taken by a loop: use another")

    def _loop(self, command: LoopCommand) -> None:
        if isinstance(command, LoopStart | LoopSet) and (preset := command.settings.get("preset")):
            self._defaults.check_preset(preset)
        self._loops.handle(command)

    def _handle(self, command: Command) -> None:
        if self._stopping:
            raise Cancelled(STOPPING)
        if isinstance(command, LoopCommand):
            self._loop(command)
            return
        now_seconds = time.perf_counter()
        match command:
            case Transport():
                self._clocks.update("osc", command)
            case SelectClock(source):
                if source is not None:
                    self._clocks.select(source, now_seconds)
                self._answer(self._clocks.state(now_seconds))
            case Tap(seconds):
                if tempo_bpm := self._taps.tap(seconds):
                    self._handle(SetDefaults(ClipSettings(tempo_bpm=tempo_bpm)))
            case StartClock(seconds):
                self._start_clock(seconds)
            case HaltClock():
                self._clocks.internal.halt(now_seconds)
            case SetDefaults(settings):
                self._defaults.set(settings)
                self._defaults_changed(command)
            case UnsetDefaults(keys):
                self._defaults.unset(keys)
                self._defaults_changed(command)
            case ResetDefaults():
                self._defaults.reset()
                self._defaults_changed(command)
            case CaptureStart() | CaptureLast() | CaptureFile() | CaptureNotes():
                self._captures.begin(command, now_seconds)
            case CaptureStop(id):
                self._captures.stop(id, now_seconds)
            case Generate():
                self._generate(command)
            case Cancel(id):
                self._cancel(id)
            case Keep() | Discard() | Restore():
                self._change(command)
            case ListPresets(id):
                self._tasks.begin(id, "list of presets", self._list_presets)
            case ListClips(id):
                self._tasks.begin(id, "list of clips", self._clips.list)
            case ListNotes(id):
                # Under the capture's id, which has ended by then: see `_change_now`.
                self._tasks.reply_later(id, self._heard_notes.list, self._publish)
            case Play():
                self._play(command)
            case StopPlaying(layer):
                is_stopped = self._loops.stop_layer(layer)
                if self._playing.has_output or not is_stopped:
                    self._playing.handle(command, now_seconds)
            case SetLayerGain() | MuteLayer() | SetMetronome():
                self._playing.handle(command, now_seconds)
            case Hotkey(action):
                self._press(action)
            case Panic():
                self._loops.silenced()
                self._playing.panic(now_seconds)
                self.cancel_all("stopped by /bridge/panic")

    def cancel_all(self, because: str) -> None:
        """Cancel every request under way; files that are being written are still finished."""
        for id in self._requests.open_ids():
            self._cancel(id, because)

    async def stop(self) -> None:
        """Refuse further commands, cancel every request, and wait until all have ended."""
        self._stopping = True
        self.cancel_all(STOPPING)
        await self._loops.close()
        # Clips that a request has finished by now may be discarded by its end.
        await self._tasks.all_ended()
        await self._renders.warmed_up()

    def _cancel(self, id: str, because: str = "cancelled by its client") -> None:
        if not self._requests.is_open(id):
            # A cancel that arrives too late is no mistake: replay how the request ended.
            self._requests.replay(id)
            return
        if not self._tasks.cancel(id, because):
            self._captures.cancel(id, because)

    def _start_clock(self, seconds: float) -> None:
        count_in_bars = self._defaults.count_in_bars
        remark = self._clocks.start(
            seconds,
            count_in_bars=count_in_bars,
            lead_seconds=self._playing.lead_seconds(count_in_bars),
        )
        if remark:
            self._publish(Remark(NO_ID, f"/bridge/start: {remark}"))

    def _defaults_changed(self, command: SetDefaults | UnsetDefaults | ResetDefaults) -> None:
        self._publish(DefaultsChanged(self._defaults.settings))
        self._clocks.settings_changed(time.perf_counter())
        sets_time = isinstance(command, SetDefaults) and any(map(command.settings.get, TIME))
        if sets_time and (overruled := self._time.overruled):
            self._publish(Remark(NO_ID, f"/bridge/set: {overruled}"))

    def _generate(self, command: Generate) -> None:
        if self._requests.replay_known(command.id, GENERATE, command):
            return
        self._renders.check_room()
        self._requests.begin(command.id, GENERATE, command)
        try:
            render = self._renders.admitted(command)
        except BridgeError as error:
            self._requests.publish(Failed.of(command.id, error))
            return
        task = self._tasks.start(command.id, render)
        task.add_done_callback(lambda task: self._on_rendered(command.id))

    def _on_rendered(self, id: str) -> None:
        """Make room for the next request, and carry out what was asked for meanwhile."""
        self._renders.ended(id)
        # First what is kept: it then stays when all are discarded.
        waiting = self._to_change.pop(id, {}).values()
        for command in sorted(waiting, key=lambda each: isinstance(each, Discard)):
            if self._clips.has(id):
                self._change_now(command, is_late=True)

    async def _list_presets(self, id: str) -> None:
        found, broken = await asyncio.to_thread(presets.list_presets)
        for error in broken.values():
            _log.warning("%s", error)
        for index, preset in enumerate(found):
            self._requests.publish(PresetListed(id, index, len(found), preset.name, preset.prompt))
        self._requests.publish(Done(id, len(found)))

    def _change(self, command: Change) -> None:
        """Keep, discard or restore clips; those that are still being made, once they are done."""
        id = command.id
        if not self._requests.is_open(id):
            self._change_now(command)
        elif self._requests.kind(id) != GENERATE:
            # An error under the id of a request that is under way would end that for its client.
            kind, address = self._requests.kind(id), type(command).__name__.lower()
            message = f"/bridge/{address}: {id!r} is a {kind} under way: it has no clip"
            self._publish(Failed(NO_ID, UnknownId.code, message))
        else:
            self._change_later(command)

    def _change_later(self, command: Change) -> None:
        """Remember what to do with a clip that is being made, or forget what its opposite asked."""
        waiting = self._to_change.setdefault(command.id, {})
        if isinstance(command, Restore) or (isinstance(command, Keep) and not command.is_kept):
            undone = Discard if isinstance(command, Restore) else Keep
            for index in [each for each in waiting if command.index in (None, each)]:
                if isinstance(waiting[index], undone):
                    del waiting[index]
            stays = "stay" if isinstance(command, Restore) else "not be kept"
        else:
            waiting[command.index] = command
            stays = "be discarded" if isinstance(command, Discard) else "be kept"
        remark = f"{_clips_text(command)} will {stays} when it is done"
        self._requests.publish(Remark(command.id, remark))

    def _change_now(self, command: Change, *, is_late: bool = False) -> None:
        """Change clips, and reply under the id of the request that made them.

        That request has already ended, so the reply bypasses the registry.

        Args:
            is_late: the command was sent while the clips were being made: an error becomes a
                remark, as it is none of the request.
        """

        async def change(id: str) -> None:
            for event in await self._clips.change(command):
                self._publish(event)

        def publish_error(error: Failed) -> None:
            self._publish(Remark(error.id, error.message) if is_late else error)

        self._tasks.reply_later(command.id, change, publish_error)

    def _play(self, command: Play) -> None:
        """Play a clip, and reply under its request's id, as `_change_now` does."""
        if self._requests.is_open(command.id):
            # An error under its id would end that request for its client.
            message = f"/bridge/play: {command.id!r} is under way: it has no clip yet"
            self._publish(Failed(NO_ID, UnknownId.code, message))
            return

        async def play(id: str) -> None:
            answer = await self._playing.play(command)
            self._loops.layer_taken(command.layer)
            self._publish(answer)

        self._tasks.reply_later(command.id, play, self._publish)


def _clips_text(command: Change) -> str:
    return "the clip" if command.index is None else f"clip {command.index}"
