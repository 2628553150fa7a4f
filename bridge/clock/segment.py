"""One segment of continuous playback: the beat at any instant, and back.

Positions count quarter notes, and count on through loops: a position is the song's beat plus the
beats by which the laps so far have gone back. The tempo turns positions into a time scale. Here
the scale is the machine's clock; a subclass may estimate where its origin is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf, remainder
from typing import Any

from bridge.commands import Transport
from bridge.timing import Meter

AHEAD_SECONDS = 0.06
"""A reading that is earlier than this shows a jump."""
FAR_SECONDS = 1.0
"""No reading is delayed by as much as this: it shows a jump."""
PHASE_SECONDS = 0.02
"""A loop keeps the bar lines in phase, to within this."""
NEAR_SECONDS = 0.05
"""An instant closer than this to a bar line counts as on it."""
LOST_START_SECONDS = 0.25
"""Playback may have begun this long before its first reading: at five a second, one can be lost."""

STARTED, STOPPED = "playback began", "playback stopped"
JUMPED, METER_CHANGED = "the playhead jumped", "the meter changed"
NO_READINGS = "the DAW sent nothing for a while"

_MOVED_LINE_BEATS = 0.125
"""Bar lines that differ by more than this have moved; a DAW that reads two clocks causes less."""
_EDGE_BEATS = 0.05
"""A tempo that overlaps a span by less than this does not count."""
_MAX_PIECES = 4000
"""Enough for a ramp of three minutes at twenty readings a second."""


@dataclass(frozen=True)
class Grid:
    """Bars of one meter, from a position on.

    Attributes:
        position: where the grid begins; not always on one of its lines.
        meter: of its bars.
        line: the position of any one of its bar lines.
    """

    position: float
    meter: Meter
    line: float

    @property
    def bar_beats(self) -> float:
        """Quarter notes in a bar."""
        return float(self.meter.beats_per_bar)

    def line_at_or_before(self, position: float) -> float:
        """The position of the last bar line up to that position."""
        return position - (position - self.line) % self.bar_beats


@dataclass(frozen=True)
class TempoPiece:
    """One tempo and one lap, from a position on.

    Attributes:
        position: where it begins.
        seconds: when it begins, on the time scale.
        beat_seconds: how long a quarter note lasts in it.
        tempo_bpm: its tempo as the source gives it; `beat_seconds` may differ by what the source's
            readings are off.
        lap_beats: the song's beat is a position less this.
    """

    position: float
    seconds: float
    beat_seconds: float
    tempo_bpm: Fraction
    lap_beats: float = 0.0


class PlaybackSegment(ABC):
    """Playback from one reading on, until it stops or jumps.

    Attributes:
        began: why it began where it did: `STARTED`, `JUMPED` or `NO_READINGS`.
        ended: why it ended: `STOPPED`, `JUMPED` or `NO_READINGS`; empty while it goes on.
        after_seconds: an instant before which it did not begin.
        last_reading_seconds: when its newest reading arrived.
    """

    late_seconds = PHASE_SECONDS
    """The first reading of a lap may be this late."""

    def __init__(self, reading: Transport, began: str, after_seconds: float) -> None:
        seconds, position = reading.received_seconds, reading.beat
        into_bar = reading.beat_in_bar
        if into_bar is None:
            into_bar = position % float(reading.meter.beats_per_bar)
        self.began, self.ended = began, ""
        self.after_seconds = max(after_seconds, seconds - LOST_START_SECONDS)
        self.last_reading_seconds = seconds
        self._first_seconds, self._first_position = seconds, position
        self._last_position = self._end_position = position
        self._grids = [Grid(position, reading.meter, position - into_bar)]
        self._pieces = [
            TempoPiece(position, seconds, float(60 / reading.tempo_bpm), reading.tempo_bpm)
        ]

    @property
    def lap_beats(self) -> float:
        """Beats by which its loops have gone back, in total."""
        return self._pieces[-1].lap_beats

    @property
    def start_seconds(self) -> float:
        """When its first reading was due."""
        return min(self._first_seconds, self.seconds_at(self._first_position))

    @property
    def first_position(self) -> float:
        """The position before which no bar line belongs to it."""
        return self.position_at(self.after_seconds - NEAR_SECONDS)

    @property
    def earliest_seconds(self) -> float:
        """The instant before which no bar line belongs to it."""
        return self.after_seconds - NEAR_SECONDS

    @property
    def end_position(self) -> float:
        """The position up to which it is known to have played; infinity while it goes on."""
        return self._end_position if self.ended else inf

    @property
    def end_seconds(self) -> float:
        """The instant of `end_position`."""
        return self.seconds_at(self._end_position) if self.ended else inf

    @abstractmethod
    def add(self, reading: Transport, lap_beats: float | None = None) -> None:
        """Add a reading of this segment, which may be the first of another lap."""

    def lateness(self, reading: Transport, lap_beats: float | None = None) -> float:
        """Seconds from when the reading was due to when it came, if it is of this segment.

        Args:
            lap_beats: of the reading's lap; None for the current lap.
        """
        lap_beats = self.lap_beats if lap_beats is None else lap_beats
        arrived = self._scale_from_seconds(reading.received_seconds)
        return arrived - self._due_time(reading, lap_beats)

    def lap_of(self, reading: Transport) -> float | None:
        """The `lap_beats` of the reading if a loop has gone back within this segment.

        None unless it went back by whole bars, and the bar lines stayed in phase.
        """
        grid = self._grids[-1]
        now = self.position_at(reading.received_seconds)
        bars = round((now - reading.beat - self.lap_beats) / grid.bar_beats)
        if bars < 1 or reading.meter != grid.meter:
            return None
        lap_beats = self.lap_beats + bars * grid.bar_beats
        late = self.lateness(reading, lap_beats)
        return lap_beats if -PHASE_SECONDS <= late <= self.late_seconds else None

    def stop(self, reading: Transport) -> None:
        """End the segment with the reading that reports the stop."""
        position = reading.beat + self.lap_beats
        if not -AHEAD_SECONDS <= self.lateness(reading) <= FAR_SECONDS:
            # The DAW has moved the playhead back to where it started.
            position = self.position_at(reading.received_seconds)
        self.ended, self._end_position = STOPPED, max(position, self._last_position)

    def end(self, why: str) -> None:
        """End the segment at its newest reading: nothing is known of what came after."""
        self.ended, self._end_position = why, self._last_position

    def reopen(self) -> None:
        """Undo an end that was a mistake."""
        self.ended = ""

    def position_at(self, seconds: float) -> float:
        """The position at an instant, extrapolated before and after the segment."""
        scale = self._scale_from_seconds(seconds)
        piece = self._pieces[max(0, bisect_right(self._pieces, scale, key=_seconds) - 1)]
        return piece.position + (scale - piece.seconds) / piece.beat_seconds

    def seconds_at(self, position: float) -> float:
        """The instant of a position."""
        return self._scale_from_position(position)

    def beat_at(self, seconds: float) -> float:
        """The song's beat at an instant."""
        position = self.position_at(seconds)
        return position - self._piece_at(position).lap_beats

    def grid_at(self, position: float) -> Grid:
        """The grid at a position; the first grid for earlier positions."""
        return self._grids[max(0, bisect_right(self._grids, position, key=_position) - 1)]

    def line_after(self, position: float) -> float:
        """The position of the first bar line after that position."""
        grid = self.grid_at(position)
        line = grid.line_at_or_before(position) + grid.bar_beats
        for later in self._grids[self._grids.index(grid) + 1 :]:
            if later.position < line:
                first = later.line_at_or_before(later.position)
                line = first if first > position else first + later.bar_beats
        return line

    def grid_from(self, grid: Grid) -> tuple[float, str]:
        """The position from which that grid is continuous, and why not earlier."""
        if grid is self._grids[0]:
            return self.first_position, self.began
        return max(grid.position, self.first_position), METER_CHANGED

    def grid_to(self, grid: Grid) -> tuple[float, str]:
        """The position up to which it is continuous, and why; infinity while it goes on."""
        if grid is self._grids[-1]:
            return self.end_position, self.ended
        return self._grids[self._grids.index(grid) + 1].position, METER_CHANGED

    def steady_tempo(self, start: float, end: float) -> Fraction | None:
        """The tempo between two positions; None when it changes there."""
        tempo_bpm = self._piece_at(start + _EDGE_BEATS).tempo_bpm
        first = bisect_right(self._pieces, start + _EDGE_BEATS, key=_position)
        for piece in self._pieces[first:]:
            if piece.position >= end - _EDGE_BEATS:
                break
            if piece.tempo_bpm != tempo_bpm:
                return None
        return tempo_bpm

    def forget(self, before_seconds: float) -> None:
        """Drop what is older than that instant, and what exceeds the limits after a flood."""
        past = (
            bisect_right(self._pieces, self._scale_from_seconds(before_seconds), key=_seconds) - 1
        )
        del self._pieces[: max(0, past, len(self._pieces) - _MAX_PIECES)]
        past = bisect_right(self._grids, self._pieces[0].position, key=_position) - 1
        del self._grids[: max(0, past, len(self._grids) - _MAX_PIECES)]

    def _piece_at(self, position: float) -> TempoPiece:
        return self._pieces[max(0, bisect_right(self._pieces, position, key=_position) - 1)]

    def _scale_from_seconds(self, seconds: float) -> float:
        """The time scale's value at an instant."""
        return seconds

    def _scale_from_position(self, position: float) -> float:
        piece = self._piece_at(position)
        return piece.seconds + (position - piece.position) * piece.beat_seconds

    def _due_time(self, reading: Transport, lap_beats: float) -> float:
        """When the reading was due, on the scale.

        If it has a new tempo, the tempo changed some time since the reading before. So any time
        between the results of the two tempos is due.
        """
        position = reading.beat + lap_beats
        old = self._scale_from_position(position)
        if position <= self._last_position or reading.tempo_bpm == self._pieces[-1].tempo_bpm:
            return old
        new = self._due_at_its_own_tempo(reading, position)
        arrived = self._scale_from_seconds(reading.received_seconds)
        return min(max(arrived, min(old, new)), max(old, new))

    def _due_at_its_own_tempo(self, reading: Transport, position: float) -> float:
        """When the reading was due, had its tempo held since the newest reading."""
        last = self._last_position
        return self._scale_from_position(last) + (position - last) * float(60 / reading.tempo_bpm)

    def _start_lap(self, position: float, lap_beats: float) -> None:
        """Begin another lap, at a bar line since the newest reading if there is one."""
        if lap_beats != self.lap_beats:
            line = self._grids[-1].line_at_or_before(position)
            self._add_piece(line if line > self._last_position else position, lap_beats=lap_beats)

    def _update_grid(self, reading: Transport, position: float) -> None:
        """Begin another grid if the reading's meter or bar lines differ."""
        grid, bar_beats = self._grids[-1], float(reading.meter.beats_per_bar)
        if reading.beat_in_bar is not None:
            line = position - reading.beat_in_bar
        elif reading.meter != grid.meter:
            line = position - reading.beat % bar_beats
        else:
            return
        moved = abs(remainder(line - grid.line, bar_beats))
        if reading.meter != grid.meter or moved > _MOVED_LINE_BEATS:
            self._grids.append(Grid(max(line, self._last_position), reading.meter, line))

    def _add_piece(self, position: float, **changes: Any) -> None:
        """Begin another piece with these changes, no earlier than the newest one."""
        newest = self._pieces[-1]
        position = max(position, newest.position)
        seconds = self._scale_from_position(position)
        if position == newest.position:
            self._pieces.pop()
        self._pieces.append(
            replace(newest, **{"position": position, "seconds": seconds, **changes})
        )


def _position(item: TempoPiece | Grid) -> float:
    return item.position


def _seconds(piece: TempoPiece) -> float:
    return piece.seconds
