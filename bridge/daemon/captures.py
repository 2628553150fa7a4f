"""Every melody that was captured, from the input, a file, or notes: finished or under way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from bridge.audio import Waveform
from bridge.capture import begin as takes
from bridge.capture.begin import Capture
from bridge.capture.source import Source
from bridge.clock.beat_clock import BeatClock
from bridge.commands import (
    CaptureChanged,
    CaptureFile,
    CaptureLast,
    CaptureNotes,
    CaptureStart,
    CaptureState,
    Done,
    Failed,
)
from bridge.config import DEFAULT_TEMPO_BPM
from bridge.daemon.requests import RequestRegistry
from bridge.errors import (
    BadArgument,
    BridgeError,
    Cancelled,
    NoInput,
    NotEnoughBars,
    SilentMelody,
    UnknownMelody,
    Unsupported,
)
from bridge.melody import allowed_path, cut, read_melody
from bridge.soundcard.level import LOWEST_DB, peak_db
from bridge.soundcard.listener import Listener
from bridge.soundcard.ring import Overwritten, Ring
from bridge.timing import Meter, Take, beats_to_seconds

KEPT = 32
"""Takes that can still be rendered from."""
KEPT_BYTES = 256 * 1024**2
"""What their sound may take in memory; one of ten minutes takes 200 MB."""
DEFECT = "this is a defect of melody-bridge: its log tells more"
PUBLISH_SECONDS = 0.1
"""How often clients hear how far a capture is."""
MOST_READERS = 2
"""Files read at a time: ten minutes of one are 200 MB before they are cut."""
MOST_CLIENTS = 1000
"""Of whom the newest capture is known."""
MOST_NOTES = 10_000
"""Of one melody; a message holds some hundred."""

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class CaptureEntry:
    """One capture.

    Attributes:
        take: the melody, or why there is none, once it is finished.
        path: the file that the melody lies in; None: none yet.
        recipe: what a clip's sidecar tells of it.
        remarks: sentences on how it was captured.
        running: what is being recorded.
        notes: what `capture/notes` has brought so far.
        published_seconds: when clients last heard of it.
    """

    id: str
    take: asyncio.Future[Take]
    path: Path | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    running: Capture | None = None
    notes: CaptureNotes | None = None
    published_seconds: float = 0.0


class CaptureRegistry:
    """All of them, by id. For the event loop's thread; files are read in others.

    Args:
        session_time: the session's tempo, None when nobody told any, and its meter.
        listener: what hears the input; None: nothing does.
        melody_roots: folders that a message may name files in.
        input_latency_seconds: how much later than it was played a sound is captured.
    """

    def __init__(
        self,
        requests: RequestRegistry,
        clock: BeatClock,
        session_time: Callable[[], tuple[Fraction | None, Meter]],
        *,
        listener: Listener | None,
        melody_roots: Iterable[Path],
        input_latency_seconds: float,
    ) -> None:
        self._requests, self._clock, self._session_time = requests, clock, session_time
        self._listener = listener
        self._melody_roots = tuple(melody_roots)
        self._latency_seconds = input_latency_seconds
        self._all: dict[str, CaptureEntry] = {}
        self._newest: dict[str, str] = {}
        self._reading: set[asyncio.Task[None]] = set()
        self._readers = asyncio.Semaphore(MOST_READERS)

    @property
    def recording(self) -> bool:
        """Whether something is being taken from the input."""
        return any(captured.running is not None for captured in self._all.values())

    def begin(
        self, command: CaptureStart | CaptureLast | CaptureFile | CaptureNotes, now_seconds: float
    ) -> None:
        """Begin a capture; one that was begun before is answered with its last state.

        More notes of one id add to those that came before, until it is stopped or rendered from.

        Raises:
            BadArgument: the id belongs to another request.
            QueueFull: too many are under way.
        """
        known = self._all.get(command.id)
        if isinstance(command, CaptureNotes) and known is not None and known.notes is not None:
            notes = known.notes.notes + command.notes
            if len(notes) > MOST_NOTES:
                error = BadArgument(f"{len(notes)} notes: a melody has {MOST_NOTES} at most")
                self._fail(known, error)
            else:
                known.notes = replace(command, notes=notes)
            return
        if not self._requests.begin(command.id, "capture"):
            return
        captured = self._add(command.id)
        try:
            self._take_up(captured, command, now_seconds)
        except BridgeError as error:
            self._fail(captured, error)

    def stop(self, id: str, now_seconds: float) -> None:
        """End a capture: at the bar line when the DAW plays; of notes, at once.

        Raises:
            UnknownMelody: there is none of that id.
        """
        captured = self._all.get(id)
        if captured is None:
            raise UnknownMelody(f"no capture has the id {id!r}: start one first")
        if captured.running is not None:
            captured.running.stop(now_seconds)
        elif captured.notes is not None:
            self._close_notes(captured)
        else:
            self._requests.replay(id)

    def find(self, id: str) -> CaptureEntry:
        """The capture of that id; notes that were still coming are complete from now on.

        Raises:
            UnknownMelody: there is none, or it was too long ago.
        """
        captured = self._all.get(id)
        if captured is None:
            raise UnknownMelody(
                f"melody {id!r}: no capture has that id; the last {KEPT} are kept, or write none"
            )
        if captured.notes is not None:
            self._close_notes(captured)
        return captured

    def newest(self, client: str) -> CaptureEntry | None:
        """The client's newest capture, finished or not; None when it has made none.

        Raises:
            UnknownMelody: it was too long ago.
        """
        id = self._newest.get(client)
        return None if id is None else self.find(id)

    def cancel(self, id: str, because: str) -> bool:
        """Give a capture up; False when there is none under way."""
        captured = self._all.get(id)
        if captured is None or captured.take.done():
            return False
        self._fail(captured, Cancelled(because))
        return True

    def poll(self, now_seconds: float) -> None:
        """See how far what is being recorded is; to be called every few hundredths of a second."""
        for captured in list(self._all.values()):
            if captured.running is not None:
                self._look_at(captured, captured.running, now_seconds)

    def input_lost(self, now_seconds: float) -> None:
        """What is being recorded ends with what it has: nothing more comes."""
        for captured in list(self._all.values()):
            if captured.running is not None:
                captured.running.lost(now_seconds)
                self._look_at(captured, captured.running, now_seconds)

    def _take_up(
        self,
        captured: CaptureEntry,
        command: CaptureStart | CaptureLast | CaptureFile | CaptureNotes,
        now_seconds: float,
    ) -> None:
        match command:
            case CaptureNotes():
                captured.notes = command
                self._publish(captured, "recording")
            case CaptureFile():
                self._publish(captured, "recording")
                task = asyncio.create_task(self._read(captured, command))
                self._reading.add(task)
                task.add_done_callback(self._reading.discard)
            case CaptureStart() | CaptureLast():
                captured.running = self._recording(command, now_seconds)
                if self._listener is not None and self._listener.state != "ready":
                    # The last ring is still there, and gets no more.
                    captured.running.lost(now_seconds)
                self._publish(captured, captured.running.state)
                self._look_at(captured, captured.running, now_seconds)

    def _recording(self, command: CaptureStart | CaptureLast, now_seconds: float) -> Capture:
        tempo_bpm, meter = self._session_time()
        source = Source(
            self._ring(), self._clock, self._latency_seconds, tempo_bpm, meter, command.id
        )
        if isinstance(command, CaptureStart):
            return takes.start(source, command.bars, now_seconds)
        return takes.last(source, command.bars, now_seconds)

    def _ring(self) -> Ring:
        if self._listener is None:
            raise NoInput("nothing is heard: the daemon runs with input none; start it with one")
        if self._listener.ring is None:
            raise NoInput(f"nothing is heard: {self._listener.detail}")
        return self._listener.ring

    def _look_at(self, captured: CaptureEntry, running: Capture, now_seconds: float) -> None:
        before = running.state
        try:
            running.poll(now_seconds)
        except BridgeError as error:
            self._fail(captured, error)
            return
        except Overwritten:
            why = "the daemon was held up for so long that the sound is gone: ask again"
            self._fail(captured, NotEnoughBars(why))
            return
        except Exception:
            _log.exception("capture %s failed", captured.id)
            self._fail(captured, Unsupported(DEFECT))
            return
        if running.take is not None:
            captured.remarks = running.remarks
            self._finish(captured, running.take, running.seconds, running.peak_db)
        elif running.state != before or now_seconds >= captured.published_seconds + PUBLISH_SECONDS:
            captured.published_seconds = now_seconds
            self._publish(captured, running.state, running.seconds, running.peak_db)

    async def _read(self, captured: CaptureEntry, command: CaptureFile) -> None:
        """A file becomes a take, in a thread."""
        try:
            async with self._readers:
                path, take = await asyncio.to_thread(_read_file, command, self._melody_roots)
        except BridgeError as error:
            self._fail(captured, error)
            return
        except Exception:
            _log.exception("%s could not be read", command.path)
            self._fail(captured, Unsupported(DEFECT))
            return
        captured.path = path
        captured.recipe = {
            "melody_start_seconds": command.start_seconds,
            "melody_length_seconds": command.length_seconds,
            "melody_wrap": command.wrap,
        }
        if isinstance(take.source, Waveform):
            self._finish(captured, take, take.source.seconds, peak_db(take.source.samples))
        else:
            end = max(note.start_beat + note.length_beats for note in take.source)
            self._finish(captured, take, self._seconds_of(take.length_beats or end, take.tempo_bpm))

    def _close_notes(self, captured: CaptureEntry) -> None:
        """No more notes come: they are the melody."""
        notes, captured.notes = captured.notes, None
        assert notes is not None
        if not notes.notes:
            error = f"{captured.id} has no note: send some before it is stopped or rendered from"
            self._fail(captured, SilentMelody(error))
            return
        _, meter = self._session_time()
        ordered = sorted(notes.notes, key=lambda note: (note.start_beat, note.pitch))
        length_beats = notes.bars * meter.beats_per_bar
        take = Take(tuple(ordered), meter=meter, name=captured.id, length_beats=length_beats)
        self._finish(captured, take, self._seconds_of(length_beats))

    def _seconds_of(self, beats: Fraction, tempo_bpm: Fraction | None = None) -> float:
        """How long notes are: at their own tempo, else the session's."""
        tempo_bpm = tempo_bpm or self._session_time()[0] or DEFAULT_TEMPO_BPM
        return float(beats_to_seconds(beats, tempo_bpm))

    def _add(self, id: str) -> CaptureEntry:
        captured = CaptureEntry(id, asyncio.get_running_loop().create_future())
        # Whether anybody ever renders from it or not, why it failed has been told.
        captured.take.add_done_callback(lambda take: take.cancelled() or take.exception())
        self._all.pop(id, None)
        self._all[id] = captured
        client = client_of(id)
        self._newest.pop(client, None)
        self._newest[client] = id
        if len(self._newest) > MOST_CLIENTS:
            del self._newest[next(iter(self._newest))]
        self._forget_oldest()
        return captured

    def _forget_oldest(self) -> None:
        finished = [one for one in self._all.values() if one.take.done()]
        spare, sound_bytes = len(self._all) - KEPT, sum(map(_sound_bytes, finished))
        newest = set(self._newest.values())
        # What some client would render from next goes last.
        for old in sorted(finished, key=lambda one: one.id in newest)[:-1]:
            if spare <= 0 and sound_bytes <= KEPT_BYTES:
                return
            spare, sound_bytes = spare - 1, sound_bytes - _sound_bytes(old)
            del self._all[old.id]

    def _finish(
        self, captured: CaptureEntry, take: Take, seconds: float, peak_db: float = LOWEST_DB
    ) -> None:
        if captured.take.done():
            return
        captured.running = None
        captured.take.set_result(take)
        self._forget_oldest()
        self._publish(captured, "done", seconds, peak_db)
        self._requests.publish(Done(captured.id, 0))

    def _fail(self, captured: CaptureEntry, error: BridgeError) -> None:
        if captured.take.done():
            return
        captured.running = captured.notes = None
        captured.take.set_exception(error)
        self._requests.publish(Failed(captured.id, error.code, str(error)))

    def _publish(
        self,
        captured: CaptureEntry,
        state: CaptureState,
        seconds: float = 0.0,
        peak_db: float = LOWEST_DB,
    ) -> None:
        self._requests.publish(CaptureChanged(captured.id, state, seconds, peak_db))


def client_of(id: str) -> str:
    """Whose request it is: `live1` of `live1-7`."""
    return id.rpartition("-")[0] or id


def _sound_bytes(captured: CaptureEntry) -> int:
    """What a finished capture's audio takes in memory."""
    if captured.take.cancelled() or captured.take.exception() is not None:
        return 0
    source = captured.take.result().source
    return source.samples.nbytes if isinstance(source, Waveform) else 0


def _read_file(command: CaptureFile, roots: Iterable[Path]) -> tuple[Path, Take]:
    path = allowed_path(command.path, roots)
    take = read_melody(path, tempo_bpm=command.tempo_bpm, meter=command.meter)
    if command.start_seconds or command.length_seconds is not None:
        take = cut(
            take,
            start_seconds=command.start_seconds,
            length_seconds=command.length_seconds,
            wrap=command.wrap,
        )
    return path, take
