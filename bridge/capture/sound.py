"""Sound as the source of a capture: the ring of the input, and the input's latency."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform, db_to_power
from bridge.capture.capture import LOST_BEFORE_RECORDING, SHORT_GAP_SECONDS
from bridge.capture.onset import FLOOR_SECONDS, OnsetFinder
from bridge.capture.source import Clock, MakeTake, Recorded, Source
from bridge.chroma import SILENCE_DBFS
from bridge.errors import NoInput, SilentMelody
from bridge.soundcard.level import LOWEST_DB, peak_db
from bridge.soundcard.permission import silence_remedy
from bridge.soundcard.ring import Ring
from bridge.timing import Meter, Span, Take, bars_to_frames, bars_to_seconds

SILENT_SO_FAR = (
    f"no sound in the first bar, nothing above {SILENCE_DBFS:g} dBFS: check the microphone, its "
    "gain, and the input that was chosen"
)
_SILENT_BLOCK_SECONDS = 0.1
_EXACT_SECONDS = 0.02
"""A span this close to whole bars has whole bars: the beat clock is no more accurate."""
_ROUNDING_BARS = 0.001
"""Share of a bar that rounding to a frame may cost."""


class SoundSource(Source):
    """The sound of the input.

    Attributes:
        ring: of the input.
        latency_seconds: delay from when a musician plays to when the ring has it; may be negative.
            Every instant is looked up that much later.
    """

    nothing_came = "no sound was recorded before it was stopped: check the microphone"

    def __init__(
        self,
        ring: Ring,
        latency_seconds: float,
        clock: Clock,
        tempo_bpm: Fraction | None,
        meter: Meter,
        name: str,
    ) -> None:
        super().__init__(clock, tempo_bpm, meter, name)
        self.ring, self.latency_seconds = ring, latency_seconds
        self._finder: OnsetFinder | None = None
        self._next_frame = 0
        self._seen_frame = -1
        self._peak_db = LOWEST_DB
        self._loudest_power = 0.0

    def input_lost(self) -> None:
        self.is_lost = True

    def frame_at(self, seconds: float) -> int:
        """The frame of what was played at an instant; it may be in the future, or overwritten."""
        if not self.ring.frames_written:
            return 0
        return round(self.ring.frame_at(seconds + self.latency_seconds))

    def recorded_until(self) -> float:
        if not self.ring.frames_written:
            return float("-inf")
        return self.ring.seconds_at(self.ring.frames_written) - self.latency_seconds

    @property
    def silence_remark(self) -> str:
        return SILENT_SO_FAR if self._loudest_power < db_to_power(SILENCE_DBFS) else ""

    def first_onset(self, now_seconds: float) -> float | None:
        ring = self.ring
        if not ring.frames_written:
            return None
        if self._finder is None:
            after = max(0, self.frame_at(now_seconds))
            earlier = min(after, ring.frames_written) - round(FLOOR_SECONDS * ring.sample_rate)
            self._next_frame = max(earlier, ring.continuous_from())
            self._finder = OnsetFinder(ring.sample_rate, self._next_frame, after)
        samples = ring.read(self._next_frame, ring.frames_written)
        self._measure_power(samples)
        self._next_frame += len(samples)
        onset = self._finder.feed(samples)
        return None if onset is None else ring.seconds_at(onset) - self.latency_seconds

    def forget_onsets(self) -> None:
        self._finder = None

    def progress(self, start_seconds: float, now_seconds: float) -> tuple[float, float]:
        ring, start_frame = self.ring, self.frame_at(start_seconds)
        written = ring.frames_written
        first = max(start_frame, self._seen_frame, ring.oldest_frame)
        if written > first:
            samples = ring.read(first, written)
            self._peak_db = max(self._peak_db, peak_db(samples))
            self._measure_power(samples)
        self._seen_frame = written
        return max(0, written - start_frame) / ring.sample_rate, self._peak_db

    def forget_progress(self) -> None:
        self._peak_db, self._seen_frame = LOWEST_DB, -1

    def has(self, span: Span, now_seconds: float) -> bool:
        return self._has(self.frame_at(span.start_seconds), self._frames_of(span))

    def complete_bars(self, span: Span) -> tuple[int, str]:
        by_clock = super().complete_bars(span)
        if not span.bars:
            return by_clock
        bar_seconds = (span.end_seconds - span.start_seconds) / span.bars
        # Where the take ends. The clock's end is some blocks off, as its seconds are not the
        # sound card's.
        stop_frame = self._stop_frame(self.frame_at(span.start_seconds), self._frames_of(span))
        earliest, why = self.continuous_until(stop_frame)
        available = self.ring.seconds_at(stop_frame) - self.ring.seconds_at(earliest)
        bars = int(available / bar_seconds + _ROUNDING_BARS)
        return (bars, why) if bars < span.bars else by_clock

    def settle(self, span: Span, tempo_bpm: Fraction | None) -> MakeTake:
        start_frame, frames = self.frame_at(span.start_seconds), self._frames_of(span)
        remarks: tuple[str, ...] = ()
        if not self._has(start_frame, frames):
            available = self.ring.frames_written - start_frame
            if available <= 0:
                raise NoInput(LOST_BEFORE_RECORDING)
            frames = min(frames, available)
            remarks = ("the input was lost: the take ends there",)
        return partial(self.cut, start_frame, frames, tempo_bpm, span.meter, remarks)

    def cut(
        self,
        start_frame: int,
        frames: int,
        tempo_bpm: Fraction | None,
        meter: Meter,
        remarks: tuple[str, ...] = (),
    ) -> Recorded:
        """Copy the ring's samples from a frame on.

        Samples are bit for bit those of the ring. Lost frames become silence, so that what follows
        them keeps its time, and so do frames that are missing at the end.

        Raises:
            SilentMelody: nothing in it is above -70 dBFS.
            Overwritten: the audio is no longer in the ring.
        """
        ring = self.ring
        samples = np.zeros((frames, ring.channels), np.float32)
        begin = ring.seconds_at(start_frame)
        stop = self._stop_frame(start_frame, frames)
        filled = 0
        while stop > max(start_frame, ring.oldest_frame):
            first = max(start_frame, ring.continuous_from(stop - 1))
            offset = 0
            if first > start_frame:
                offset = round((ring.seconds_at(first) - begin) * ring.sample_rate)
            piece = ring.read(first, stop)[: max(0, frames - offset)]
            samples[offset : offset + len(piece)] = piece
            filled += len(piece)
            stop = first
        _check_not_silent(samples, ring.sample_rate)
        waveform = Waveform(samples, ring.sample_rate)
        if filled < frames:
            missing_ms = 1000 * (frames - filled) / ring.sample_rate
            remarks += (f"{missing_ms:.0f} ms of it were lost by the input, and are silent",)
        take = Take(waveform, tempo_bpm, meter, name=self.name)
        return Recorded(take, waveform.seconds, peak_db(samples), remarks)

    def continuous_until(self, stop_frame: int) -> tuple[int, str]:
        """The frame from which the ring has everything up to `stop_frame`, and why not more."""
        ring = self.ring
        if not 0 < stop_frame <= ring.frames_written:
            return max(0, stop_frame), "nothing was recorded"
        earliest = ring.continuous_from(stop_frame - 1)
        while earliest > ring.oldest_frame:
            gap = ring.seconds_at(earliest) - ring.seconds_at(earliest - 1)
            if gap > SHORT_GAP_SECONDS:
                break
            earliest = ring.continuous_from(earliest - 1)
        seconds = f"{ring.seconds_at(stop_frame) - ring.seconds_at(earliest):.1f} s"
        if earliest == 0:
            return earliest, f"only {seconds} were recorded so far"
        if earliest <= ring.oldest_frame:
            return earliest, f"only the last {seconds} are kept"
        return earliest, f"the input was interrupted {seconds} before their end"

    def _stop_frame(self, start_frame: int, frames: int) -> int:
        """The frame before which a take ends that lasts so many frames, lost ones included.

        It is written: a take ends with the input at the latest.
        """
        ring = self.ring
        stop = min(ring.frames_written, start_frame + frames)
        if stop > 0 and ring.continuous_from(stop - 1) > start_frame:
            end_seconds = ring.seconds_at(start_frame) + frames / ring.sample_rate
            stop = min(ring.frames_written, round(ring.frame_at(end_seconds)))
        return stop

    def _frames_of(self, span: Span) -> int:
        """Frames in a span: its bars exactly, unless it ends within a bar or changes tempo."""
        seconds = span.end_seconds - span.start_seconds
        bars_seconds = bars_to_seconds(span.bars, span.meter, span.tempo_bpm)
        if span.bars and span.is_steady and abs(seconds - bars_seconds) < _EXACT_SECONDS:
            return bars_to_frames(span.bars, span.meter, span.tempo_bpm, self.ring.sample_rate)
        return max(1, round(seconds * self.ring.sample_rate))

    def _has(self, start_frame: int, frames: int) -> bool:
        """Whether the ring has that many frames from there on, lost frames included."""
        written = self.ring.frames_written
        if start_frame >= written:
            return False
        if self.ring.continuous_from() <= start_frame:
            return start_frame + frames <= written
        end_seconds = self.ring.seconds_at(start_frame) + frames / self.ring.sample_rate
        return self.ring.seconds_at(written) >= end_seconds

    def _measure_power(self, samples: NDArray[np.float32]) -> None:
        """Keep the highest power of a channel, without DC."""
        if len(samples):
            power = float(samples.var(axis=0, dtype=np.float64).max())
            self._loudest_power = max(self._loudest_power, power)


def _check_not_silent(samples: NDArray[np.float32], sample_rate: int) -> None:
    if not samples.any():
        raise SilentMelody(f"the input gave exact silence: {silence_remedy()}")
    block = max(1, round(_SILENT_BLOCK_SECONDS * sample_rate))
    least = db_to_power(SILENCE_DBFS)
    if not any(
        samples[first : first + block].var(axis=0, dtype=np.float64).max() >= least
        for first in range(0, len(samples), block)
    ):
        raise SilentMelody(
            f"the take is silent, below {SILENCE_DBFS:g} dBFS throughout: check the microphone, "
            "its gain, and the input that was chosen"
        )
