"""The session: commands make captures into melodies, and melodies into clips.

Everything runs in the event loop and never blocks it: threads read and write files and finish
clips; the model runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.clock.session_time import SessionTime
from bridge.commands import (
    Cancel,
    CaptureFile,
    CaptureLast,
    CaptureNotes,
    CaptureStart,
    CaptureStop,
    ClipSettings,
    Command,
    Discard,
    Done,
    Event,
    Failed,
    Generate,
    ListClips,
    ListPresets,
    NotBuilt,
    Panic,
    PresetListed,
    Progress,
    SetDefaults,
    Transport,
)
from bridge.config import Options, RunOptions, presets
from bridge.daemon.captures import DEFECT, CaptureEntry, CaptureRegistry, client_of
from bridge.daemon.clips import ClipRegistry
from bridge.daemon.defaults import SessionDefaults
from bridge.daemon.eta import FinishingTimes, TimeLeft
from bridge.daemon.requests import RequestRegistry
from bridge.daemon.snapshot import GENERATE
from bridge.delivery import History, KnownClip, write_take
from bridge.engine import Request
from bridge.engine.process.host import EngineHost
from bridge.errors import BridgeError, Cancelled, Unsupported
from bridge.rendering import outputs
from bridge.rendering.plan import RenderPlan, prepare
from bridge.rendering.render import RenderedClip, finish_clips, request_for, write_clips
from bridge.timing import FALLBACK_METER, FALLBACK_TEMPO_BPM, Meter, first_tempo

NO_MELODY = "none"
"""The value of `melody` in a request that follows none."""
GENERATING_SHARE = 0.95
"""Share of the progress bar that decoding takes; the rest is finishing and writing."""
STOPPING = "the daemon is being stopped"
UNKNOWN_SECONDS = -1.0

Made = TypeVar("Made")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Ask:
    """A `Generate` with everything that is settled when it comes.

    Attributes:
        captured: the melody's capture, finished or not; None: no melody.
        defaults: the session's settings.
        tempo_bpm, meter: the clip's; None: the melody's own, or the fallback.
    """

    command: Generate
    captured: CaptureEntry | None
    defaults: ClipSettings
    tempo_bpm: Fraction | None
    meter: Meter | None


class Session:
    """One daemon's work, in the event loop's thread.

    Args:
        folder: the clips folder.
        publish: sends an event to every client.
        defaults: the session's own settings.
        history: of the clips folder.
    """

    def __init__(
        self,
        options: RunOptions,
        folder: Path,
        *,
        publish: Callable[[Event], None],
        requests: RequestRegistry,
        defaults: SessionDefaults,
        session_time: SessionTime,
        captures: CaptureRegistry,
        engine: EngineHost,
        history: History,
    ) -> None:
        self._options, self._folder, self._publish = options, folder, publish
        self._requests, self._captures = requests, captures
        self._defaults, self._time = defaults, session_time
        self._engine, self._clips = engine, ClipRegistry(requests, history)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self._take_files = threading.Lock()
        self._discarding: set[asyncio.Task[None]] = set()
        self._finishing = FinishingTimes()

    def warm_up(self) -> None:
        """Import, in a thread, the libraries that the first request would wait seconds for."""
        threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()

    def handle(self, command: Command) -> None:
        """Do what was asked, or begin it.

        Raises:
            BridgeError: it cannot be done.
        """
        if self._stopping:
            raise Cancelled(STOPPING)
        now_seconds = time.perf_counter()
        match command:
            case Transport():
                self._time.clock.update(command)
            case SetDefaults(settings):
                self._defaults.set(settings)
            case CaptureStart() | CaptureLast() | CaptureFile() | CaptureNotes():
                self._captures.begin(command, now_seconds)
            case CaptureStop(id):
                self._captures.stop(id, now_seconds)
            case Generate():
                self._generate(command)
            case Cancel(id):
                self._cancel(id)
            case Discard():
                self._discard(command)
            case ListPresets(id):
                self._begin(id, "list of presets", self._list_presets)
            case ListClips(id):
                self._begin(id, "list of clips", self._clips.list)
            case Panic():
                self.cancel_all("stopped by /bridge/panic")
            case NotBuilt(_, address):
                raise Unsupported(f"{address} is not built yet in this version")

    def cancel_all(self, because: str) -> None:
        """Cancel everything under way; files that are being written are still finished."""
        for id in self._requests.open_ids():
            self._cancel(id, because)

    async def stop(self) -> None:
        """Cancel everything, accept nothing more, and wait until all has ended."""
        self._stopping = True
        self.cancel_all(STOPPING)
        if tasks := {*self._tasks.values(), *self._discarding}:
            await asyncio.wait(tasks)

    def _cancel(self, id: str, because: str = "cancelled by its client") -> None:
        if not self._requests.is_open(id):
            # A cancel that comes too late is no mistake: replay how the request ended.
            self._requests.replay(id)
            return
        task = self._tasks.get(id)
        if task is not None:
            task.cancel(because)
        else:
            self._captures.cancel(id, because)

    def _generate(self, command: Generate) -> None:
        if not self._requests.begin(command.id, GENERATE):
            return
        try:
            # Settled now: by the time it is rendered, the client may have captured something else
            # or set other defaults.
            ask = _Ask(
                command,
                self._melody(command),
                self._defaults.settings,
                self._time.tempo_bpm(command.settings),
                self._time.meter(command.settings),
            )
        except BridgeError as error:
            self._requests.publish(Failed(command.id, error.code, str(error)))
            return

        async def render(id: str) -> None:
            self._requests.publish(Progress(id, 0.0, UNKNOWN_SECONDS))
            await self._render(ask)

        self._start(command.id, render)

    def _melody(self, command: Generate) -> CaptureEntry | None:
        if command.melody == NO_MELODY:
            return None
        if command.melody is not None:
            return self._captures.find(command.melody)
        return self._captures.newest(client_of(command.id))

    async def _render(self, ask: _Ask) -> None:
        command, captured = ask.command, ask.captured
        if captured is not None:
            # Shielded: cancelling this request does not cancel its melody.
            await asyncio.shield(captured.take)

        def planned() -> tuple[RenderPlan, Request]:
            take = captured.take.result() if captured is not None else None
            plan = prepare(self._options_for(ask), take)
            return plan, request_for(plan)

        plan, request = await asyncio.to_thread(planned)
        left = TimeLeft(self._finishing, request.seconds * request.variations)
        job = self._engine.submit(request, partial(self._publish_progress, command.id, left))
        try:
            result = await job.result()
        except asyncio.CancelledError:
            job.cancel()
            raise
        made = await asyncio.to_thread(finish_clips, plan, result.waveforms)
        engine = self._engine.facts
        if engine is None:
            raise RuntimeError("an engine that has a result has facts")

        def written() -> tuple[RenderedClip, ...]:
            with outputs.all_or_nothing() as written:
                return write_clips(
                    plan,
                    made,
                    engine,
                    written,
                    recipe={"request": command.id, **(captured.recipe if captured else {})},
                    remarks=(*(captured.remarks if captured else ()), *result.remarks),
                )

        async def delivered() -> Sequence[KnownClip]:
            return await self._clips.add(command.id, plan, await asyncio.to_thread(written))

        clips = await uncancellable(delivered())
        left.finished(time.perf_counter())
        self._clips.publish(command.id, clips)

    def _options_for(self, ask: _Ask) -> Options:
        settled: dict[str, Any] = {
            "tempo_bpm": ask.tempo_bpm,
            "meter": ask.meter,
            "model": self._options.model,
            "device": self._options.device,
            "out": self._folder,
        }
        if ask.captured is not None:
            settled["melody"] = self._kept(ask.captured, first_tempo(ask.tempo_bpm))
        if ask.command.melody == NO_MELODY:
            settled["unconditional"] = True
        return self._defaults.options_for(ask.command.settings, ask.defaults, settled)

    def _kept(self, captured: CaptureEntry, tempo_bpm: Fraction) -> Path:
        """The file that holds the melody; a take from the input is written when first used."""
        # Two requests may render from it at once, each in a thread.
        with self._take_files:
            if captured.path is None:
                take = captured.take.result()
                captured.path = write_take(
                    self._folder, take, title=captured.id, tempo_bpm=tempo_bpm
                )
            return captured.path

    def _publish_progress(self, id: str, left: TimeLeft, share: float) -> None:
        seconds = left.after(share, time.perf_counter())
        eta_seconds = UNKNOWN_SECONDS if seconds is None else seconds
        self._requests.publish(Progress(id, share * GENERATING_SHARE, eta_seconds))

    async def _list_presets(self, id: str) -> None:
        found, broken = await asyncio.to_thread(presets.list_presets)
        for error in broken.values():
            _log.warning("%s", error)
        for index, preset in enumerate(found):
            self._requests.publish(PresetListed(id, index, len(found), preset.name, preset.prompt))
        self._requests.publish(Done(id, len(found)))

    def _discard(self, command: Discard) -> None:
        """Move clips away, and reply under the id of the request that made them.

        That request has already ended, so the reply bypasses the registry.
        """

        async def discard(id: str) -> None:
            self._publish(await self._clips.discard(command))

        task = asyncio.create_task(self._ended(command.id, discard, self._publish))
        self._discarding.add(task)
        task.add_done_callback(self._discarding.discard)

    def _begin(self, id: str, kind: str, work: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        if self._requests.begin(id, kind):
            self._start(id, work)

    def _start(self, id: str, work: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.create_task(self._ended(id, work, self._requests.publish))
        self._tasks[id] = task

        def over(task: asyncio.Task[None]) -> None:
            self._tasks.pop(id, None)
            if task.cancelled():
                # Cancelled before its first step, as by a bundle that asks and cancels.
                self._requests.publish(Failed(id, Cancelled.code, "cancelled before it began"))

        task.add_done_callback(over)

    async def _ended(
        self,
        id: str,
        work: Callable[[str], Coroutine[Any, Any, None]],
        publish: Callable[[Failed], None],
    ) -> None:
        """Do the work, and publish whatever goes wrong as the request's end."""
        try:
            await work(id)
        except asyncio.CancelledError as error:
            publish(Failed(id, Cancelled.code, str(error) or "cancelled"))
        except BridgeError as error:
            publish(Failed(id, error.code, str(error)))
        except Exception:
            _log.exception("request %s failed", id)
            publish(Failed(id, Unsupported.code, DEFECT))


def _warm_up() -> None:
    """Finish a clip of a plain beat: some libraries import most of themselves when first used."""
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


async def uncancellable(work: Coroutine[Any, Any, Made]) -> Made:
    """Run to the result, also when this task is cancelled meanwhile: the cancel came too late."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    return task.result()
