"""The capture of what comes next: from a bar line on, or from the first onset."""

from __future__ import annotations

from bridge.capture.capture import LOST_BEFORE_RECORDING, SourceCapture, tempo_change_remark
from bridge.capture.source import LONGEST_SECONDS, Source
from bridge.errors import NoInput, NotEnoughBars, SilentMelody
from bridge.soundcard.level import LOWEST_DB
from bridge.timing import bars_to_seconds, first_tempo


class Recording(SourceCapture):
    """A recording from a bar line while the DAW plays, or from an onset while it is stopped."""

    def __init__(
        self, source: Source, bars: int | None, now_seconds: float, count_in_bars: int = 0
    ) -> None:
        super().__init__(source)
        self._count_in_bars = count_in_bars
        self._bars = bars
        self._requested_seconds = now_seconds
        self._start_line: float | None = None
        self._start_onset: float | None = None
        self._awaits_onset = False
        self._silence_checked = False

    def poll(self, now_seconds: float) -> None:
        if self.settled:
            return
        if self._start_line is None and self._start_onset is None:
            self._wait_for_start(now_seconds)
        if self._start_line is not None:
            self._record_bars(self._start_line, now_seconds)
        elif self._start_onset is not None:
            self._record_from_onset(self._start_onset, now_seconds)
        self._check_first_bar(now_seconds)

    def _check_first_bar(self, now_seconds: float) -> None:
        """After a bar of recording, or of waiting for an onset, say if nothing has sounded."""
        if self._silence_checked or self.settled:
            return
        seconds = self.seconds
        if self._awaits_onset:
            seconds = now_seconds - self._requested_seconds
        tempo_bpm, meter = self._source.tempo_now(now_seconds)
        if seconds >= bars_to_seconds(1, meter, tempo_bpm):
            self._silence_checked = True
            if remark := self._source.silence_remark:
                self.remarks += (remark,)

    def _wait_for_start(self, now_seconds: float) -> None:
        """Look for the bar line or onset that begins the recording."""
        source = self._source
        if source.is_lost:
            raise NoInput(LOST_BEFORE_RECORDING)
        begun_by = now_seconds if self._stop_seconds is None else self._stop_seconds
        playing = source.clock.is_playing(now_seconds)
        self._awaits_onset = not playing
        if playing:
            source.forget_onsets()
            line = self._first_line()
            if line is not None and line <= begun_by:
                self._start_line = line
            elif self._count_in_bars:
                self.count_in_until = line
        else:
            onset = source.first_onset(now_seconds)
            if onset is not None and onset < begun_by:
                self._start_onset, self._awaits_onset = onset, False
        if self._start_line is not None or self._start_onset is not None:
            self.state, self.count_in_until = "recording", None
        elif self._stop_seconds is not None and playing:
            raise NotEnoughBars("0 bars: it was stopped before the bar line that begins it")
        elif self._stop_seconds is not None:
            raise SilentMelody(source.nothing_came)

    def _first_line(self) -> float | None:
        """The bar line to begin on: the first since the request, and after the count-in.

        Playback that began since the request counts in full.
        """
        clock = self._source.clock
        line = clock.next_bar_line(self._requested_seconds)
        for _ in range(self._count_in_bars):
            line = None if line is None else clock.next_bar_line(line)
        return line

    def _record_bars(self, line: float, now_seconds: float) -> None:
        source, bars = self._source, self._bars
        try:
            if self._stop_seconds is not None:
                begun = source.clock.bars_from(line, self._stop_seconds, None).bars + 1
                bars = begun if bars is None else min(bars, begun)
            span = source.clock.bars_from(line, now_seconds, bars)
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
        self.seconds, self.peak_db = source.progress(span.start_seconds, now_seconds)
        if not span.broken and not source.is_lost and span.bars != bars:
            if seconds > LONGEST_SECONDS:
                self._bars = max(1, span.bars)
                self.remarks += (f"it was ended after {self._bars} bars: no take lasts over 115 s",)
            return
        if not source.is_lost and not source.has(span, now_seconds):
            return
        self._make_take = source.settle(span, span.tempo_bpm)
        if span.broken:
            self.remarks += (f"{span.broken}: the take ends there, {seconds:.1f} s long",)
        if not span.is_steady:
            self.remarks += (tempo_change_remark(span),)

    def _wait_again(self) -> None:
        self._start_line, self.state = None, "waiting"
        self.seconds, self.peak_db = 0.0, LOWEST_DB
        self._source.forget_progress()

    def _record_from_onset(self, onset_seconds: float, now_seconds: float) -> None:
        source = self._source
        seconds = LONGEST_SECONDS
        if self._bars is not None:
            bars_seconds = bars_to_seconds(self._bars, source.meter, first_tempo(source.tempo_bpm))
            seconds = min(seconds, float(bars_seconds))
        if self._stop_seconds is not None:
            seconds = min(seconds, self._stop_seconds - onset_seconds)
        self.seconds, self.peak_db = source.progress(onset_seconds, now_seconds)
        span = source.span(onset_seconds, seconds)
        if source.is_lost or source.has(span, now_seconds):
            self._make_take = source.settle(span, source.tempo_bpm)
