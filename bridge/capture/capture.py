"""The base class of captures."""

from __future__ import annotations

from abc import ABC, abstractmethod

from bridge.capture.source import MakeTake, Source
from bridge.errors import NoInput
from bridge.events import CaptureState
from bridge.soundcard.level import LOWEST_DB
from bridge.timing import Span, Take

MAX_LOST_SECONDS = 8.0
"""When the input was lost longer ago, what it recorded before that is not what was requested."""
SHORT_GAP_SECONDS = 0.1
"""A gap of this length costs a melody at most one 128 ms step of its chroma."""
LOST_BEFORE_RECORDING = (
    "the input was lost before anything was recorded: plug it in again, or choose another"
)


class Capture(ABC):
    """One capture, until it is done.

    `poll` it until it is `settled`, and then `cut` it, which may be in another thread.

    Attributes:
        state: `waiting` for its bar line or onset, `recording`, or `done`.
        seconds: how long it is so far.
        peak_db: its highest peak so far in dBFS, -120 when silent.
        take: the result, once it is done. It begins on a bar line, or at an onset.
        remarks: sentences on how the take differs from what was requested, and on the input.
        count_in_until: when its count-in ends; None: none is under way.
        is_stale: what it takes ended long before it was requested, as far as that is known.
    """

    def __init__(self) -> None:
        self.state: CaptureState = "waiting"
        self.seconds = 0.0
        self.peak_db = LOWEST_DB
        self.take: Take | None = None
        self.remarks: tuple[str, ...] = ()
        self.count_in_until: float | None = None
        self.is_stale = False

    @property
    @abstractmethod
    def settled(self) -> bool:
        """Whether all of the take was recorded, so that `cut` can make it."""

    @abstractmethod
    def poll(self, now_seconds: float) -> None:
        """Update the capture, in less than 10 ms. Once it is settled, do nothing.

        Raises:
            NotEnoughBars: there are fewer bars than requested.
            NoInput: the input was lost before anything was recorded.
            SilentMelody: no sound was recorded before it was stopped.
        """

    @abstractmethod
    def cut(self) -> None:
        """Make the take of a settled capture: a tenth of a second for a long one.

        Raises:
            NotEnoughBars: there are fewer bars than requested.
            SilentMelody: nothing sounds in it.
            Overwritten: the audio is no longer in the ring.
        """

    @abstractmethod
    def stop(self, now_seconds: float) -> None:
        """End a recording: at the next bar line if it counts bars, otherwise at once."""

    @abstractmethod
    def input_lost(self) -> None:
        """Record that the input is lost: the next poll uses what was recorded."""


class SourceCapture(Capture):
    """A capture of one source."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._stop_seconds: float | None = None
        self._make_take: MakeTake | None = None

    @property
    def settled(self) -> bool:
        return self._make_take is not None or self.take is not None

    def cut(self) -> None:
        # What makes the take may hold this capture, and so the ring: it is used once.
        make_take, self._make_take = self._make_take, None
        if make_take is None:
            raise ValueError("a capture is cut once, when it is settled")
        recorded = make_take()
        self.remarks += recorded.remarks
        self.take, self.seconds, self.peak_db = recorded.take, recorded.seconds, recorded.peak_db
        self.state = "done"

    def stop(self, now_seconds: float) -> None:
        if self._stop_seconds is None:
            self._stop_seconds = now_seconds

    def input_lost(self) -> None:
        self._source.input_lost()

    def _remark_missing_end(self, seconds: float) -> None:
        """Add a remark that the take ends so many seconds early.

        Raises:
            NoInput: more than `MAX_LOST_SECONDS` are missing.
        """
        if seconds > MAX_LOST_SECONDS:
            raise NoInput(f"the input was lost {seconds:.0f} s before: plug it in again")
        if seconds > SHORT_GAP_SECONDS:
            self.remarks += (f"the input was lost: the take ends {seconds:.1f} s earlier",)


def tempo_change_remark(span: Span) -> str:
    """The remark on a span whose tempo changes."""
    return f"the tempo changed: the take has its mean, {float(span.tempo_bpm):g} bpm"
