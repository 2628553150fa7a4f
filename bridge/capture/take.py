"""Which frames of the ring become a take: `start` and `last`, as the protocol means them.

A capture is polled, every 20 ms or so, with the present instant; it looks at no clock of its own.
Where it lies is worked out anew at each poll, for the beat clock tells a bar line better as time
goes on, and settled when the ring has all of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction

from bridge.capture.level import LOWEST_DB, peak_db
from bridge.capture.onset import FLOOR_SECONDS, OnsetFinder
from bridge.capture.source import LONGEST_SECONDS, Source
from bridge.commands import CaptureState
from bridge.config import DEFAULT_TEMPO_BPM
from bridge.errors import BadArgument, NoInput, NotEnoughBars, SilentMelody
from bridge.timing import Meter, Span, Take, bars_to_frames, bars_to_seconds

LAST_QUARTER = 0.75
"""Pressed in this part of a bar, `last` waits for its end."""
STOPPED_BARS = 2
"""After the DAW has stopped, `last` still takes the bars it played, until its last bar line is this
many bars ago: then what was played since is meant."""
REST_SECONDS = 0.5
"""A phrase begins after a rest of this length."""

SHORT_GAP_SECONDS = 0.1
"""Lost by the input at once, it costs a melody at most one 128 ms step of its chroma."""

_ALMOST = 0.001
"""Of a bar: what a rounded frame may cost."""
_LOST = "the input was lost before anything was recorded: plug it in again, or choose another"


def start(source: Source, bars: int | None, now_seconds: float) -> Capture:
    """Record from the next bar line, or from the first onset when the DAW stands.

    Args:
        bars: how many; None: until it is stopped, or 115 s are full.

    Raises:
        BadArgument: so many bars are longer than 115 s.
    """
    most = source.most_bars(now_seconds)
    if bars is not None and bars > most:
        raise BadArgument(_too_many(source, bars, most, now_seconds))
    return _Recording(source, bars, now_seconds)


def last(source: Source, bars: int, now_seconds: float) -> Capture:
    """Take the bars that end at the last bar line; pressed in a bar's last quarter, at its end.

    When the DAW stands, take the last phrase: from its onset if that was within the last `bars` + 1
    bars, else the bars that end now. What was played until a moment ago counts as playing. A gap
    of up to a tenth of a second, where the input lost a few blocks, is silent and does no harm.

    Raises:
        NotEnoughBars: so many bars are longer than 115 s, or the DAW has not come to a bar line.
    """
    clock = source.clock
    most = source.most_bars(now_seconds)
    if bars > most:
        raise NotEnoughBars(_too_many(source, bars, most, now_seconds))
    end_seconds = clock.bar_line_at_or_before(now_seconds)
    if clock.is_playing(now_seconds):
        if (clock.bar_fraction(now_seconds) or 0.0) >= LAST_QUARTER:
            end_seconds = clock.next_bar_line(now_seconds) or end_seconds
        if end_seconds is None:
            raise NotEnoughBars(
                f"0 of {bars} bars: playback has not come to a bar line yet; ask again after it"
            )
        return _LastBars(source, bars, end_seconds)
    if end_seconds is not None and clock.tempo_bpm and clock.meter:
        recent = STOPPED_BARS * bars_to_seconds(1, clock.meter, clock.tempo_bpm)
        if now_seconds - end_seconds < recent:
            return _LastBars(source, bars, end_seconds)
    return _LastPhrase(source, bars, now_seconds)


class Capture(ABC):
    """One capture, until it is done.

    Attributes:
        state: `waiting` for what begins it, `recording`, or `done`.
        seconds: how long it is so far.
        peak_db: its highest peak so far in dBFS, -120 when silent.
        take: the result, once it is done. It begins on a bar line, or at an onset.
        told: sentences on what is not as was asked for.
    """

    def __init__(self, source: Source) -> None:
        self.state: CaptureState = "waiting"
        self.seconds = 0.0
        self.peak_db = LOWEST_DB
        self.take: Take | None = None
        self.told: tuple[str, ...] = ()
        self._source = source
        self._stopped: float | None = None
        self._is_lost = False
        self._seen_frame = -1

    @abstractmethod
    def poll(self, now_seconds: float) -> None:
        """See how far it is; `take` is there when it is done, and then this does nothing.

        Raises:
            NotEnoughBars: there are fewer bars than were asked for.
            NoInput: the input was lost before anything was recorded.
            SilentMelody: nothing was heard.
        """

    def stop(self, now_seconds: float) -> None:
        """End what `start` began: in bars at the next bar line, else at once."""
        if self._stopped is None:
            self._stopped = now_seconds

    def lost(self, now_seconds: float) -> None:
        """The ring gets no more: the next poll makes do with what it has."""
        self._is_lost = True

    def _follow(self, start_frame: int) -> None:
        """Tell how long it is, and how loud."""
        ring = self._source.ring
        written = ring.frames_written
        first = max(start_frame, self._seen_frame, ring.oldest_frame)
        if written > first:
            self.peak_db = max(self.peak_db, peak_db(ring.read(first, written)))
        self._seen_frame = written
        self.seconds = max(0, written - start_frame) / ring.sample_rate

    def _finish(
        self,
        start_frame: int,
        frames: int,
        tempo_bpm: Fraction | None,
        meter: Meter,
        *told: str,
    ) -> None:
        """Make the take, if the ring has it all or gets no more."""
        source = self._source
        if not source.has(start_frame, frames):
            if not self._is_lost:
                return
            heard = source.ring.frames_written - start_frame
            if heard <= 0:
                raise NoInput(_LOST)
            frames = min(frames, heard)
            told += ("the input was lost: the take ends there",)
        waveform, missing = source.cut(start_frame, frames)
        if missing > 0:
            told += (f"{missing * 1000:.0f} ms of it were lost by the input, and are silent",)
        self.take = Take(waveform, tempo_bpm, meter, name=source.name)
        self.told += told
        self.seconds, self.peak_db = waveform.seconds, peak_db(waveform.samples)
        self.state = "done"


class _Recording(Capture):
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
            raise NoInput(_LOST)
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
        if self._stopped is not None:
            begun = clock.bars_from(line, self._stopped, None).bars + 1
            bars = begun if bars is None else min(bars, begun)
        span = clock.bars_from(line, now_seconds, bars)
        seconds = span.end_seconds - span.start_seconds
        if span.broken and seconds < 60 / span.tempo_bpm:
            # Less than a beat is nothing: wait for the next bar line, or for an onset.
            self._line, self._armed, self.state = None, now_seconds, "waiting"
            self.seconds, self.peak_db, self._seen_frame = 0.0, LOWEST_DB, -1
            return
        start_frame = self._source.frame_at(span.start_seconds)
        self._follow(start_frame)
        if not span.broken and not self._is_lost and span.bars != bars:
            if seconds > LONGEST_SECONDS:
                self._bars = max(1, span.bars)
                self.told = (f"it was ended after {self._bars} bars: no take lasts over 115 s",)
            return
        told = []
        if span.broken:
            told.append(f"{span.broken}: the take ends there, {seconds:.1f} s long")
        if not span.is_steady:
            told.append(f"the tempo changed: the take goes by its mean, {_decimal(span)} bpm")
        frames = self._source.frames_of(span)
        self._finish(start_frame, frames, span.tempo_bpm, span.meter, *told)

    def _record_on(self, onset: int) -> None:
        source = self._source
        rate = source.ring.sample_rate
        frames = round(LONGEST_SECONDS * rate)
        if self._bars is not None:
            tempo_bpm = source.tempo_bpm or DEFAULT_TEMPO_BPM
            frames = min(frames, bars_to_frames(self._bars, source.meter, tempo_bpm, rate))
        if self._stopped is not None:
            frames = max(1, min(frames, source.frame_at(self._stopped) - onset))
        self._follow(onset)
        self._finish(onset, frames, source.tempo_bpm, source.meter)


class _LastBars(Capture):
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
            self._end = end
        span = clock.bars_ending(self._end, self._bars)
        start_frame, frames = source.frame_at(span.start_seconds), source.frames_of(span)
        if not source.has(start_frame, frames) and not self._is_lost:
            return
        have, why = self._whole_bars(span)
        if have < self._bars:
            raise NotEnoughBars(f"{have} of {self._bars} bars: {why}")
        told = []
        if not span.is_steady:
            told.append(f"the tempo changed: the take goes by its mean, {_decimal(span)} bpm")
        self._finish(start_frame, frames, span.tempo_bpm, span.meter, *told)

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


class _LastPhrase(Capture):
    """What was hummed last while the DAW stood."""

    def __init__(self, source: Source, bars: int, now_seconds: float) -> None:
        super().__init__(source)
        self._bars = bars
        self._pressed = now_seconds

    def poll(self, now_seconds: float) -> None:
        source, ring = self._source, self._source.ring
        stop_frame = source.frame_at(self._pressed)
        if self.take is not None or (ring.frames_written < stop_frame and not self._is_lost):
            return
        stop_frame = min(stop_frame, ring.frames_written)
        earliest, why = _heard_from(source, stop_frame)
        heard = stop_frame - earliest
        tempo_bpm = source.tempo_bpm or DEFAULT_TEMPO_BPM
        frames, searched = (
            bars_to_frames(bars, source.meter, tempo_bpm, ring.sample_rate)
            for bars in (self._bars, self._bars + 1)
        )
        onset = self._onset(max(earliest, stop_frame - searched), stop_frame, earliest)
        if onset is not None:
            frames = min(frames, stop_frame - onset)
            self._finish(onset, frames, source.tempo_bpm, source.meter)
        elif heard < frames:
            have = self._bars * heard // frames
            raise NotEnoughBars(f"{have} of {self._bars} bars at {float(tempo_bpm):g} bpm: {why}")
        else:
            self._finish(stop_frame - frames, frames, source.tempo_bpm, source.meter)

    def _onset(self, after_frame: int, stop_frame: int, earliest: int) -> int | None:
        """The first onset after a rest since that frame."""
        ring = self._source.ring
        first = max(earliest, after_frame - round(FLOOR_SECONDS * ring.sample_rate))
        finder = OnsetFinder(ring.sample_rate, first, after_frame, REST_SECONDS)
        return finder.feed(ring.read(first, stop_frame))


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


def _too_many(source: Source, bars: int, most: int, now_seconds: float) -> str:
    tempo_bpm, meter = source.tempo_now(now_seconds)
    return (
        f"{bars} bars of {meter} at {float(tempo_bpm):g} bpm: no take lasts over "
        f"{LONGEST_SECONDS:g} s, so {most} are the most"
    )


def _decimal(span: Span) -> str:
    return f"{float(span.tempo_bpm):g}"
