"""Clips for `Generate` commands: planned, decoded, finished and written.

A command goes top-down through `admitted`, `_render`, `_plan` and `_write`. Threads read and write
files and finish clips; the model runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.clip import EarlyEnd
from bridge.clock.session_time import SessionTime
from bridge.commands import FROM_MELODY, ClipSettings, Generate, Stems
from bridge.config import RunOptions
from bridge.daemon.captures import CaptureEntry, CaptureRegistry, client_of
from bridge.daemon.clips import ClipRegistry
from bridge.daemon.continued import continued_path
from bridge.daemon.defaults import SessionDefaults
from bridge.daemon.engine_jobs import EngineJobs
from bridge.daemon.enough import enough
from bridge.daemon.eta import UNKNOWN_SECONDS, FinishingTimes, TimeLeft
from bridge.daemon.requests import DEFECT, RequestRegistry
from bridge.daemon.snapshot import CAPTURE
from bridge.daemon.stems import MelodyStems
from bridge.delivery import KnownClip, take_link, write_notes, write_take
from bridge.engine.process.host import EngineHost
from bridge.engine.process.job import Job, Result
from bridge.errors import (
    BadArgument,
    Cancelled,
    DiskFull,
    Internal,
    QueueFull,
)
from bridge.events import Progress, Remark
from bridge.melody import TranscribedNote, transcribe, usual_roots
from bridge.rendering import outputs
from bridge.rendering.early_ends import early_ends, share_of_needed
from bridge.rendering.plan import RenderPlan, prepare
from bridge.rendering.render import (
    RankedClip,
    RenderedClip,
    finish_clips,
    request_for,
    write_clips,
)
from bridge.timing import (
    FALLBACK_METER,
    FALLBACK_TEMPO_BPM,
    Meter,
    Take,
    bars_to_seconds,
    first_tempo,
)

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
NO_MELODY = "none"
"""The value of `melody` in a request that follows no melody."""
GENERATED_SHARE = 0.95
"""Share of the progress bar at the end of decoding; the rest is finishing and writing."""
WARM_UP_SECONDS = 20.0
"""How long stopping waits for the imports of `Renders.warm_up`; they take a second when idle."""

Value = TypeVar("Value")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _ClipRequest:
    """A `Generate` command with everything that is settled when it arrives.

    Attributes:
        melody: the capture to follow, finished or not; None: no melody.
        defaults: the session's settings.
        tempo_bpm, meter: the clip's; `"auto"`: the melody's own; None: a MIDI file's, or the
            fallback.
        corrected: the notes of a recording, as its client has corrected them.
        remarks: what a person should know before the clip is made.
    """

    command: Generate
    melody: CaptureEntry | None
    defaults: ClipSettings
    tempo_bpm: Fraction | Literal["auto"] | None
    meter: Meter | None
    remarks: tuple[str, ...]
    corrected: tuple[TranscribedNote, ...] | None = None


class Renders:
    """Renders what the session admits. For the event loop's thread."""

    def __init__(
        self,
        options: RunOptions,
        folder: Path,
        *,
        requests: RequestRegistry,
        defaults: SessionDefaults,
        session_time: SessionTime,
        captures: CaptureRegistry,
        engine: EngineHost,
        clips: ClipRegistry,
    ) -> None:
        """Args:
        folder: the clips folder.
        defaults: the session's own settings.
        """
        self._options, self._folder = options, folder
        self._requests, self._captures, self._clips = requests, captures, clips
        self._defaults, self._time, self._engine = defaults, session_time, engine
        self._jobs = EngineJobs(engine, lambda id, remark: self._publish_remarks(id, [remark]))
        self._stems = MelodyStems(self._jobs, requests)
        self._roots = (*usual_roots(), *options.melody_roots, folder)
        self._take_files = threading.Lock()
        # Fair: requests plan, and enter the engine's queue, in the order that they could begin.
        self._planning = asyncio.Lock()
        self._admitted: set[str] = set()
        self._unwritten_bytes = 0
        self._finishing_times = FinishingTimes()
        self._warming: threading.Thread | None = None

    def warm_up(self) -> None:
        """Import, in a thread, the libraries that would delay the first clip by seconds."""
        self._warming = threading.Thread(target=_warm_up, name="warm-up", daemon=True)
        self._warming.start()

    async def warmed_up(self) -> None:
        """Wait for the end of `warm_up`, if it has begun."""
        if self._warming is not None:
            # The process aborts when the interpreter ends in the middle of a native library's call.
            await asyncio.to_thread(self._warming.join, WARM_UP_SECONDS)

    def check_room(self) -> None:
        """Check that another request may be admitted.

        Raises:
            QueueFull: none may.
        """
        if len(self._admitted) >= MOST_ADMITTED:
            raise QueueFull(
                f"{len(self._admitted)} requests are being rendered or wait for it, and no more "
                "can: wait for one, or cancel one"
            )

    def admitted(self, command: Generate) -> Callable[[str], Coroutine[Any, Any, None]]:
        """Admit a request, and return its work; `ended` must follow.

        Raises:
            BridgeError: its melody or its settings cannot be used.
        """
        # Settled now: until the clip is rendered, the client may capture another melody or set
        # other defaults.
        melody = self._melody_of(command)
        request = _ClipRequest(
            command,
            melody,
            self._defaults.settings,
            self._tempo_of(command),
            self._time.meter(command.settings),
            self._remarks_on(command, melody),
            melody.corrected if melody is not None else None,
        )

        async def render(id: str) -> None:
            self._requests.publish(Progress(id, 0.0, UNKNOWN_SECONDS))
            self._publish_remarks(id, request.remarks)
            await self._render(request)

        self._admitted.add(command.id)
        return render

    def _tempo_of(self, command: Generate) -> Fraction | Literal["auto"] | None:
        if command.settings.get("tempo_bpm") == FROM_MELODY:
            return FROM_MELODY
        return self._time.tempo_bpm(command.settings)

    def ended(self, id: str) -> None:
        """Make room for another request."""
        self._admitted.discard(id)

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
        begun_seconds = time.perf_counter()
        continued = None
        if (named := request.command.continue_from) is not None:
            continued = await continued_path(named, self._clips, self._roots)
        async with self._planning:
            plan = await asyncio.to_thread(self._plan, request, continued)
            plan, done = await self._stems.applied(id, plan)
            engine_request, ends = request_for(plan), early_ends(plan)
            sound_seconds = engine_request.seconds * engine_request.variations
            time_left = TimeLeft(self._finishing_times, sound_seconds)
            due_seconds = self._due_seconds(plan, begun_seconds, sound_seconds)

            def on_progress(share: float) -> None:
                self._publish_progress(id, time_left, done, share_of_needed(ends, share))

            # Once more: it is planned, and from now on the engine has it.
            self._requests.publish(Progress(id, done, UNKNOWN_SECONDS))
            job = self._jobs.submit(engine_request, on_progress, due_seconds)
        self._publish_remarks(id, plan.remarks)

        def enough_of(job: Job) -> Awaitable[Result]:
            return enough(job, ends, on_progress)

        decoded = await self._jobs.result(id, job, on_progress, enough_of)
        self._admitted.discard(id)
        self._publish_remarks(id, decoded.remarks)
        finished = await asyncio.to_thread(_finished, plan, decoded.waveforms, ends)
        self._publish_remarks(id, (remark for clip in finished for remark in clip.finished.remarks))
        clips = await self._write_when_there_is_room(request, plan, finished, decoded.remarks)
        time_left.finished(time.perf_counter())
        self._clips.publish(id, clips)

    def _plan(self, request: _ClipRequest, continued: Path | None) -> RenderPlan:
        """Settle the request's options and read its melody; for a thread.

        Args:
            continued: the clip to go on from; None: a new beginning.
        """
        settled: dict[str, Any] = {
            "tempo_bpm": request.tempo_bpm,
            "meter": request.meter,
            "model": self._options.model,
            "decoder": self._options.decoder,
            "precision": self._options.precision,
            "device": self._options.device,
            "out": self._folder,
            "continue_from": continued,
        }
        take = None
        if request.melody is not None:
            take = request.melody.take.result()
            tempo_bpm = self._time.tempo_bpm(request.command.settings)
            settled["melody"] = self._melody_file(request.melody, first_tempo(tempo_bpm))
        if request.command.settings.get("stems") is None:
            settled["stems"] = _stems_of(request.melody, take)
        # A continuation follows its clip's own prompt where nothing else is given.
        if request.command.melody == NO_MELODY and continued is None:
            settled["unconditional"] = True
        options = self._defaults.options_for(request.command.settings, request.defaults, settled)
        return prepare(options, take, request.corrected)

    def _due_seconds(
        self, plan: RenderPlan, begun_seconds: float, sound_seconds: float
    ) -> float | None:
        """When the engine has to be done, so that the clips are there when they are wanted.

        Args:
            begun_seconds: when the melody was there; the result is on the same clock.
            sound_seconds: audio to be finished, all variations together.

        Returns:
            None: they are wanted whenever they are made.
        """
        bars = plan.options.due_bars
        if not bars:
            return None
        wanted_seconds = begun_seconds + float(bars_to_seconds(bars, plan.meter, plan.tempo_bpm))
        return wanted_seconds - self._finishing_times.expected(sound_seconds)

    def _write_notes(self, plan: RenderPlan) -> None:
        """Write the notes that led beside their recording, if that is in the folder for takes."""
        take, melody, notes = plan.take, plan.options.melody, plan.notes
        if take is None or melody is None or notes is None:
            return
        if not isinstance(take.source, Waveform) or take_link(self._folder, melody) is None:
            return
        tempo_bpm = take.tempo_bpm or plan.tempo_bpm
        with self._take_files:
            try:
                write_notes(melody, notes, tempo_bpm=tempo_bpm, meter=take.meter or plan.meter)
            except OSError as error:
                # The clip does not need them: its sidecar has the notes too.
                _log.warning("the notes of %s cannot be written: %s", melody.name, error.strerror)

    def _melody_file(self, melody: CaptureEntry, tempo_bpm: Fraction) -> Path:
        """The file that holds the melody. A take from the input is written when first used."""
        # Two requests may render from it at once, each in a thread.
        with self._take_files:
            if melody.path is None:
                take = melody.take.result()
                melody.path = write_take(self._folder, take, title=melody.id, tempo_bpm=tempo_bpm)
            return melody.path

    def _publish_progress(self, id: str, time_left: TimeLeft, done: float, share: float) -> None:
        """Publish how far a request is.

        Args:
            done: its progress before it was generated.
            share: of the steps that are made.
        """
        seconds = time_left.after(share, time.perf_counter())
        eta_seconds = UNKNOWN_SECONDS if seconds is None else seconds
        progress = done + share * (GENERATED_SHARE - done)
        self._requests.publish(Progress(id, progress, eta_seconds))

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
            self._write_notes(plan)
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


