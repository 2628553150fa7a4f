"""Begins captures of what is played: of sound, of notes, or of whichever is there."""

from __future__ import annotations

from collections.abc import Callable

from bridge.capture import begin as capture_begin
from bridge.capture.begin import Capture
from bridge.capture.either import NOTES_COUNT, SoundOrNotes
from bridge.capture.note_source import NoteSource
from bridge.capture.played import PlayedNotes
from bridge.capture.sound import SoundSource
from bridge.clock.session_time import SessionTime
from bridge.commands import CaptureLast, CaptureStart, MelodySource
from bridge.daemon.count_in import CountIn
from bridge.errors import NoInput
from bridge.soundcard.listener import Listener
from bridge.soundcard.ring import Ring
from bridge.timing import first_meter


class CaptureSources:
    """The input and the played notes.

    Args:
        listener: records the input; None: the daemon has no input.
        input_latency_seconds: delay from when a sound is played to when it is captured.
        played: the notes that are played on MIDI inputs.
        source: gives what captures take that name no source.
        count_in: before recordings.
    """

    def __init__(
        self,
        session_time: SessionTime,
        *,
        listener: Listener | None,
        input_latency_seconds: float,
        played: PlayedNotes,
        source: Callable[[], MelodySource],
        count_in: CountIn,
    ) -> None:
        self._time = session_time
        self._listener, self._latency_seconds = listener, input_latency_seconds
        self._played, self._source, self._count_in = played, source, count_in

    def begin(self, command: CaptureStart | CaptureLast, now_seconds: float) -> Capture:
        """Begin the capture of sound, of notes, or of both.

        Raises:
            BadArgument, NotEnoughBars: as `capture.begin`, and `CountIn.begin`.
            NoInput: nothing is there that could be recorded.
        """
        chosen, remarks = self._chosen(command)
        ring = None if chosen == "midi" else self._ring()
        notes = None if chosen == "sound" else self._notes()
        # Now that something can be recorded: it may start the clock, which then counts.
        count_in_bars = 0
        if isinstance(command, CaptureStart):
            count_in_bars = self._count_in.begin(command, now_seconds)
        session = (
            self._time.bar_lines,
            self._time.tempo_bpm(),
            first_meter(self._time.meter()),
            command.id,
        )
        sources: list[SoundSource | NoteSource] = []
        if ring is not None:
            sources.append(SoundSource(ring, self._latency_seconds, *session))
        if notes is not None:
            sources.append(NoteSource(notes, *session))
        begun = [_begun(source, command, now_seconds, count_in_bars) for source in sources]
        capture = begun[0] if len(begun) == 1 else SoundOrNotes(*begun)
        capture.remarks = remarks
        if self._listener is not None and self._listener.state != "ready":
            # The last ring is still there, but gets no more audio.
            capture.input_lost()
        return capture

    def _chosen(self, command: CaptureStart | CaptureLast) -> tuple[MelodySource, tuple[str, ...]]:
        """What to capture, `auto` only where there are both, and what a person should know."""
        chosen = command.source or self._source()
        if chosen != "auto":
            return chosen, ()
        if not self._played.is_open:
            return "sound", ()
        if self._listener is None:
            return "midi", ()
        if self._listener.ring is None:
            return "midi", (f"no input to record: {self._listener.detail}; {NOTES_COUNT}",)
        return "auto", ()

    def _notes(self) -> PlayedNotes:
        if not self._played.is_open:
            raise NoInput("no MIDI input is open: plug one in, and run the daemon with --midi auto")
        return self._played

    def _ring(self) -> Ring:
        if self._listener is None:
            raise NoInput("the daemon runs with input none: start it with an input to record")
        if self._listener.ring is None:
            raise NoInput(f"no input to record: {self._listener.detail}")
        return self._listener.ring


def _begun(
    source: SoundSource | NoteSource,
    command: CaptureStart | CaptureLast,
    now_seconds: float,
    count_in_bars: int,
) -> Capture:
    if isinstance(command, CaptureStart):
        return capture_begin.start(source, command.bars, now_seconds, count_in_bars=count_in_bars)
    return capture_begin.last(source, command.bars, now_seconds)
