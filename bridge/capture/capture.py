"""The base class of captures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bridge.audio import db_to_power
from bridge.capture.source import Source
from bridge.chroma import SILENCE_DBFS
from bridge.commands import CaptureState
from bridge.errors import NoInput
from bridge.soundcard.level import LOWEST_DB, peak_db
from bridge.timing import Meter, Span, Take

MAX_LOST_SECONDS = 8.0
"""When the input was lost longer ago, what it recorded before that is not what was requested."""
SHORT_GAP_SECONDS = 0.1
"""A gap of this length costs a melody at most one 128 ms step of its chroma."""
LOST_BEFORE_RECORDING = (
    "the input was lost before anything was recorded: plug it in again, or choose another"
)

SILENT_SO_FAR = (
    f"no sound in the first bar, nothing above {SILENCE_DBFS:g} dBFS: check the microphone, its "
    "gain, and the input that was chosen"
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
    """

    def __init__(self, source: Source) -> None:
        self.state: CaptureState = "waiting"
        self.seconds = 0.0
        self.peak_db = LOWEST_DB
        self.take: Take | None = None
        self.remarks: tuple[str, ...] = ()
        self._source = source
        self._stop_seconds: float | None = None
        self._input_lost = False
        self._seen_frame = -1
        self._loudest_power = 0.0
        self._cut: Callable[[], None] | None = None

    @property
    def settled(self) -> bool:
        """Whether the take's last frame is in the ring, so that `cut` can make the take."""
        return self._cut is not None

    @abstractmethod
    def poll(self, now_seconds: float) -> None:
        """Update the capture, in less than 10 ms. Once it is settled, do nothing.

        Raises:
            NotEnoughBars: there are fewer bars than requested.
            NoInput: the input was lost before anything was recorded.
            SilentMelody: no sound was recorded before it was stopped.
        """

    def cut(self) -> None:
        """Copy the audio of a settled capture, and set `take`: a tenth of a second for a long one.

        Raises:
            NotEnoughBars: there are fewer bars than requested.
            SilentMelody: the input was silent.
            Overwritten: the audio is no longer in the ring.
        """
        if self._cut is None:
            raise ValueError("a capture is cut once it is settled")
        self._cut()

    def stop(self, now_seconds: float) -> None:
        """End a recording: at the next bar line if it counts bars, otherwise at once."""
        if self._stop_seconds is None:
            self._stop_seconds = now_seconds

    def lost(self, now_seconds: float) -> None:
        """Record that the input is lost: the next poll uses what the ring has."""
        self._input_lost = True

    def _remark_missing_end(self, seconds: float) -> None:
        """Add a remark that the take ends so many seconds early.

        Raises:
            NoInput: more than `MAX_LOST_SECONDS` are missing.
        """
        if seconds > MAX_LOST_SECONDS:
            raise NoInput(f"the input was lost {seconds:.0f} s before: plug it in again")
        if seconds > SHORT_GAP_SECONDS:
            self.remarks += (f"the input was lost: the take ends {seconds:.1f} s earlier",)

    def _measure_progress(self, start_frame: int) -> None:
        """Update `seconds` and `peak_db` from the ring."""
        ring = self._source.ring
        written = ring.frames_written
        first = max(start_frame, self._seen_frame, ring.oldest_frame)
        if written > first:
            samples = ring.read(first, written)
            self.peak_db = max(self.peak_db, peak_db(samples))
            self._measure_power(samples)
        self._seen_frame = written
        self.seconds = max(0, written - start_frame) / ring.sample_rate

    def _measure_power(self, samples: NDArray[np.float32]) -> None:
        """Keep the highest power of a channel, without DC."""
        if len(samples):
            power = float(samples.var(axis=0, dtype=np.float64).max())
            self._loudest_power = max(self._loudest_power, power)

    def _remark_silence(self) -> None:
        """Add a remark if the input has been silent so far."""
        if self._loudest_power < db_to_power(SILENCE_DBFS):
            self.remarks += (SILENT_SO_FAR,)

    def _settle(
        self,
        start_frame: int,
        frames: int,
        tempo_bpm: Fraction | None,
        meter: Meter,
        *remarks: str,
    ) -> None:
        """Settle which frames to take, if the ring has all of them, or if the input is lost."""
        source = self._source
        if not source.has(start_frame, frames):
            if not self._input_lost:
                return
            available = source.ring.frames_written - start_frame
            if available <= 0:
                raise NoInput(LOST_BEFORE_RECORDING)
            frames = min(frames, available)
            remarks += ("the input was lost: the take ends there",)
        self.remarks += remarks
        self._cut = partial(self._make_take, start_frame, frames, tempo_bpm, meter)

    def _make_take(
        self, start_frame: int, frames: int, tempo_bpm: Fraction | None, meter: Meter
    ) -> None:
        source = self._source
        waveform, missing = source.cut(start_frame, frames)
        if missing > 0:
            self.remarks += (
                f"{missing * 1000:.0f} ms of it were lost by the input, and are silent",
            )
        self.take = Take(waveform, tempo_bpm, meter, name=source.name)
        self.seconds, self.peak_db = waveform.seconds, peak_db(waveform.samples)
        self.state = "done"


def tempo_change_remark(span: Span) -> str:
    """The remark on a span whose tempo changes."""
    return f"the tempo changed: the take has its mean, {float(span.tempo_bpm):g} bpm"
