"""The capture of what comes next: from a bar line on, or from the first onset."""

from __future__ import annotations

from bridge.capture.capture import LOST_BEFORE_RECORDING, Capture, tempo_change_remark
from bridge.capture.onset import FLOOR_SECONDS, OnsetFinder
from bridge.capture.source import LONGEST_SECONDS, Source
from bridge.errors import NoInput, NotEnoughBars, SilentMelody
from bridge.soundcard.level import LOWEST_DB
from bridge.timing import bars_to_frames, bars_to_seconds, first_tempo


class Recording(Capture):
    """A recording from a bar line while the DAW plays, or from an onset while it is stopped."""

    def __init__(self, source: Source, bars: int | None, now_seconds: float) -> None:
        super().__init__(source)
        self._bars = bars
        self._requested_seconds = now_seconds
        self._start_line: float | None = None
        self._start_onset: int | None = None
        self._finder: OnsetFinder | None = None
        self._next_frame = 0
        self._silence_checked = False

    def poll(self, now_seconds: float) -> None:
        if self.settled:
            return
        if self._start_line is None and self._start_onset is None:
            self._wait_for_start(now_seconds)
        if self._start_line is not None:
            self._record_bars(self._start_line, now_seconds)
        elif self._start_onset is not None:
            self._record_from_onset(self._start_onset)
        self._check_first_bar(now_seconds)

    def _check_first_bar(self, now_seconds: float) -> None:
        """After a bar of recording, or of waiting for an onset, say if the input was silent."""
        if self._silence_checked or self.settled:
            return
        source = self._source
        seconds = self.seconds
        if self._finder is not None and self._start_onset is None:
            seconds = now_seconds - self._requested_seconds
        tempo_bpm, meter = source.tempo_now(now_seconds)
        if seconds >= bars_to_seconds(1, meter, tempo_bpm):
            self._silence_checked = True
            self._remark_silence()

    def _wait_for_start(self, now_seconds: float) -> None:
        """Look for the bar line or onset that begins the recording."""
        if self._input_lost:
            raise NoInput(LOST_BEFORE_RECORDING)
        source = self._source
        begun_by = now_seconds if self._stop_seconds is None else self._stop_seconds
        playing = source.clock.is_playing(now_seconds)
        if playing:
            self._finder = None
            # The first line since the request: playback that began since then counts in full.
            line = source.clock.next_bar_line(self._requested_seconds)
            if line is not None and line <= begun_by:
                self._start_line = line
        elif source.ring.frames_written:
            onset = self._find_onset(now_seconds)
            if onset is not None and onset < source.frame_at(begun_by):
                self._start_onset = onset
        if self._start_line is not None or self._start_onset is not None:
            self.state = "recording"
        elif self._stop_seconds is not None and playing:
            raise NotEnoughBars("0 bars: it was stopped before the bar line that begins it")
        elif self._stop_seconds is not None:
            raise SilentMelody("no sound was recorded before it was stopped: check the microphone")

    def _find_onset(self, now_seconds: float) -> int | None:
        """The frame of the first onset since the search began, if there is one yet."""
        ring = self._source.ring
        if self._finder is None:
            after = max(0, self._source.frame_at(now_seconds))
            earlier = min(after, ring.frames_written) - round(FLOOR_SECONDS * ring.sample_rate)
            self._next_frame = max(earlier, ring.continuous_from())
            self._finder = OnsetFinder(ring.sample_rate, self._next_frame, after)
        samples = ring.read(self._next_frame, ring.frames_written)
        self._measure_power(samples)
        self._next_frame += len(samples)
        return self._finder.feed(samples)

    def _record_bars(self, line: float, now_seconds: float) -> None:
        clock = self._source.clock
        bars = self._bars
        try:
            if self._stop_seconds is not None:
                begun = clock.bars_from(line, self._stop_seconds, None).bars + 1
                bars = begun if bars is None else min(bars, begun)
            span = clock.bars_from(line, now_seconds, bars)
        except NotEnoughBars:
            # The DAW reported that it plays before its beat moved: that bar line never came.
            self._wait_again()
            return
        seconds = span.end_seconds - span.start_seconds
        if span.broken and seconds < 60 / span.tempo_bpm:
            # Less than a beat is no take: wait for the next bar line, or for an onset.
            self._requested_seconds = now_seconds
            self._wait_again()
            return
        start_frame = self._source.frame_at(span.start_seconds)
        self._measure_progress(start_frame)
        if not span.broken and not self._input_lost and span.bars != bars:
            if seconds > LONGEST_SECONDS:
                self._bars = max(1, span.bars)
                self.remarks += (f"it was ended after {self._bars} bars: no take lasts over 115 s",)
            return
        remarks = []
        if span.broken:
            remarks.append(f"{span.broken}: the take ends there, {seconds:.1f} s long")
        if not span.is_steady:
            remarks.append(tempo_change_remark(span))
        frames = self._source.frames_of(span)
        self._settle(start_frame, frames, span.tempo_bpm, span.meter, *remarks)

    def _wait_again(self) -> None:
        self._start_line, self.state = None, "waiting"
        self.seconds, self.peak_db, self._seen_frame = 0.0, LOWEST_DB, -1

    def _record_from_onset(self, onset: int) -> None:
        source = self._source
        rate = source.ring.sample_rate
        frames = round(LONGEST_SECONDS * rate)
        if self._bars is not None:
            tempo_bpm = first_tempo(source.tempo_bpm)
            frames = min(frames, bars_to_frames(self._bars, source.meter, tempo_bpm, rate))
        if self._stop_seconds is not None:
            frames = max(1, min(frames, source.frame_at(self._stop_seconds) - onset))
        self._measure_progress(onset)
        self._settle(onset, frames, source.tempo_bpm, source.meter)
