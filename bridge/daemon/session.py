"""What the daemon does with a command: captures become melodies, melodies become clips.

It runs in the event loop and never blocks it: files are read and written, and clips finished, in
threads; the model runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.clock.beat_clock import BeatClock
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
from bridge.config import DEFAULT_METER, DEFAULT_TEMPO_BPM, Options, RunOptions, presets
from bridge.daemon.captures import DEFECT, CaptureEntry, CaptureRegistry, client_of
from bridge.daemon.clips import ClipRegistry
from bridge.daemon.defaults import options_of
from bridge.daemon.eta import FinishingTimes, TimeLeft
from bridge.daemon.requests import RequestRegistry
from bridge.delivery import History, KnownClip, write_take
from bridge.engine import Request
from bridge.engine.process.supervisor import Supervisor
from bridge.errors import BridgeError, Cancelled, Unsupported
from bridge.rendering import outputs
from bridge.rendering.plan import RenderPlan, prepare
from bridge.rendering.render import RenderedClip, finish_clips, request_for, write_clips
from bridge.timing import Meter

GENERATE = "generate"
"""What the ledger calls a request for clips."""
NO_MELODY = "none"
"""What `melody` is in a request that follows none."""
GENERATING_SHARE = 0.95
"""Of a request's progress, which the steps of decoding are; the rest is finishing and writing."""
STOPPING = "the daemon is being stopped"
UNKNOWN_SECONDS = -1.0

Made = TypeVar("Made")

_log = logging.getLogger(__name__)


