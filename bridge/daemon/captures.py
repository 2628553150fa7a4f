"""The captures: melodies from the input, from files and from notes, finished or under way."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from bridge.audio import Waveform
from bridge.capture.begin import Capture
from bridge.clock.session_time import SessionTime
from bridge.commands import LOOP_PREFIX, CaptureFile, CaptureLast, CaptureNotes, CaptureStart, Stems
from bridge.daemon.bounded import Bounded
from bridge.daemon.capture_sources import CaptureSources
from bridge.daemon.melody_files import MelodyFiles
from bridge.daemon.notes import joined_notes, take_of_notes
from bridge.daemon.requests import DEFECT, RequestRegistry
from bridge.errors import (
    BadArgument,
    BridgeError,
    Cancelled,
    Internal,
    NotEnoughBars,
    SilentMelody,
    UnknownMelody,
)
from bridge.events import CaptureChanged, CaptureState, Done, Failed, Remark
from bridge.melody import TranscribedNote
from bridge.rendering.meant import notes_in_seconds
from bridge.soundcard.level import LOWEST_DB, peak_db
from bridge.soundcard.ring import Overwritten
from bridge.timing import Take, beats_to_seconds, first_meter, first_tempo

MOST_CAPTURES = 32
"""Captures that a request can still render from."""
MOST_AUDIO_BYTES = 256 * 1024**2
"""Memory for the audio of all takes; a take from a file needs 77 MB at most."""
PUBLISH_SECONDS = 0.1
"""How often a capture's length and peak are published."""
NOTES_SECONDS = 300.0
"""A capture of notes is closed when no more come for this long."""
MOST_OPEN_NOTES = 16
"""Captures of notes that are open at a time: a quarter of all requests under way."""
MOST_CLIENTS = 1000
"""Clients whose newest capture is remembered."""

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class CaptureEntry:
    """One capture.

    Attributes:
        take: the melody, or the error that ended the capture, once it has ended.
        path: the file that holds the melody; None: none yet.
        stems: what its clips do with a mix; None: as they or the session say.
        recipe: fields about the capture for a clip's sidecar.
        remarks: what a person should know of the capture, a sentence each.
        running: the recording under way.
        notes: the notes of `capture/notes` so far, while more may come.
        corrected: the notes of a recording, as a client has corrected them; None: as they are
            heard.
        notes_seconds: when the newest of them came.
        bars: how many were asked for; 0: open.
        published_seconds: when the capture's state was last published.
    """

    id: str
    take: asyncio.Future[Take]
    path: Path | None = None
    stems: Stems | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    running: Capture | None = None
    notes: CaptureNotes | None = None
    corrected: tuple[TranscribedNote, ...] | None = None
    notes_seconds: float = 0.0
    bars: int = 0
    published_seconds: float = 0.0


