"""Captures of what was already played: the last bars, or the last phrase."""

from __future__ import annotations

from functools import partial

from bridge.capture.capture import SHORT_GAP_SECONDS, Capture, tempo_change_remark
from bridge.capture.phrase import find_phrase
from bridge.capture.source import LONGEST_SECONDS, Source
from bridge.errors import NotEnoughBars
from bridge.timing import Span, bars_to_frames, first_tempo

LEAST_LOST_SECONDS = 0.25
"""Sound of this length that a take leaves out is worth a remark; a note's release is not."""
_ROUNDING_BARS = 0.001
"""Share of a bar that rounding to a frame may cost."""


class LastBars(Capture):
    """The bars that end at a bar line, which may be in the near future."""

    def __init__(self, source: Source, bars: int, end_seconds: float) -> None:
        super().__init__(source)
        self._bars = bars
        self._end_seconds = end_seconds

    def poll(self, now_seconds: float) -> None:
        clock, source = self._source.clock, self._source
        if self.settled:
            return
        if (
            now_seconds < self._end_seconds
            and not self._input_lost
            and clock.is_playing(now_seconds)
        ):
            return
        # Not beyond what was played and recorded.
        until = min(now_seconds, self._end_seconds)
        if self._input_lost:
            until = min(until, source.recorded_until())
        if until < self._end_seconds:
            end = clock.bar_line_at_or_before(until)
            if end is None:
                raise NotEnoughBars(f"0 of {self._bars} bars: no whole bar was played and recorded")
            if self._input_lost:
                self._remark_missing_end(self._end_seconds - end)
            self._end_seconds = end
        span = clock.bars_ending(self._end_seconds, self._bars)
        start_frame, frames = source.frame_at(span.start_seconds), source.frames_of(span)
        if not source.has(start_frame, frames) and not self._input_lost:
            return
        complete, why = self._complete_bars(span)
        if complete < self._bars:
            raise NotEnoughBars(f"{complete} of {self._bars} bars: {why}")
        remarks = []
        if not span.is_steady:
            remarks.append(tempo_change_remark(span))
        self._settle(start_frame, frames, span.tempo_bpm, span.meter, *remarks)

    def _complete_bars(self, span: Span) -> tuple[int, str]:
        """How many of the span's bars the ring has without a gap, and why not more."""
        if not span.bars:
            return 0, f"{span.broken} in the bar before"
        bar_seconds = (span.end_seconds - span.start_seconds) / span.bars
        source = self._source
        stop_frame = source.frame_at(span.end_seconds)
        earliest, why = _continuous_from(source, stop_frame)
        available = source.ring.seconds_at(stop_frame) - source.ring.seconds_at(earliest)
        bars = int(available / bar_seconds + _ROUNDING_BARS)
        if bars < span.bars:
            return bars, why
        return span.bars, f"{span.broken} before them"


class LastPhrase(Capture):
    """The last phrase that was hummed while the DAW was stopped."""

    def __init__(self, source: Source, bars: int, now_seconds: float) -> None:
        super().__init__(source)
        self._bars = bars
        self._requested_seconds = now_seconds

    def poll(self, now_seconds: float) -> None:
        source, ring = self._source, self._source.ring
        stop_frame = source.frame_at(self._requested_seconds)
        if self.settled or (ring.frames_written < stop_frame and not self._input_lost):
            return
        if stop_frame > ring.frames_written:
            self._remark_missing_end(self._requested_seconds - source.recorded_until())
            stop_frame = ring.frames_written
        self._cut = partial(self._find_and_cut, stop_frame)

    def _find_and_cut(self, stop_frame: int) -> None:
        """Find the phrase before a frame, and make the take."""
        source, ring = self._source, self._source.ring
        continuous, why = _continuous_from(source, stop_frame)
        earliest = max(continuous, stop_frame - round(LONGEST_SECONDS * ring.sample_rate))
        tempo_bpm = first_tempo(source.tempo_bpm)
        bar_frames, frames = (
            bars_to_frames(bars, source.meter, tempo_bpm, ring.sample_rate)
            for bars in (1, self._bars)
        )
        phrase = find_phrase(ring, earliest, stop_frame, frames, bar_frames)
        available = stop_frame - earliest
        length = f"{self._bars} bars at {float(tempo_bpm):g} bpm"
        if available < frames and not phrase.begins_at_onset:
            complete = self._bars * available // frames
            raise NotEnoughBars(f"{complete} of {length}: {why}")
        for seconds, where in (
            (phrase.lost_before_seconds, "before"),
            (phrase.lost_after_seconds, "after"),
        ):
            if seconds > LEAST_LOST_SECONDS:
                self.remarks += (
                    f"the phrase is longer than {length}: {seconds:.1f} s of sound {where} the "
                    "take are left out; ask for more bars, or set the tempo",
                )
        frames = min(frames, stop_frame - phrase.start_frame)
        self._make_take(phrase.start_frame, frames, source.tempo_bpm, source.meter)


def _continuous_from(source: Source, stop_frame: int) -> tuple[int, str]:
    """The frame from which the ring has everything up to `stop_frame`, and why not more."""
    ring = source.ring
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