def _stems_of(melody: CaptureEntry | None, take: Take | None) -> Stems | None:
    """What the capture says of its stems; None: nothing."""
    if melody is None or take is None or not isinstance(take.source, Waveform):
        # There is no recording: that the session separates all of them is no mistake here.
        return "auto"
    return melody.stems


def _finished(
    plan: RenderPlan, waveforms: Sequence[Waveform], ends: Sequence[EarlyEnd]
) -> list[RankedClip]:
    """The finished clips.

    Raises:
        Internal: a mistake in the arguments shows so late only after a defect.
    """
    try:
        return finish_clips(plan, waveforms, ends[: len(waveforms)])
    except BadArgument as error:
        _log.exception("a clip could not be finished")
        raise Internal(f"{DEFECT}: {error}") from error


async def uncancellable(work: Coroutine[Any, Any, Value]) -> Value:
    """Run to the result, also when this task is cancelled meanwhile: the cancel is too late."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    return task.result()


def _warm_up() -> None:
    """Hear and finish a plain beat: some libraries import most of their modules on first use."""
    from bridge.clip import finish

    beat = np.zeros((MODEL_SAMPLE_RATE // 2, 2), np.float32)
    beat[0] = 1.0
    beats = Waveform(np.tile(beat, (5, 1)), MODEL_SAMPLE_RATE)
    transcribe(beats)
    finish(
        beats,
        bars=1,
        tempo_bpm=FALLBACK_TEMPO_BPM,
        meter=FALLBACK_METER,
        sample_rate=MODEL_SAMPLE_RATE,
    )
