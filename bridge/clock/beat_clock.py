"""The beat clock: the position in the music at any instant, computed from a source's readings.

It remembers the last three minutes, and extrapolates at the newest tempo. Nothing here reads the
time; all instants are `time.perf_counter` seconds. A subclass decides what a reading shows: that
playback goes on, or that it has jumped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor, inf

from bridge.clock.segment import (
    JUMPED,
    NEAR_SECONDS,
    NO_READINGS,
    STARTED,
    Grid,
    PlaybackSegment,
)
from bridge.commands import Transport
from bridge.errors import NotEnoughBars
from bridge.timing import Meter, Span

KEPT_SECONDS = 180.0
"""How much history the clock keeps; the ring of the input holds 120 s."""
SILENCE_SECONDS = 5.0
"""A DAW that was playing counts as stopped after this long without a reading."""

_MAX_ENTRIES = 400
"""Starts, stops and jumps to keep of three minutes: a flood must not fill the memory."""
_ROUNDING_BARS = 1e-6
"""Rounding error to allow when whole bars are counted."""


@dataclass(frozen=True)
class Pause:
    """The DAW is stopped at a beat, from an instant on."""

    start_seconds: float
    beat: float


class BeatClock(ABC):
    """Beats, bar lines and bars as a source of time plays them.

    Attributes:
        tempo_bpm: the newest reading's, exact; None before the first reading.
        meter: the newest reading's; None before the first reading.
        last_reading_seconds: when the newest reading was taken; None before the first.
    """

    def __init__(self) -> None:
        self.tempo_bpm: Fraction | None = None
        self.meter: Meter | None = None
        self.last_reading_seconds: float | None = None
        self._history: list[PlaybackSegment | Pause] = []

    def update(self, reading: Transport) -> None:
        """Add a reading; its `received_seconds` is not before the last one's."""
        seconds = reading.received_seconds
        self._end_if_silent(seconds)
        if not reading.is_playing:
            self._pause(reading)
        elif not self._extend(reading):
            self._begin(reading)
        self.tempo_bpm, self.meter, self.last_reading_seconds = (
            reading.tempo_bpm,
            reading.meter,
            seconds,
        )
        self._forget(seconds - KEPT_SECONDS)

    @abstractmethod
    def _extend(self, reading: Transport) -> bool:
        """Add the reading to the current segment. Return False when it begins another one."""

    @abstractmethod
    def _segment(self, reading: Transport, began: str, after_seconds: float) -> PlaybackSegment:
        """A segment that begins with the reading."""

    def is_gone(self, seconds: float) -> bool:
        """Whether the newest packet said that the DAW plays, and is more than 5 s old."""
        entry = self._history[-1] if self._history else None
        return (
            isinstance(entry, PlaybackSegment)
            and seconds > entry.last_reading_seconds + SILENCE_SECONDS
        )

    def is_playing(self, seconds: float) -> bool:
        """Whether the playhead moves at that instant."""
        return self._playing_at(seconds) is not None

    def beat_at(self, seconds: float) -> float | None:
        """Quarter notes from the start of the song at that instant; None before the history."""
        entry = self._entry_at(seconds)
        if isinstance(entry, PlaybackSegment):
            return entry.beat_at(min(seconds, entry.last_reading_seconds + SILENCE_SECONDS))
        return None if entry is None else entry.beat

    def bar_fraction(self, seconds: float) -> float | None:
        """Share of the current bar that has been played, 0 up to 1; None when not playing."""
        segment = self._playing_at(seconds)
        if segment is None:
            return None
        position = segment.position_at(seconds)
        grid = segment.grid_at(position)
        return (position - grid.line) % grid.bar_beats / grid.bar_beats

    def bar_line_at_or_before(self, seconds: float) -> float | None:
        """The instant of the last bar line that was played by then; None if there is none."""
        for segment in reversed(list(self._segments())):
            until = min(segment.position_at(seconds), segment.end_position)
            line = segment.grid_at(until).line_at_or_before(until)
            if line >= segment.first_position:
                # Rounding may put a line a microsecond after `seconds`.
                return min(seconds, segment.seconds_at(line))
        return None

    def next_bar_line(self, seconds: float) -> float | None:
        """The instant of the first later bar line that was played or will be.

        None when no bar line will come: the DAW is stopped.
        """
        for segment in self._segments():
            if seconds > segment.last_reading_seconds + SILENCE_SECONDS:
                continue
            after = max(segment.position_at(seconds), segment.first_position)
            line = segment.line_after(after)
            if segment.seconds_at(line) <= seconds:
                line = segment.line_after(line)
            if line <= segment.end_position:
                return segment.seconds_at(line)
        return None

    def bars_ending(self, end_seconds: float, bars: int) -> Span:
        """Find the continuous bars up to the last bar line by that instant.

        Neither a loop that goes back by whole bars nor a tempo change breaks continuity. A line up
        to 50 ms later counts too: the estimate of its position improves with time.

        Args:
            bars: the most to return, 1 or more.

        Returns:
            A span of 0 to `bars` bars; with fewer than requested, `broken` says why.

        Raises:
            NotEnoughBars: the DAW has not played by then.
        """
        segment = self._segment_around(end_seconds)
        near_beats = self._near_beats
        limit = min(
            segment.position_at(end_seconds + NEAR_SECONDS), segment.end_position + near_beats
        )
        line = segment.grid_at(limit).line_at_or_before(limit)
        # At a change of meter, the bar before the line has the old meter.
        grid = segment.grid_at(line - 2 * near_beats)
        line = grid.line_at_or_before(line + near_beats)
        begin, why = segment.grid_from(grid)
        whole_bars = max(0, floor((line - begin) / grid.bar_beats + _ROUNDING_BARS))
        count = min(bars, whole_bars)
        return _span(segment, grid, line - count * grid.bar_beats, line, why * (whole_bars < bars))

    def bars_from(
        self, start_seconds: float, until_seconds: float, bars: int | None = None
    ) -> Span:
        """Find what was played continuously from a bar line on, up to an instant.

        Args:
            start_seconds: near that bar line; the estimate of its position improves with time.
            until_seconds: now.
            bars: end after so many; None for no limit.

        Returns:
            A span that ends with the last of the bars, or where continuity breaks, or else at
            `until_seconds`.

        Raises:
            NotEnoughBars: the DAW has not played by then.
        """
        segment = self._segment_around(start_seconds)
        near_beats = self._near_beats
        position = segment.position_at(start_seconds)
        grid = segment.grid_at(position + near_beats)
        line = grid.line_at_or_before(position + grid.bar_beats / 2)
        end, why = segment.grid_to(grid)
        if not segment.ended and self.is_gone(until_seconds):
            end, why = segment.position_at(segment.last_reading_seconds), NO_READINGS
        last_line = grid.line_at_or_before(end + near_beats) if why else end
        if abs(end - last_line) < near_beats:
            end = last_line
        requested_end = inf if bars is None else line + bars * grid.bar_beats
        now = segment.position_at(until_seconds)
        stop = max(line, min(end, requested_end, now))
        return _span(segment, grid, line, stop, why * (end < requested_end and end <= now))

    @property
    def _near_beats(self) -> float:
        return NEAR_SECONDS * float(self.tempo_bpm or 0) / 60

    def _segments(self) -> Iterator[PlaybackSegment]:
        return (entry for entry in self._history if isinstance(entry, PlaybackSegment))

    def _segment_around(self, seconds: float) -> PlaybackSegment:
        """The segment that was playing at that instant, or else the last one before it."""
        for segment in reversed(list(self._segments())):
            if segment.earliest_seconds <= seconds + NEAR_SECONDS:
                return segment
        raise NotEnoughBars("the DAW has not played: start it, or capture while it is stopped")

    def _entry_at(self, seconds: float) -> PlaybackSegment | Pause | None:
        for entry in reversed(self._history):
            if entry.start_seconds <= seconds:
                return entry
        return None

    def _playing_at(self, seconds: float) -> PlaybackSegment | None:
        entry = self._entry_at(seconds)
        if (
            isinstance(entry, PlaybackSegment)
            and seconds <= entry.last_reading_seconds + SILENCE_SECONDS
        ):
            return entry
        return None

    def _end_if_silent(self, seconds: float) -> None:
        entry = self._history[-1] if self._history else None
        if isinstance(entry, PlaybackSegment) and self.is_gone(seconds):
            entry.end(NO_READINGS)

    def _pause(self, reading: Transport) -> None:
        """Record that the DAW is stopped at the reading's beat."""
        entry = self._history[-1] if self._history else None
        start_seconds = reading.received_seconds
        if isinstance(entry, PlaybackSegment) and not entry.ended:
            entry.stop(reading)
            start_seconds = min(start_seconds, entry.end_seconds)
        if not isinstance(entry, Pause) or entry.beat != reading.beat:
            self._history.append(Pause(start_seconds, reading.beat))

    def _begin(self, reading: Transport) -> None:
        """Begin a segment: playback started, or jumped."""
        seconds = reading.received_seconds
        entry = self._history[-1] if self._history else None
        if isinstance(entry, PlaybackSegment):
            if not entry.ended:
                entry.end(JUMPED)
            segment = self._segment(reading, entry.ended, entry.end_seconds)
        elif entry is None:
            segment = self._segment(reading, STARTED, -inf)
        else:
            # Playback began at the beat of the pause, or at another one.
            since = (reading.beat - entry.beat) * float(60 / reading.tempo_bpm)
            after = seconds - since if since >= 0 else -inf
            segment = self._segment(reading, STARTED, max(entry.start_seconds, after))
        self._history.append(segment)

    def _forget(self, before_seconds: float) -> None:
        """Drop the history that ended before that instant."""
        over = 0
        while over + 1 < len(self._history):
            if self._history[over + 1].start_seconds >= before_seconds:
                break
            over += 1
        del self._history[: max(over, len(self._history) - _MAX_ENTRIES)]
        oldest = self._history[0]
        if isinstance(oldest, PlaybackSegment):
            oldest.forget(before_seconds)


def _span(segment: PlaybackSegment, grid: Grid, start: float, end: float, broken: str) -> Span:
    """Return the span between two positions, the first of them on a bar line."""
    start_seconds, end_seconds = segment.seconds_at(start), segment.seconds_at(end)
    steady = segment.steady_tempo(start, end)
    mean = steady
    if mean is None:
        beats_per_minute = (end - start) / (end_seconds - start_seconds) * 60
        mean = Fraction(round(beats_per_minute * 1000), 1000)
    return Span(
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        bars=floor((end - start) / grid.bar_beats + _ROUNDING_BARS),
        tempo_bpm=mean,
        is_steady=steady is not None,
        meter=grid.meter,
        broken=broken,
    )