class CaptureRegistry:
    """All captures by id. For the event loop's thread; files are read in others.

    Args:
        sources: begins captures of what is played.
        files: reads melody files.
    """

    def __init__(
        self,
        requests: RequestRegistry,
        session_time: SessionTime,
        *,
        sources: CaptureSources,
        files: MelodyFiles,
    ) -> None:
        self._requests, self._time = requests, session_time
        self._sources, self._files = sources, files
        self._entries: dict[str, CaptureEntry] = {}
        self._newest: Bounded[str, str] = Bounded(MOST_CLIENTS)
        self._tasks: set[asyncio.Task[None]] = set()
        # One thread of its own: behind slow files the ring would overwrite what is to be cut.
        self._cutter = ThreadPoolExecutor(1, "cut captures")

    @property
    def recording(self) -> bool:
        """Whether a capture records the input or played notes."""
        return any(entry.running is not None for entry in self._entries.values())

    @property
    def count_in_until(self) -> float | None:
        """When the count-in of a recording ends, the last one; None: none is under way."""
        ends = [
            entry.running.count_in_until
            for entry in self._entries.values()
            if entry.running is not None and entry.running.count_in_until is not None
        ]
        return max(ends, default=None)

    def begin(
        self, command: CaptureStart | CaptureLast | CaptureFile | CaptureNotes, now_seconds: float
    ) -> None:
        """Begin a capture; replay its last state when it was begun before.

        More notes with the same id add to the earlier ones, until the capture is stopped or a
        request renders from it. Notes with the id of a recording correct it, likewise.

        Raises:
            BadArgument: the id belongs to another request, or takes no more notes.
            QueueFull: too many requests are under way.
        """
        known = self._entries.get(command.id)
        if isinstance(command, CaptureNotes) and known is not None and known.notes is not None:
            try:
                known.notes = joined_notes(known.notes, command)
                known.notes_seconds = now_seconds
            except BadArgument as error:
                if known.take.done():
                    known.notes = None
                    raise
                self._fail(known, error)
            return
        if isinstance(command, CaptureNotes) and known is not None and _recording(known):
            self._make_room_for_notes()
            known.notes, known.notes_seconds = command, now_seconds
            return
        if isinstance(command, CaptureNotes):
            if known is None:
                self._make_room_for_notes()
            elif not _has_notes(known, command):
                raise BadArgument(
                    f"{command.id} takes no more notes: send all of them under another id"
                )
        # More notes under one id belong to it, so only other captures can be compared.
        compared = None if isinstance(command, CaptureNotes) else command
        if not self._requests.begin(command.id, "capture", compared):
            return
        entry = self._add(command.id)
        try:
            self._start(entry, command, now_seconds)
        except BridgeError as error:
            self._fail(entry, error)

    def stop(self, id: str, now_seconds: float) -> None:
        """End a capture: at the bar line when the DAW plays; of notes, at once.

        Raises:
            UnknownMelody: no capture has that id.
        """
        entry = self._entries.get(id)
        if entry is None:
            raise UnknownMelody(f"no capture has the id {id!r}: start one first")
        if entry.running is not None:
            entry.running.stop(now_seconds)
        elif entry.notes is not None:
            self._close_notes(entry)
        else:
            self._requests.replay(id)

    def find(self, id: str) -> CaptureEntry:
        """The capture of that id. A capture of notes is complete from now on.

        Raises:
            UnknownMelody: no capture has that id, or it was too long ago.
        """
        entry = self._entries.get(id)
        if entry is None:
            raise UnknownMelody(
                f"melody {id!r}: no capture has that id; the last {MOST_CAPTURES} are kept, "
                "or write none"
            )
        if entry.notes is not None:
            self._close_notes(entry)
        return entry

    def newest(self, client: str) -> CaptureEntry | None:
        """The client's newest capture, finished or not; None when it has made none.

        Raises:
            UnknownMelody: it was too long ago.
        """
        id = self._newest.get(client)
        return None if id is None else self.find(id)

    def cancel(self, id: str, because: str) -> bool:
        """Cancel a capture. Return False when none of that id is under way."""
        entry = self._entries.get(id)
        if entry is None or entry.take.done():
            return False
        self._fail(entry, Cancelled(because))
        return True

    def poll(self, now_seconds: float) -> None:
        """Update what is under way; to be called every few hundredths of a second."""
        for entry in list(self._entries.values()):
            if entry.running is not None:
                self._update(entry, entry.running, now_seconds)
            elif entry.notes is not None and now_seconds > entry.notes_seconds + NOTES_SECONDS:
                self._remark(entry, f"closed, because no notes came for {NOTES_SECONDS:g} s")
                self._close_notes(entry)

    def input_lost(self, now_seconds: float) -> None:
        """End every recording with the audio that it has: no more comes."""
        for entry in list(self._entries.values()):
            if entry.running is not None:
                entry.running.input_lost()
                self._update(entry, entry.running, now_seconds)

    def _start(
        self,
        entry: CaptureEntry,
        command: CaptureStart | CaptureLast | CaptureFile | CaptureNotes,
        now_seconds: float,
    ) -> None:
        match command:
            case CaptureNotes():
                entry.notes, entry.notes_seconds = command, now_seconds
                self._publish(entry, "recording")
            case CaptureFile():
                entry.stems = command.stems
                self._publish(entry, "recording")
                self._start_task(self._read(entry, command))
            case CaptureStart() | CaptureLast():
                entry.running = self._sources.begin(command, now_seconds)
                entry.bars, entry.stems = command.bars or 0, command.stems
                self._publish(entry, entry.running.state)
                self._update(entry, entry.running, now_seconds)

    def _update(self, entry: CaptureEntry, running: Capture, now_seconds: float) -> None:
        before = running.state
        try:
            running.poll(now_seconds)
        except Exception as error:
            self._fail_recording(entry, error)
            return
        for remark in running.remarks[len(entry.remarks) :]:
            self._remark(entry, remark)
        if running.settled:
            entry.running = None
            self._start_task(self._cut(entry, running))
        elif running.state != before or now_seconds >= entry.published_seconds + PUBLISH_SECONDS:
            entry.published_seconds = now_seconds
            self._publish(entry, running.state, running.seconds, running.peak_db)

    async def _cut(self, entry: CaptureEntry, settled: Capture) -> None:
        """Cut a recording's take in a thread, and finish the capture with it."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._cutter, settled.cut)
        except Exception as error:
            self._fail_recording(entry, error)
            return
        assert settled.take is not None
        for remark in settled.remarks[len(entry.remarks) :]:
            self._remark(entry, remark)
        self._finish(entry, settled.take, settled.seconds, settled.peak_db)

    def _fail_recording(self, entry: CaptureEntry, error: Exception) -> None:
        match error:
            case BridgeError():
                self._fail(entry, error)
            case Overwritten():
                message = "the daemon was held up until the audio was overwritten: capture it again"
                self._fail(entry, NotEnoughBars(message))
            case _:
                _log.error("capture %s failed", entry.id, exc_info=error)
                self._fail(entry, Internal(DEFECT))

    def _remark(self, entry: CaptureEntry, text: str) -> None:
        """Add a remark to a capture that is under way, and publish it now."""
        if not entry.take.done():
            entry.remarks += (text,)
            self._requests.publish(Remark(entry.id, text))

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, entry: CaptureEntry, command: CaptureFile) -> None:
        """Read a file in a thread, and finish the capture with it."""
        try:
            melody = await self._files.read(command)
        except BridgeError as error:
            self._fail(entry, error)
            return
        except Exception:
            _log.exception("%s could not be read", command.path)
            self._fail(entry, Internal(DEFECT))
            return
        entry.path, entry.recipe, take = melody.path, melody.recipe, melody.take
        if isinstance(take.source, Waveform):
            self._finish(entry, take, take.source.seconds, peak_db(take.source.samples))
        else:
            self._finish(entry, take, float(take.times.seconds_at(take.end_beats)))

    def _make_room_for_notes(self) -> None:
        """Close the oldest open notes of the client that has most of them, when there are many."""
        entries = [entry for entry in self._entries.values() if entry.notes is not None]
        if len(entries) < MOST_OPEN_NOTES:
            return
        open_of = Counter(client_of(entry.id) for entry in entries)
        oldest = max(entries, key=lambda entry: open_of[client_of(entry.id)])
        self._remark(oldest, f"closed, because {MOST_OPEN_NOTES} others of notes were begun")
        self._close_notes(oldest)

    def _close_notes(self, entry: CaptureEntry) -> None:
        """Finish a capture with the notes so far."""
        notes, entry.notes = entry.notes, None
        assert notes is not None
        if entry.take.done():
            self._correct(entry, notes)
            return
        try:
            take = take_of_notes(notes, first_meter(self._time.meter()))
        except SilentMelody as error:
            self._fail(entry, error)
            return
        assert take.length_beats is not None
        self._finish(entry, take, self._seconds_of(take.length_beats))

    def _correct(self, entry: CaptureEntry, notes: CaptureNotes) -> None:
        """Let these notes lead in place of those that are heard in a recording.

        That capture has ended, so the reply bypasses what is remembered of it.
        """
        take = entry.take.result()
        tempo_bpm = first_tempo(take.tempo_bpm, self._time.tempo_bpm())
        entry.corrected = (
            notes_in_seconds(notes.notes, take.first_beat_seconds, tempo_bpm)
            if notes.notes
            else None
        )
        self._requests.reply(Done(entry.id, len(notes.notes)))

    def _seconds_of(self, beats: Fraction) -> float:
        """Length of notes in seconds, at the session's tempo."""
        return float(beats_to_seconds(beats, first_tempo(self._time.tempo_bpm())))

    def _add(self, id: str) -> CaptureEntry:
        entry = CaptureEntry(id, asyncio.get_running_loop().create_future())
        # Mark the error as retrieved: it is published, also when nobody renders from the capture.
        entry.take.add_done_callback(lambda take: take.cancelled() or take.exception())
        self._entries.pop(id, None)
        self._entries[id] = entry
        self._newest[_owner_of(id)] = id
        self._forget_oldest()
        return entry

    def _forget_oldest(self) -> None:
        """Forget finished captures beyond the limits, but always keep one.

        A client's newest capture goes last: its next request renders from it by default.
        """
        finished = [entry for entry in self._entries.values() if entry.take.done()]
        surplus, audio_bytes = len(self._entries) - MOST_CAPTURES, sum(map(_audio_bytes, finished))
        newest = set(self._newest.values())
        for entry in sorted(finished, key=lambda entry: entry.id in newest)[:-1]:
            if surplus <= 0 and audio_bytes <= MOST_AUDIO_BYTES:
                return
            surplus, audio_bytes = surplus - 1, audio_bytes - _audio_bytes(entry)
            del self._entries[entry.id]

    def _finish(
        self, entry: CaptureEntry, take: Take, seconds: float, peak_db: float = LOWEST_DB
    ) -> None:
        if entry.take.done():
            return
        entry.running = None
        entry.take.set_result(take)
        self._forget_oldest()
        self._publish(entry, "done", seconds, peak_db)
        self._requests.publish(Done(entry.id, 0))

    def _fail(self, entry: CaptureEntry, error: BridgeError) -> None:
        if entry.take.done():
            return
        entry.running = entry.notes = None
        # Without the traceback, whose frames hold the audio.
        entry.take.set_exception(error.with_traceback(None))
        self._requests.publish(Failed.of(entry.id, error))

    def _publish(
        self,
        entry: CaptureEntry,
        state: CaptureState,
        seconds: float = 0.0,
        peak_db: float = LOWEST_DB,
    ) -> None:
        bar, tempo_bpm = 0, self._time.tempo_bpm()
        if state == "recording" and entry.running is not None and tempo_bpm is not None:
            beats = seconds * float(tempo_bpm) / 60
            bar = 1 + int(beats / float(first_meter(self._time.meter()).beats_per_bar))
            bar = min(bar, entry.bars or bar)
        changed = CaptureChanged(entry.id, state, seconds, peak_db, bar, entry.bars)
        self._requests.publish(changed)


def client_of(id: str) -> str:
    """The client's name in a request's id: `live1` in `live1-7`.

    All ids without a dash belong to one client, whose name is empty.
    """
    return id.rpartition("-")[0]


def _owner_of(id: str) -> str:
    """Whose newest capture is kept: a client's, or one live loop's."""
    return id.rpartition(".")[0] if id.startswith(LOOP_PREFIX) else client_of(id)


def _recording(entry: CaptureEntry) -> Waveform | None:
    """The sound of a finished capture; None: it has none."""
    if not entry.take.done() or entry.take.cancelled() or entry.take.exception() is not None:
        return None
    source = entry.take.result().source
    return source if isinstance(source, Waveform) else None


def _has_notes(known: CaptureEntry, command: CaptureNotes) -> bool:
    """Whether a capture has the notes of a message already, or failed."""
    if not known.take.done():
        return False
    if known.take.cancelled() or known.take.exception() is not None:
        return True
    source = known.take.result().source
    return not isinstance(source, Waveform) and set(command.notes) <= set(source)


def _audio_bytes(entry: CaptureEntry) -> int:
    """Memory that a finished capture's audio takes."""
    recording = _recording(entry)
    return 0 if recording is None else recording.samples.nbytes
