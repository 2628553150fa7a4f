"""What every capture is to those who wait for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction

from bridge.capture.source import Source
from bridge.commands import CaptureState
from bridge.errors import NoInput
from bridge.soundcard.level import LOWEST_DB, peak_db
from bridge.timing import Meter, Span, Take

LOST_AGO_SECONDS = 8.0
"""What was hummed longer before the input was lost than this is no longer what is meant."""
SHORT_GAP_SECONDS = 0.1
"""Lost by the input at once, it costs a melody at most one 128 ms step of its chroma."""
LOST = "the input was lost before anything was recorded: plug it in again, or choose another"


class Capture(ABC):
    """One capture, until it is done.

    Attributes:
        state: `waiting` for what begins it, `recording`, or `done`.
        seconds: how long it is so far.
        peak_db: its highest peak so far in dBFS, -120 when silent.
        take: the result, once it is done. It begins on a bar line, or at an onset.
        remarks: sentences on what is not as was asked for.
    """

    def __init__(self, source: Source) -> None:
        self.state: CaptureState = "waiting"
        self.seconds = 0.0
        self.peak_db = LOWEST_DB
        self.take: Take | None = None
        self.remarks: tuple[str, ...] = ()
        self._source = source
        self._stopped: float | None = None
        self._is_lost = False
        self._seen_frame = -1

    @abstractmethod
    def poll(self, now_seconds: float) -> None:
        """See how far it is; `take` is there when it is done, and then this does nothing.

        Raises:
            NotEnoughBars: there are fewer bars than were asked for.
            NoInput: the input was lost before anything was recorded.
            SilentMelody: nothing was heard.
        """

    def stop(self, now_seconds: float) -> None:
        """End what `start` began: in bars at the next bar line, else at once."""
        if self._stopped is None:
            self._stopped = now_seconds

    def lost(self, now_seconds: float) -> None:
        """The ring gets no more: the next poll makes do with what it has."""
        self._is_lost = True

    def _remark_lost(self, seconds: float) -> None:
        """Say that what is taken ends so long before what was asked for.

        Raises:
            NoInput: so long that something else is meant.
        """
        if seconds > LOST_AGO_SECONDS:
            raise NoInput(f"the input was lost {seconds:.0f} s before: plug it in again")
        if seconds > SHORT_GAP_SECONDS:
            self.remarks += (f"the input was lost: the take ends {seconds:.1f} s earlier",)

    def _follow(self, start_frame: int) -> None:
        """Tell how long it is, and how loud."""
        ring = self._source.ring
        written = ring.frames_written
        first = max(start_frame, self._seen_frame, ring.oldest_frame)
        if written > first:
            self.peak_db = max(self.peak_db, peak_db(ring.read(first, written)))
        self._seen_frame = written
        self.seconds = max(0, written - start_frame) / ring.sample_rate

    def _finish(
        self,
        start_frame: int,
        frames: int,
        tempo_bpm: Fraction | None,
        meter: Meter,
        *remarks: str,
    ) -> None:
        """Make the take, if the ring has it all or gets no more."""
        source = self._source
        if not source.has(start_frame, frames):
            if not self._is_lost:
                return
            heard = source.ring.frames_written - start_frame
            if heard <= 0:
                raise NoInput(LOST)
            frames = min(frames, heard)
            remarks += ("the input was lost: the take ends there",)
        waveform, missing = source.cut(start_frame, frames)
        if missing > 0:
            remarks += (f"{missing * 1000:.0f} ms of it were lost by the input, and are silent",)
        self.take = Take(waveform, tempo_bpm, meter, name=source.name)
        self.remarks += remarks
        self.seconds, self.peak_db = waveform.seconds, peak_db(waveform.samples)
        self.state = "done"


def tempo_remark(span: Span) -> str:
    """A span's tempo, for a sentence."""
    return f"{float(span.tempo_bpm):g}"