class Session:
    """One daemon's work. All of it belongs to the event loop's thread.

    Args:
        folder: the clips folder.
        tell: sends an event to every client.
        history: of the clips folder.
    """

    def __init__(
        self,
        options: RunOptions,
        folder: Path,
        *,
        publish: Callable[[Event], None],
        requests: RequestRegistry,
        clock: BeatClock,
        captures: CaptureRegistry,
        engine: Supervisor,
        history: History,
    ) -> None:
        self._options, self._folder, self._publish = options, folder, publish
        self._requests, self._clock, self._captures = requests, clock, captures
        self._engine, self._clips = engine, ClipRegistry(requests, history)
        self._sound = ClipSettings()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self._take_files = threading.Lock()
        self._discarding: set[asyncio.Task[None]] = set()
        self._finishing = FinishingTimes()

    def warm_up(self) -> None:
        """Have imported, in a thread, what the first request would have to wait seconds for."""
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
                self._clock.update(command)
            case SetDefaults(sound):
                self._set(sound)
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

    def session_time(self) -> tuple[Fraction | None, Meter]:
        """Tempo and meter of the session: as set, else the DAW's; 4/4, and no tempo, else."""
        tempo_bpm, meter = self._time(ClipSettings())
        return tempo_bpm, meter or DEFAULT_METER

    def cancel_all(self, because: str) -> None:
        """Give up everything that is under way; what is being written is still written."""
        for id in self._requests.open_ids():
            self._cancel(id, because)

    async def stop(self) -> None:
        """Give up everything, take no more, and wait until it has ended."""
        self._stopping = True
        self.cancel_all(STOPPING)
        if tasks := {*self._tasks.values(), *self._discarding}:
            await asyncio.wait(tasks)

    def _set(self, sound: ClipSettings) -> None:
        before = self._sound
        if sound.prompt is not None or sound.preset is not None:
            # How it should sound is one thing: what is said of it now replaces what was.
            before = replace(before, prompt=None, preset=None)
        self._sound = sound.over(before)

    def _cancel(self, id: str, because: str = "cancelled by its client") -> None:
        if not self._requests.is_open(id):
            # It came too late, which is nobody's mistake: how it ended is told again.
            self._requests.replay(id)
            return
        task = self._tasks.get(id)
        if task is not None:
            task.cancel(because)
        else:
            self._captures.cancel(id, because)

    def _generate(self, command: Generate) -> None:
        sound, defaults = command.sound, self._sound
        tempo_bpm, meter = self._time(sound)

        async def render(id: str) -> None:
            self._requests.publish(Progress(id, 0.0, UNKNOWN_SECONDS))
            await self._render(command, captured, defaults, tempo_bpm, meter)

        if not self._requests.begin(command.id, GENERATE):
            return
        try:
            # Now, and not when its turn comes: the client may have captured something else by then.
            captured = self._melody(command)
        except BridgeError as error:
            self._requests.publish(Failed(command.id, error.code, str(error)))
            return
        self._start(command.id, render)

    def _melody(self, command: Generate) -> CaptureEntry | None:
        if command.melody == NO_MELODY:
            return None
        if command.melody is not None:
            return self._captures.find(command.melody)
        return self._captures.newest(client_of(command.id))

    def _time(self, sound: ClipSettings) -> tuple[Fraction | None, Meter | None]:
        """Tempo and meter by what was said, else the session's defaults, else the DAW's."""
        said = sound.over(self._sound)
        meter = self._clock.meter
        if said.numerator is not None or said.denominator is not None:
            base = meter or DEFAULT_METER
            meter = Meter(said.numerator or base.numerator, said.denominator or base.denominator)
        return said.tempo_bpm or self._clock.tempo_bpm, meter

    async def _render(
        self,
        command: Generate,
        captured: CaptureEntry | None,
        defaults: ClipSettings,
        tempo_bpm: Fraction | None,
        meter: Meter | None,
    ) -> None:
        if captured is not None:
            # Shielded: to give this request up is not to give its melody up.
            await asyncio.shield(captured.take)

        def planned() -> tuple[RenderPlan, Request]:
            options = self._options_of(command, captured, defaults, tempo_bpm, meter)
            plan = prepare(options, captured.take.result() if captured is not None else None)
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
            raise RuntimeError("a job has a result, so its engine has told what it is")

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

    def _options_of(
        self,
        command: Generate,
        captured: CaptureEntry | None,
        defaults: ClipSettings,
        tempo_bpm: Fraction | None,
        meter: Meter | None,
    ) -> Options:
        settled: dict[str, Any] = {
            "tempo_bpm": tempo_bpm,
            "meter": meter,
            "model": self._options.model,
            "device": self._options.device,
            "out": self._folder,
        }
        if captured is not None:
            settled["melody"] = self._kept(captured, tempo_bpm or DEFAULT_TEMPO_BPM)
        if command.melody == NO_MELODY:
            settled["unconditional"] = True
        last = {"sample_rate": self._options.sample_rate, **self._options.defaults}
        return options_of(command.sound, defaults, settled=settled, last=last)

    def _kept(self, captured: CaptureEntry, tempo_bpm: Fraction) -> Path:
        """The file that the melody lies in; one that was played is written once it is used."""
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
        """Answered to the id of the clips, which has had its own end: so not by the ledger."""

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
                # Before it began, as by a bundle that asks and cancels: nothing of it has run.
                self._requests.publish(Failed(id, Cancelled.code, "cancelled before it began"))

        task.add_done_callback(over)

    async def _ended(
        self,
        id: str,
        work: Callable[[str], Coroutine[Any, Any, None]],
        publish: Callable[[Failed], None],
    ) -> None:
        """Do the work; whatever goes wrong is told as the request's end."""
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
    """Finish a clip of nothing: some of the libraries import the most of themselves when used."""
    from bridge.clip import finish

    beat = np.zeros((MODEL_SAMPLE_RATE // 2, 2), np.float32)
    beat[0] = 1.0
    finish(
        Waveform(np.tile(beat, (5, 1)), MODEL_SAMPLE_RATE),
        bars=1,
        tempo_bpm=Fraction(120),
        meter=DEFAULT_METER,
        sample_rate=MODEL_SAMPLE_RATE,
    )


async def uncancellable(work: Coroutine[Any, Any, Made]) -> Made:
    """The result, also when this task is cancelled meanwhile: then it was too late for that."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    return task.result()
