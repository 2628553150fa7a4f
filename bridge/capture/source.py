"""What a capture reads: the ring of the input, the beat clock, and the input's latency."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform, db_to_power
from bridge.chroma import SILENCE_DBFS
from bridge.errors import SilentMelody
from bridge.soundcard.permission import silence_remedy
from bridge.soundcard.ring import Ring
from bridge.timing import Meter, Span, bars_to_frames, bars_to_seconds, first_tempo

LONGEST_SECONDS = 115.0
"""Longest take: the ring holds 120 s, and the take's first frame must still be there at its end."""
_SILENT_BLOCK_SECONDS = 0.1
_EXACT_SECONDS = 0.02
"""A span this close to whole bars has whole bars: the beat clock is no more accurate."""


class Clock(Protocol):
    """What a capture needs of the beat clock; all instants are `time.perf_counter` seconds."""

    @property
    def tempo_bpm(self) -> Fraction | None:
        """The DAW's newest tempo; None before its first packet."""

    @property
    def meter(self) -> Meter | None:
        """The DAW's newest meter; None before its first packet."""

    def is_playing(self, seconds: float) -> bool:
        """Whether the playhead moves at that instant."""

    def bar_fraction(self, seconds: float) -> float | None:
        """Share of the current bar that has been played, 0 up to 1; None when not playing."""

    def bar_line_at_or_before(self, seconds: float) -> float | None:
        """The last bar line that was played up to that instant."""

    def next_bar_line(self, seconds: float) -> float | None:
        """The first bar line after that instant that was played or will be."""

    def bars_ending(self, end_seconds: float, bars: int) -> Span:
        """Find the continuous bars up to the last bar line by that instant."""

    def bars_from(self, start_seconds: float, until_seconds: float, bars: int | None) -> Span:
        """Find what was played continuously from that bar line on."""


@dataclass(frozen=True)
class Source:
    """Where a take comes from.

    Attributes:
        ring: of the input.
        clock: of the DAW.
        input_latency_seconds: delay from when a musician plays to when the ring has it; may be
            negative. Every instant is looked up that much later.
        tempo_bpm: the session's tempo, used while the DAW is stopped; None when unknown.
        meter: the session's meter.
        name: of the take.
    """

    ring: Ring
    clock: Clock
    input_latency_seconds: float
    tempo_bpm: Fraction | None
    meter: Meter
    name: str

    def tempo_now(self, now_seconds: float) -> tuple[Fraction, Meter]:
        """The DAW's tempo and meter when it plays, otherwise the session's; 120 when unknown."""
        clock = self.clock
        if clock.is_playing(now_seconds) and clock.tempo_bpm and clock.meter:
            return clock.tempo_bpm, clock.meter
        return first_tempo(self.tempo_bpm), self.meter

    def most_bars(self, now_seconds: float) -> int:
        """The most bars of the current tempo and meter that a take can have."""
        tempo_bpm, meter = self.tempo_now(now_seconds)
        return int(LONGEST_SECONDS / bars_to_seconds(1, meter, tempo_bpm))

    def frame_at(self, seconds: float) -> int:
        """The frame of what was played at an instant; it may be in the future, or overwritten."""
        if not self.ring.frames_written:
            return 0
        return round(self.ring.frame_at(seconds + self.input_latency_seconds))

    def recorded_until(self) -> float:
        """The instant up to which the ring has what was played."""
        if not self.ring.frames_written:
            return float("-inf")
        newest = self.ring.seconds_at(self.ring.frames_written)
        return newest - self.input_latency_seconds

    def frames_of(self, span: Span) -> int:
        """Frames in a span: its bars exactly, unless it ends within a bar or changes tempo."""
        seconds = span.end_seconds - span.start_seconds
        bars_seconds = bars_to_seconds(span.bars, span.meter, span.tempo_bpm)
        if span.is_steady and abs(seconds - bars_seconds) < _EXACT_SECONDS:
            return bars_to_frames(span.bars, span.meter, span.tempo_bpm, self.ring.sample_rate)
        return round(seconds * self.ring.sample_rate)

    def has(self, start_frame: int, frames: int) -> bool:
        """Whether the ring has that many frames from there on, lost frames included."""
        written = self.ring.frames_written
        if start_frame >= written:
            return False
        if self.ring.continuous_from() <= start_frame:
            return start_frame + frames <= written
        end_seconds = self.ring.seconds_at(start_frame) + frames / self.ring.sample_rate
        return self.ring.seconds_at(written) >= end_seconds

    def cut(self, start_frame: int, frames: int) -> tuple[Waveform, float]:
        """Copy the ring's samples from there on; also return how many seconds are missing.

        Samples are bit for bit those of the ring. Lost frames become silence, so that what follows
        them keeps its time, and so do frames that are missing at the end.

        Raises:
            SilentMelody: nothing in it is above -70 dBFS.
        """
        ring = self.ring
        samples = np.zeros((frames, ring.channels), np.float32)
        begin = ring.seconds_at(start_frame)
        stop = min(ring.frames_written, start_frame + frames)
        if ring.continuous_from(stop - 1) > start_frame:
            stop = min(ring.frames_written, round(ring.frame_at(begin + frames / ring.sample_rate)))
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
        return Waveform(samples, ring.sample_rate), (frames - filled) / ring.sample_rate


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
