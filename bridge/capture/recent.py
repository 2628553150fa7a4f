"""Captures of what was already played: the last bars, or the last phrase that was heard."""

from __future__ import annotations

from functools import partial

from bridge.capture.capture import SourceCapture, tempo_change_remark
from bridge.capture.phrase import find_phrase
from bridge.capture.sound import SoundSource
from bridge.capture.source import LONGEST_SECONDS, Recorded, Source
from bridge.errors import NotEnoughBars
from bridge.timing import bars_to_frames, first_tempo

LEAST_LOST_SECONDS = 0.25
"""Sound of this length that a take leaves out is worth a remark; a note's release is not."""


class LastBars(SourceCapture):
    """The bars that end at a bar line, which may be in the near future."""

    def __init__(self, source: Source, bars: int, end_seconds: float) -> None:
        super().__init__(source)
        self._bars = bars
        self._end_seconds = end_seconds

    def poll(self, now_seconds: float) -> None:
        source = self._source
        clock, is_lost = source.clock, source.is_lost
        if self.settled:
            return
        if now_seconds < self._end_seconds and not is_lost and clock.is_playing(now_seconds):
            return
        # Not beyond what was played and recorded.
        until = min(now_seconds, self._end_seconds)
        if is_lost:
            until = min(until, source.recorded_until())
        if until < self._end_seconds:
            end = clock.bar_line_at_or_before(until)
            if end is None:
                raise NotEnoughBars(f"0 of {self._bars} bars: no whole bar was played and recorded")
            if is_lost:
                self._remark_missing_end(self._end_seconds - end)
            self._end_seconds = end
        span = clock.bars_ending(self._end_seconds, self._bars)
        if not is_lost and not source.has(span, now_seconds):
            return
        complete, why = source.complete_bars(span)
        if complete < self._bars:
            raise NotEnoughBars(f"{complete} of {self._bars} bars: {why}")
        self._make_take = source.settle(span, span.tempo_bpm)
        if not span.is_steady:
            self.remarks += (tempo_change_remark(span),)


class LastPhrase(SourceCapture):
    """The last phrase that was hummed while the DAW was stopped."""

    def __init__(self, source: SoundSource, bars: int, now_seconds: float) -> None:
        super().__init__(source)
        self._sound = source
        self._bars = bars
        self._requested_seconds = now_seconds

    def poll(self, now_seconds: float) -> None:
        source, ring = self._sound, self._sound.ring
        stop_frame = source.frame_at(self._requested_seconds)
        if self.settled or (ring.frames_written < stop_frame and not source.is_lost):
            return
        if stop_frame > ring.frames_written:
            self._remark_missing_end(self._requested_seconds - source.recorded_until())
            stop_frame = ring.frames_written
        self._make_take = partial(self._find_and_cut, stop_frame)

    def _find_and_cut(self, stop_frame: int) -> Recorded:
        """Find the phrase before a frame, and make the take."""
        source, ring = self._sound, self._sound.ring
        continuous, why = source.continuous_until(stop_frame)
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
        remarks = tuple(
            f"the phrase is longer than {length}: {seconds:.1f} s of sound {where} the "
            "take are left out; ask for more bars, or set the tempo"
            for seconds, where in (
                (phrase.lost_before_seconds, "before"),
                (phrase.lost_after_seconds, "after"),
            )
            if seconds > LEAST_LOST_SECONDS
        )
        frames = min(frames, stop_frame - phrase.start_frame)
        return source.cut(phrase.start_frame, frames, source.tempo_bpm, source.meter, remarks)
