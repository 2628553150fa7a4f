"""The session: it handles every command, and turns captured melodies into clips.

A `Generate` command goes top-down through `_generate`, `_render`, `_plan`, `_decode` and `_write`.
Everything runs in the event loop and never blocks it: threads read and write files and finish
clips; the model runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.clock.clocks import Clocks
from bridge.clock.session_time import SessionTime
from bridge.clock.tap import TapTempo
from bridge.commands import (
    Cancel,
    CaptureFile,
    CaptureLast,
    CaptureNotes,
    CaptureStart,
    CaptureStop,
    ClipSettings,
    Command,
    DefaultsChanged,
    Discard,
    Done,
    Event,
    Failed,
    Generate,
    HaltClock,
    ListClips,
    ListPresets,
    LoopCommand,
    LoopSet,
    LoopStart,
    MuteLayer,
    Panic,
    Play,
    PresetListed,
    Progress,
    Remark,
    ResetDefaults,
    Restore,
    SelectClock,
    SetDefaults,
    SetLayerGain,
    StartClock,
    StopPlaying,
    Tap,
    Transport,
    UnsetDefaults,
)
from bridge.config import RunOptions, presets
from bridge.daemon.captures import CaptureEntry, CaptureRegistry, client_of
from bridge.daemon.clips import ClipRegistry
from bridge.daemon.defaults import SessionDefaults
from bridge.daemon.eta import FinishingTimes, TimeLeft
from bridge.daemon.loops import PREFIX, Loops
from bridge.daemon.playing import NO_OUTPUT_CHOSEN, Playing
from bridge.daemon.requests import DEFECT, RequestRegistry
from bridge.daemon.snapshot import CAPTURE, GENERATE
from bridge.delivery import History, KnownClip, write_take
from bridge.delivery.playback import Playback
from bridge.engine.process.host import EngineHost, OnProgress
from bridge.engine.process.job import Job, Result
from bridge.errors import (
    BadArgument,
    BridgeError,
    Cancelled,
    DiskFull,
    EngineDied,
    EngineFailed,
    EngineHung,
    Internal,
    NoOutput,
    QueueFull,
    UnknownId,
)
from bridge.rendering import outputs
from bridge.rendering.plan import RenderPlan, prepare
from bridge.rendering.render import (
    RankedClip,
    RenderedClip,
    finish_clips,
    request_for,
    write_clips,
)
from bridge.timing import FALLBACK_METER, FALLBACK_TEMPO_BPM, Meter, first_tempo

NO_ID = "-"
"""The id of an event that answers no request."""
MOST_ADMITTED = 9
"""Requests for clips whose audio is not complete: one at work, and 8 that wait."""
MOST_UNWRITTEN_BYTES = 256 * 1024**2
"""Memory for the finished clips that wait for room on a full disk; a clip takes 3 MB."""
WRITE_AGAIN_SECONDS = 2.0
"""How often such clips are tried to be written again."""
LATELY_SECONDS = 60.0
"""A clip without a melody gets a remark when some client captured one this recently."""
TIME = ("tempo_bpm", "numerator", "denominator")
"""The settings of tempo and meter."""
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
RESUMED_FROM = 200
"""So many of the newest clips are searched for the last one of a loop."""
NO_MELODY = "none"
"""The value of `melody` in a request that follows no melody."""
GENERATING_SHARE = 0.95
"""Share of the progress bar that decoding takes; the rest is finishing and writing."""
STOPPING = "the daemon is being stopped"
WARM_UP_SECONDS = 20.0
"""How long stopping waits for the imports of `Session.warm_up`; they take a second when idle."""
UNKNOWN_SECONDS = -1.0
"""The time left of a request whose pace is not known."""

Value = TypeVar("Value")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _ClipRequest:
    """A `Generate` command with everything that is settled when it arrives.

    Attributes:
        melody: the capture to follow, finished or not; None: no melody.
        defaults: the session's settings.
        tempo_bpm, meter: the clip's; None: the melody's own, or the fallback.
        remarks: what a person should know before the clip is made.
    """

    command: Generate
    melody: CaptureEntry | None
    defaults: ClipSettings
    tempo_bpm: Fraction | None
    meter: Meter | None
    remarks: tuple[str, ...]


class Session:
    """The commands of all clients and the tasks that they start. For the event loop's thread.

    Args:
        folder: the clips folder.
        publish: sends an event to every client.
        answer: sends an event to the client whose command is being carried out.
        defaults: the session's own settings.
        history: of the clips folder.
        playback: None without an output.
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
    ) -> None:
        self._options, self._folder = options, folder
        self._publish, self._answer = publish, answer
        self._requests, self._captures = requests, captures
        self._defaults, self._time, self._clocks = defaults, session_time, clocks
        self._taps = TapTempo()
        self._engine, self._clips = engine, ClipRegistry(requests, history)
        self._playing = Playing(playback, self._clips)
        self._loops: Loops | None = None
        if playback is not None:
            self._loops = Loops(
                playback,
                self._clips,
                clock=lambda: clocks.current,
                quantum=options.quantum,
                bars=lambda: defaults.bars,
                perform=self._handle,
                publish=publish,
            )
            if options.resume:
                self._loops.resume_from(history.newest(RESUMED_FROM))
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self._warming: threading.Thread | None = None
        self._take_files = threading.Lock()
        self._moving: set[asyncio.Task[None]] = set()
        # Fair: requests plan, and enter the engine's queue, in the order that they could begin.
        self._planning = asyncio.Lock()
        self._admitted: set[str] = set()
        self._unwritten_bytes = 0
        # Clips to discard once they are made: the indices by the request's id, None for all.
        self._to_discard: dict[str, dict[int | None, Discard]] = {}
        self._finishing_times = FinishingTimes()

    def warm_up(self) -> None:
        """Import, in a thread, the libraries that would delay the first request by seconds."""
        self._warming = threading.Thread(target=_warm_up, name="warm-up", daemon=True)
        self._warming.start()
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
        if self._loops is not None:
            self._loops.poll()

    def observe(self, event: Event) -> None:
        """Let the loops know of an event, after the call that publishes it."""
        if self._loops is not None and not self._stopping:
            asyncio.get_running_loop().call_soon(self._loops.observe, event)

    def _check_id(self, id: str, *, is_loop: bool) -> None:
        """Check that a client may begin something under that id.

        Raises:
            BadArgument: it is a loop's, or that of a loop's request, or of another request.
        """
        if id.startswith(PREFIX):
            raise BadArgument(f"id {id!r}: ids that begin with {PREFIX!r} are the loops' own")
        kind = self._requests.kind(id)
        if is_loop and kind is not None:
            raise BadArgument(f"id {id!r} is taken by a {kind}: use another for a loop")
        if not is_loop and self._loops is not None and self._loops.has(id):
            raise BadArgument(f"id {id!r} is taken by a loop: use another")

    def _loop(self, command: LoopCommand) -> None:
        if self._loops is None:
            raise NoOutput(NO_OUTPUT_CHOSEN)
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
                if remark := self._clocks.start(seconds):
                    self._publish(Remark(NO_ID, f"/bridge/start: {remark}"))
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
            case Discard() | Restore() if self._is_no_render(command.id):
                # An error under the id of a request that is under way would end that for its
                # client.
                kind, address = self._requests.kind(command.id), type(command).__name__.lower()
                message = f"/bridge/{address}: {command.id!r} is a {kind} under way: it has no clip"
                self._publish(Failed(NO_ID, UnknownId.code, message))
            case Discard():
                self._discard(command)
            case Restore():
                self._restore(command)
            case ListPresets(id):
                self._begin(id, "list of presets", self._list_presets)
            case ListClips(id):
                self._begin(id, "list of clips", self._clips.list)
            case Play():
                self._play(command)
            case StopPlaying(layer) if self._loops is not None:
                self._loops.stop_layer(layer)
                self._playing.handle(command)
            case StopPlaying() | SetLayerGain() | MuteLayer():
                self._playing.handle(command)
            case Panic():
                if self._loops is not None:
                    self._loops.silenced()
                self._playing.panic()
                self.cancel_all("stopped by /bridge/panic")

    def cancel_all(self, because: str) -> None:
        """Cancel every request under way; files that are being written are still finished."""
        for id in self._requests.open_ids():
            self._cancel(id, because)

    async def stop(self) -> None:
        """Refuse further commands, cancel every request, and wait until all have ended."""
        self._stopping = True
        self.cancel_all(STOPPING)
        if self._loops is not None:
            await self._loops.close()
        # Clips that a request has finished by now may be discarded by its end.
        while tasks := {*self._tasks.values(), *self._moving}:
            await asyncio.wait(tasks)
        if self._warming is not None:
            # The process aborts when the interpreter ends in the middle of a native library's call.
            await asyncio.to_thread(self._warming.join, WARM_UP_SECONDS)

    def _cancel(self, id: str, because: str = "cancelled by its client") -> None:
        if not self._requests.is_open(id):
            # A cancel that arrives too late is no mistake: replay how the request ended.
            self._requests.replay(id)
            return
        task = self._tasks.get(id)
        if task is not None:
            task.cancel(because)
        else:
            self._captures.cancel(id, because)

    def _defaults_changed(self, command: SetDefaults | UnsetDefaults | ResetDefaults) -> None:
        self._publish(DefaultsChanged(self._defaults.settings))
        self._clocks.settings_changed(time.perf_counter())
        sets_time = isinstance(command, SetDefaults) and any(map(command.settings.get, TIME))
        if sets_time and (overruled := self._time.overruled):
            self._publish(Remark(NO_ID, f"/bridge/set: {overruled}"))

    def _generate(self, command: Generate) -> None:
        if self._requests.replay_known(command.id, GENERATE, command):
            return
        if len(self._admitted) >= MOST_ADMITTED:
            raise QueueFull(
                f"{len(self._admitted)} requests are being rendered or wait for it, and no more "
                "can: wait for one, or cancel one"
            )
        self._requests.begin(command.id, GENERATE, command)
        try:
            # Settled now: until the clip is rendered, the client may capture another melody or set
            # other defaults.
            melody = self._melody_of(command)
            request = _ClipRequest(
                command,
                melody,
                self._defaults.settings,
                self._time.tempo_bpm(command.settings),
                self._time.meter(command.settings),
                self._remarks_on(command, melody),
            )
        except BridgeError as error:
            self._requests.publish(Failed.of(command.id, error))
            return

        async def render(id: str) -> None:
            self._requests.publish(Progress(id, 0.0, UNKNOWN_SECONDS))
            self._publish_remarks(id, request.remarks)
            await self._render(request)

        self._admitted.add(command.id)
        self._start(command.id, render)
        self._tasks[command.id].add_done_callback(lambda task: self._on_rendered(command.id))

    def _remarks_on(self, command: Generate, melody: CaptureEntry | None) -> tuple[str, ...]:
        """Remarks about settings that may not be meant: another time, or no melody."""
        remarks = []
        if self._time.overruled and not any(map(command.settings.get, TIME)):
            remarks.append(self._time.overruled)
        capture = self._requests.recent(CAPTURE, LATELY_SECONDS)
        if melody is None and command.melody is None and capture is not None:
            remarks.append(
                f"this clip follows no melody, and {capture!r} is another client's: "
                f"add `melody {capture}` to follow that, or `melody none` for no melody"
            )
        return tuple(remarks)

    def _on_rendered(self, id: str) -> None:
        """Make room for the next request, and carry out what was asked for meanwhile."""
        self._admitted.discard(id)
        for command in self._to_discard.pop(id, {}).values():
            if self._clips.has(id):
                self._move(command, is_late=True)

    def _publish_remarks(self, id: str, remarks: Iterable[str]) -> None:
        for remark in remarks:
            self._requests.publish(Remark(id, remark))

    def _melody_of(self, command: Generate) -> CaptureEntry | None:
        if command.melody == NO_MELODY:
            return None
        if command.melody is not None:
            return self._captures.find(command.melody)
        return self._captures.newest(client_of(command.id))

    async def _render(self, request: _ClipRequest) -> None:
        """Plan, decode, finish and write the clips, then publish them."""
        id = request.command.id
        if request.melody is not None:
            # Shielded: cancelling this request does not cancel its melody.
            await asyncio.shield(request.melody.take)
        async with self._planning:
            plan = await asyncio.to_thread(self._plan, request)
            engine_request = request_for(plan)
            time_left = TimeLeft(
                self._finishing_times, engine_request.seconds * engine_request.variations
            )
            on_progress = partial(self._publish_progress, id, time_left)
            job = self._engine.submit(engine_request, on_progress)
        self._publish_remarks(id, plan.remarks)
        decoded = await self._decode(id, job, on_progress)
        self._admitted.discard(id)
        self._publish_remarks(id, decoded.remarks)
        finished = await asyncio.to_thread(_finished, plan, decoded.waveforms)
        self._publish_remarks(id, (remark for clip in finished for remark in clip.finished.remarks))
        clips = await self._write_when_there_is_room(request, plan, finished, decoded.remarks)
        time_left.finished(time.perf_counter())
        self._clips.publish(id, clips)

    def _plan(self, request: _ClipRequest) -> RenderPlan:
        """Settle the request's options and read its melody; for a thread."""
        settled: dict[str, Any] = {
            "tempo_bpm": request.tempo_bpm,
            "meter": request.meter,
            "model": self._options.model,
            "device": self._options.device,
            "out": self._folder,
        }
        take = None
        if request.melody is not None:
            take = request.melody.take.result()
            settled["melody"] = self._melody_file(request.melody, first_tempo(request.tempo_bpm))
        if request.command.melody == NO_MELODY:
            settled["unconditional"] = True
        options = self._defaults.options_for(request.command.settings, request.defaults, settled)
        return prepare(options, take)

    def _melody_file(self, melody: CaptureEntry, tempo_bpm: Fraction) -> Path:
        """The file that holds the melody. A take from the input is written when first used."""
        # Two requests may render from it at once, each in a thread.
        with self._take_files:
            if melody.path is None:
                take = melody.take.result()
                melody.path = write_take(self._folder, take, title=melody.id, tempo_bpm=tempo_bpm)
            return melody.path

    async def _decode(self, id: str, job: Job, on_progress: OnProgress) -> Result:
        """Wait for the engine; try once more when it dies, and cancel the job with this task."""
        try:
            return await self._result(job)
        except EngineFailed:
            # A defect, which would occur again.
            raise
        except (EngineDied, EngineHung) as error:
            remark = f"{error}: this is the second attempt"
        self._publish_remarks(id, [remark])
        again = self._engine.submit(job.request, on_progress, first=True)
        try:
            result = await self._result(again)
        except EngineFailed:
            raise
        except (EngineDied, EngineHung) as error:
            raise type(error)(f"{error}, at the second attempt too: ask again") from error
        return replace(result, remarks=(remark, *result.remarks))

    async def _result(self, job: Job) -> Result:
        try:
            return await job.result()
        except asyncio.CancelledError:
            job.cancel()
            raise

    def _publish_progress(self, id: str, time_left: TimeLeft, share: float) -> None:
        seconds = time_left.after(share, time.perf_counter())
        eta_seconds = UNKNOWN_SECONDS if seconds is None else seconds
        self._requests.publish(Progress(id, share * GENERATING_SHARE, eta_seconds))

    async def _write_when_there_is_room(
        self,
        request: _ClipRequest,
        plan: RenderPlan,
        finished: Sequence[RankedClip],
        remarks: Sequence[str],
    ) -> Sequence[KnownClip]:
        """Write the clips; while the disk is full, keep them in memory and try again.

        Raises:
            DiskFull: too many clips wait for room already.
            Cancelled: the wait was cancelled, and the clips are lost.
        """
        id = request.command.id
        size = sum(clip.finished.waveform.samples.nbytes for clip in finished)
        task = asyncio.current_task()
        assert task is not None
        waits = False
        try:
            while True:
                try:
                    return await uncancellable(self._write(request, plan, finished, remarks))
                except DiskFull as error:
                    if task.cancelling():
                        # The cancel came while the clips were being written.
                        raise asyncio.CancelledError from error
                    if not waits and self._unwritten_bytes + size > MOST_UNWRITTEN_BYTES:
                        raise
                    if not waits:
                        waits = True
                        self._unwritten_bytes += size
                        remark = f"{error}: the clip is kept, and written when there is room"
                        _log.warning("%s: %s", id, remark)
                        self._publish_remarks(id, [remark])
                await asyncio.sleep(WRITE_AGAIN_SECONDS)
        except asyncio.CancelledError as error:
            raise Cancelled(f"{error or 'cancelled'}: the clip was never written") from error
        finally:
            if waits:
                self._unwritten_bytes -= size

    async def _write(
        self,
        request: _ClipRequest,
        plan: RenderPlan,
        finished: Sequence[RankedClip],
        remarks: Sequence[str],
    ) -> Sequence[KnownClip]:
        """Write the clips, all of them or none, and remember them."""
        id, melody, engine = request.command.id, request.melody, self._engine.facts
        if engine is None:
            raise RuntimeError("an engine that has a result has facts")

        def write() -> tuple[RenderedClip, ...]:
            with outputs.all_or_nothing() as written:
                return write_clips(
                    plan,
                    finished,
                    engine,
                    written,
                    recipe={"request": id, **(melody.recipe if melody else {})},
                    remarks=(
                        *(melody.remarks if melody else ()),
                        *request.remarks,
                        *remarks,
                    ),
                )

        return await self._clips.add(id, plan, await asyncio.to_thread(write))

    async def _list_presets(self, id: str) -> None:
        found, broken = await asyncio.to_thread(presets.list_presets)
        for error in broken.values():
            _log.warning("%s", error)
        for index, preset in enumerate(found):
            self._requests.publish(PresetListed(id, index, len(found), preset.name, preset.prompt))
        self._requests.publish(Done(id, len(found)))

    def _discard(self, command: Discard) -> None:
        """Move clips to `Discarded`; clips that are still being made, once they are done."""
        if self._is_open(command):
            self._to_discard.setdefault(command.id, {})[command.index] = command
            remark = f"{_clips_text(command)} will be discarded when it is done"
            self._publish_remarks(command.id, [remark])
        else:
            self._move(command)

    def _restore(self, command: Restore) -> None:
        """Move discarded clips back; forget a discard that waits for its clip."""
        if self._is_open(command):
            waiting = self._to_discard.get(command.id, {})
            for index in [each for each in waiting if command.index in (None, each)]:
                del waiting[index]
            remark = f"{_clips_text(command)} will be kept when it is done"
            self._publish_remarks(command.id, [remark])
        else:
            self._move(command)

    def _is_open(self, command: Discard | Restore) -> bool:
        return self._requests.is_open(command.id)

    def _is_no_render(self, id: str) -> bool:
        """Whether a request is under way that makes no clips."""
        return self._requests.is_open(id) and self._requests.kind(id) != GENERATE

    def _move(self, command: Discard | Restore, *, is_late: bool = False) -> None:
        """Move clips to `Discarded` or back, and reply under the id of the request that made them.

        That request has already ended, so the reply bypasses the registry.

        Args:
            is_late: the command was sent while the clips were being made: an error becomes a
                remark, as it is none of the request.
        """

        async def move(id: str) -> None:
            for event in await self._clips.move(command):
                self._publish(event)

        def publish_error(error: Failed) -> None:
            self._publish(Remark(error.id, error.message) if is_late else error)

        self._reply_later(command.id, move, publish_error)

    def _play(self, command: Play) -> None:
        """Play a clip, and reply under the id of the request that made it, as `_move` does."""
        if self._requests.is_open(command.id):
            # An error under its id would end that request for its client.
            message = f"/bridge/play: {command.id!r} is under way: it has no clip yet"
            self._publish(Failed(NO_ID, UnknownId.code, message))
            return

        async def play(id: str) -> None:
            self._publish(await self._playing.play(command))

        self._reply_later(command.id, play, self._publish)

    def _reply_later(
        self,
        id: str,
        work: Callable[[str], Coroutine[Any, Any, None]],
        publish_error: Callable[[Failed], None],
    ) -> None:
        """Do the work of a command about clips that have been made, in a task of its own."""
        task = asyncio.create_task(self._run_to_end(id, work, publish_error))
        self._moving.add(task)
        task.add_done_callback(self._moving.discard)

    def _begin(self, id: str, kind: str, work: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        if self._requests.begin(id, kind):
            self._start(id, work)

    def _start(self, id: str, work: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.create_task(self._run_to_end(id, work, self._requests.publish))
        self._tasks[id] = task

        def on_done(task: asyncio.Task[None]) -> None:
            self._tasks.pop(id, None)
            if task.cancelled():
                # Cancelled before its first step, as by a bundle that generates and cancels.
                self._requests.publish(Failed(id, Cancelled.code, "cancelled before it began"))
            elif error := task.exception():
                _log.error("request %s failed", id, exc_info=error)
                self._requests.publish(Failed(id, Internal.code, DEFECT))

        task.add_done_callback(on_done)

    async def _run_to_end(
        self,
        id: str,
        work: Callable[[str], Coroutine[Any, Any, None]],
        publish: Callable[[Failed], None],
    ) -> None:
        """Do the work, and publish any error as the request's end."""
        try:
            await work(id)
        except asyncio.CancelledError as error:
            publish(Failed(id, Cancelled.code, str(error) or "cancelled"))
        except BridgeError as error:
            publish(Failed.of(id, error))
        except Exception:
            _log.exception("request %s failed", id)
            publish(Failed(id, Internal.code, DEFECT))


def _finished(plan: RenderPlan, waveforms: Sequence[Waveform]) -> list[RankedClip]:
    """The finished clips.

    Raises:
        Internal: a mistake in the arguments shows so late only after a defect.
    """
    try:
        return finish_clips(plan, waveforms)
    except BadArgument as error:
        _log.exception("a clip could not be finished")
        raise Internal(f"{DEFECT}: {error}") from error


def _clips_text(command: Discard | Restore) -> str:
    return "the clip" if command.index is None else f"clip {command.index}"


def _warm_up() -> None:
    """Finish a clip of a plain beat: some libraries import most of their modules on first use."""
    from bridge.clip import finish

    beat = np.zeros((MODEL_SAMPLE_RATE // 2, 2), np.float32)
    beat[0] = 1.0
    finish(
        Waveform(np.tile(beat, (5, 1)), MODEL_SAMPLE_RATE),
        bars=1,
        tempo_bpm=FALLBACK_TEMPO_BPM,
        meter=FALLBACK_METER,
        sample_rate=MODEL_SAMPLE_RATE,
    )


async def uncancellable(work: Coroutine[Any, Any, Value]) -> Value:
    """Run to the result, also when this task is cancelled meanwhile: the cancel is too late."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    return task.result()
