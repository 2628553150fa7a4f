"""What is about to be played: from a bar line on, or from the first onset."""

from __future__ import annotations

from bridge.capture.capture import LOST, Capture, tempo_remark
from bridge.capture.onset import FLOOR_SECONDS, OnsetFinder
from bridge.capture.source import LONGEST_SECONDS, Source
from bridge.errors import NoInput, NotEnoughBars, SilentMelody
from bridge.soundcard.level import LOWEST_DB
from bridge.timing import bars_to_frames, first_tempo


class Recording(Capture):
    """From a bar line on while the DAW plays, or from an onset while it stands."""

    def __init__(self, source: Source, bars: int | None, now_seconds: float) -> None:
        super().__init__(source)
        self._bars = bars
        self._armed = now_seconds
        self._line: float | None = None
        self._onset: int | None = None
        self._finder: OnsetFinder | None = None
        self._fed = 0

    def poll(self, now_seconds: float) -> None:
        if self.take is not None:
            return
        if self._line is None and self._onset is None:
            self._wait(now_seconds)
        if self._line is not None:
            self._record_bars(self._line, now_seconds)
        elif self._onset is not None:
            self._record_on(self._onset)

    def _wait(self, now_seconds: float) -> None:
        """Look for what begins it."""
        if self._is_lost:
            raise NoInput(LOST)
        source = self._source
        begun_by = now_seconds if self._stopped is None else self._stopped
        playing = source.clock.is_playing(now_seconds)
        if playing:
            self._finder = None
            # From when it was asked for: playback that began since counts from its first bar.
            line = source.clock.next_bar_line(self._armed)
            if line is not None and line <= begun_by:
                self._line = line
        elif source.ring.frames_written:
            onset = self._listen(now_seconds)
            if onset is not None and onset < source.frame_at(begun_by):
                self._onset = onset
        if self._line is not None or self._onset is not None:
            self.state = "recording"
        elif self._stopped is not None and playing:
            raise NotEnoughBars("0 bars: it was stopped before the bar line that begins it")
        elif self._stopped is not None:
            raise SilentMelody("nothing was heard before it was stopped: check the microphone")

    def _listen(self, now_seconds: float) -> int | None:
        """The frame of the first onset since it began to listen, if there is one yet."""
        ring = self._source.ring
        if self._finder is None:
            after = max(0, self._source.frame_at(now_seconds))
            earlier = min(after, ring.frames_written) - round(FLOOR_SECONDS * ring.sample_rate)
            self._fed = max(earlier, ring.continuous_from())
            self._finder = OnsetFinder(ring.sample_rate, self._fed, after)
        samples = ring.read(self._fed, ring.frames_written)
        self._fed += len(samples)
        return self._finder.feed(samples)

    def _record_bars(self, line: float, now_seconds: float) -> None:
        clock = self._source.clock
        bars = self._bars
        try:
            if self._stopped is not None:
                begun = clock.bars_from(line, self._stopped, None).bars + 1
                bars = begun if bars is None else min(bars, begun)
            span = clock.bars_from(line, now_seconds, bars)
        except NotEnoughBars:
            # The DAW said that it plays before its beat moved: there was no such bar line.
            self._wait_again()
            return
        seconds = span.end_seconds - span.start_seconds
        if span.broken and seconds < 60 / span.tempo_bpm:
            # Less than a beat is nothing: wait for the next bar line, or for an onset.
            self._armed = now_seconds
            self._wait_again()
            return
        start_frame = self._source.frame_at(span.start_seconds)
        self._follow(start_frame)
        if not span.broken and not self._is_lost and span.bars != bars:
            if seconds > LONGEST_SECONDS:
                self._bars = max(1, span.bars)
                self.remarks = (f"it was ended after {self._bars} bars: no take lasts over 115 s",)
            return
        remarks = []
        if span.broken:
            remarks.append(f"{span.broken}: the take ends there, {seconds:.1f} s long")
        if not span.is_steady:
            remarks.append(
                f"the tempo changed: the take goes by its mean, {tempo_remark(span)} bpm"
            )
        frames = self._source.frames_of(span)
        self._finish(start_frame, frames, span.tempo_bpm, span.meter, *remarks)

    def _wait_again(self) -> None:
        self._line, self.state = None, "waiting"
        self.seconds, self.peak_db, self._seen_frame = 0.0, LOWEST_DB, -1

    def _record_on(self, onset: int) -> None:
        source = self._source
        rate = source.ring.sample_rate
        frames = round(LONGEST_SECONDS * rate)
        if self._bars is not None:
            tempo_bpm = first_tempo(source.tempo_bpm)
            frames = min(frames, bars_to_frames(self._bars, source.meter, tempo_bpm, rate))
        if self._stopped is not None:
            frames = max(1, min(frames, source.frame_at(self._stopped) - onset))
        self._follow(onset)
        self._finish(onset, frames, source.tempo_bpm, source.meter)
