"""What was already played: the last bars, or the last phrase."""

from __future__ import annotations

from bridge.capture.capture import SHORT_GAP_SECONDS, Capture, tempo_remark
from bridge.capture.onset import FLOOR_SECONDS, OnsetFinder
from bridge.capture.source import Source
from bridge.errors import NotEnoughBars
from bridge.timing import Span, bars_to_frames, first_tempo

REST_SECONDS = 0.5
"""A phrase begins after a rest of this length."""
FED_SECONDS = 4.0
"""Of sound that is searched for an onset at one poll: 15 ms of work in stereo."""
_ALMOST = 0.001
"""Of a bar: what a rounded frame may cost."""


class LastBars(Capture):
    """The bars that end at a bar line, which may be about to come."""

    def __init__(self, source: Source, bars: int, end_seconds: float) -> None:
        super().__init__(source)
        self._bars = bars
        self._end = end_seconds

    def poll(self, now_seconds: float) -> None:
        clock, source = self._source.clock, self._source
        if self.take is not None:
            return
        if now_seconds < self._end and not self._is_lost and clock.is_playing(now_seconds):
            return
        # No further than was played, and heard.
        until = min(now_seconds, self._end)
        if self._is_lost:
            until = min(until, source.heard_until())
        if until < self._end:
            end = clock.bar_line_at_or_before(until)
            if end is None:
                raise NotEnoughBars(f"0 of {self._bars} bars: no whole bar was played and heard")
            if self._is_lost:
                self._remark_lost(self._end - end)
            self._end = end
        span = clock.bars_ending(self._end, self._bars)
        start_frame, frames = source.frame_at(span.start_seconds), source.frames_of(span)
        if not source.has(start_frame, frames) and not self._is_lost:
            return
        have, why = self._whole_bars(span)
        if have < self._bars:
            raise NotEnoughBars(f"{have} of {self._bars} bars: {why}")
        remarks = []
        if not span.is_steady:
            remarks.append(
                f"the tempo changed: the take goes by its mean, {tempo_remark(span)} bpm"
            )
        self._finish(start_frame, frames, span.tempo_bpm, span.meter, *remarks)

    def _whole_bars(self, span: Span) -> tuple[int, str]:
        """How many of the span's bars the ring has in one piece, and why not more."""
        if not span.bars:
            return 0, f"{span.broken} in the bar before"
        bar_seconds = (span.end_seconds - span.start_seconds) / span.bars
        source = self._source
        stop_frame = source.frame_at(span.end_seconds)
        earliest, why = _heard_from(source, stop_frame)
        heard = source.ring.seconds_at(stop_frame) - source.ring.seconds_at(earliest)
        bars = int(heard / bar_seconds + _ALMOST)
        if bars < span.bars:
            return bars, why
        return span.bars, f"{span.broken} before them"


class LastPhrase(Capture):
    """What was hummed last while the DAW stood."""

    def __init__(self, source: Source, bars: int, now_seconds: float) -> None:
        super().__init__(source)
        self._bars = bars
        self._pressed = now_seconds
        self._finder: OnsetFinder | None = None
        self._fed = 0

    def poll(self, now_seconds: float) -> None:
        source, ring = self._source, self._source.ring
        stop_frame = source.frame_at(self._pressed)
        if self.take is not None or (ring.frames_written < stop_frame and not self._is_lost):
            return
        if stop_frame > ring.frames_written:
            self._remark_lost(self._pressed - source.heard_until())
            stop_frame = ring.frames_written
            self._pressed = source.heard_until()
        earliest, why = _heard_from(source, stop_frame)
        heard = stop_frame - earliest
        tempo_bpm = first_tempo(source.tempo_bpm)
        frames, searched = (
            bars_to_frames(bars, source.meter, tempo_bpm, ring.sample_rate)
            for bars in (self._bars, self._bars + 1)
        )
        if self._finder is None:
            after_frame = max(earliest, stop_frame - searched)
            first = max(earliest, after_frame - round(FLOOR_SECONDS * ring.sample_rate))
            self._fed = first
            self._finder = OnsetFinder(ring.sample_rate, first, after_frame, REST_SECONDS)
        # A minute at once would hold up everything else.
        piece = ring.read(
            self._fed, min(stop_frame, self._fed + round(FED_SECONDS * ring.sample_rate))
        )
        self._fed += len(piece)
        onset = self._finder.feed(piece)
        if onset is None and self._fed < stop_frame:
            return
        if onset is not None:
            frames = min(frames, stop_frame - onset)
            self._finish(onset, frames, source.tempo_bpm, source.meter)
        elif heard < frames:
            have = self._bars * heard // frames
            raise NotEnoughBars(f"{have} of {self._bars} bars at {float(tempo_bpm):g} bpm: {why}")
        else:
            self._finish(stop_frame - frames, frames, source.tempo_bpm, source.meter)


def _heard_from(source: Source, stop_frame: int) -> tuple[int, str]:
    """The frame from which on the ring has everything up to that one, and why not more."""
    ring = source.ring
    if not 0 < stop_frame <= ring.frames_written:
        return max(0, stop_frame), "nothing was heard"
    earliest = ring.continuous_from(stop_frame - 1)
    while earliest > ring.oldest_frame:
        gap = ring.seconds_at(earliest) - ring.seconds_at(earliest - 1)
        if gap > SHORT_GAP_SECONDS:
            break
        earliest = ring.continuous_from(earliest - 1)
    seconds = f"{ring.seconds_at(stop_frame) - ring.seconds_at(earliest):.1f} s"
    if earliest == 0:
        return earliest, f"only {seconds} were heard so far"
    if earliest <= ring.oldest_frame:
        return earliest, f"only the last {seconds} are kept"
    return earliest, f"the input was interrupted {seconds} before their end"
