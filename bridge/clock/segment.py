"""One segment of continuous playback: from its packets to the beat at any instant, and back.

Positions count quarter notes, and count on through loops: a position is the song's beat plus the
beats by which the laps so far have gone back. The tempo turns positions into a steady time scale,
exact except for its origin; the lateness of packets on that scale gives the origin.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf, remainder
from typing import Any

from bridge.clock.lateness import LatenessEnvelope
from bridge.commands import Transport
from bridge.timing import Meter

JITTER_SECONDS = 0.03
"""Usual delay of a packet, at most."""
AHEAD_SECONDS = 0.06
"""A packet that is earlier than this shows a jump."""
LATE_SECONDS = 0.12
"""A packet that is later than this was delayed, or shows a jump. A DAW may read its beat up to a
tenth of a second before it sends it."""
FAR_SECONDS = 1.0
"""No packet is delayed by as much as this: it shows a jump."""
PHASE_SECONDS = 0.02
"""A loop keeps the bar lines in phase, to within this."""
NEAR_SECONDS = 0.05
"""An instant closer than this to a bar line counts as on it."""
LOST_START_SECONDS = 0.25
"""Playback may have begun this long before its first packet: at five a second, one can be lost."""

STARTED, STOPPED = "playback began", "playback stopped"
JUMPED, METER_CHANGED = "the playhead jumped", "the meter changed"
NO_PACKETS = "the DAW sent nothing for a while"

_RAMP_RATIO = 0.02
"""A change of tempo by no more than this ratio counts as a ramp; a larger one as a step, which the
DAW reports when it happens."""
_MOVED_LINE_BEATS = 0.125
"""Bar lines that differ by more than this have moved; a DAW that reads two clocks causes less."""
_EDGE_BEATS = 0.05
"""A tempo that overlaps a span by less than this does not count."""
_MAX_PIECES = 4000
"""Enough for a ramp of three minutes at twenty packets a second."""


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
class _TempoPiece:
    """One tempo and one lap, from a position on.

    `seconds` is when it begins, on the steady scale; the song's beat is a position less
    `lap_beats`.
    """

    position: float
    seconds: float
    beat_seconds: float
    tempo_bpm: Fraction
    lap_beats: float = 0.0


class PlaybackSegment:
    """Playback from one packet on, until it stops or jumps.

    Attributes:
        began: why it began where it did: `STARTED`, `JUMPED` or `NO_PACKETS`.
        ended: why it ended: `STOPPED`, `JUMPED` or `NO_PACKETS`; empty while it goes on.
        after_seconds: an instant before which it did not begin.
        last_packet_seconds: when its newest packet arrived.
    """

    def __init__(self, packet: Transport, began: str, after_seconds: float) -> None:
        seconds, position = packet.received_seconds, packet.beat
        into_bar = packet.beat_in_bar
        if into_bar is None:
            into_bar = position % float(packet.meter.beats_per_bar)
        self.began, self.ended = began, ""
        self.after_seconds = max(after_seconds, seconds - LOST_START_SECONDS)
        self.last_packet_seconds = seconds
        self._envelope = LatenessEnvelope()
        self._envelope.add(seconds, 0.0)
        self._first_seconds, self._first_position = seconds, position
        self._last_position = self._end_position = position
        self._grids = [Grid(position, packet.meter, position - into_bar)]
        self._pieces = [
            _TempoPiece(position, seconds, float(60 / packet.tempo_bpm), packet.tempo_bpm)
        ]

    @property
    def packets(self) -> int:
        """How many packets it has."""
        return len(self._envelope)

    @property
    def lap_beats(self) -> float:
        """Beats by which its loops have gone back, in total."""
        return self._pieces[-1].lap_beats

    @property
    def start_seconds(self) -> float:
        """When its first packet was due."""
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

    def lateness(self, packet: Transport, lap_beats: float | None = None) -> float:
        """Seconds from when the packet was due to when it arrived, if it is of this segment.

        Args:
            lap_beats: of the packet's lap; None for the current lap.
        """
        lap_beats = self.lap_beats if lap_beats is None else lap_beats
        return self._scale_from_seconds(packet.received_seconds) - self._due_time(packet, lap_beats)

    def add(self, packet: Transport, lap_beats: float | None = None) -> None:
        """Add a packet of this segment, which may be the first of another lap."""
        lap_beats = self.lap_beats if lap_beats is None else lap_beats
        position, due = packet.beat + lap_beats, self._due_time(packet, lap_beats)
        # A packet that a newer one overtook only shows how late it is.
        if position >= self._last_position or lap_beats != self.lap_beats:
            self._fit_tempo(position, due)
            self._start_lap(position, lap_beats)
            self._update_grid(packet, position)
            if packet.tempo_bpm != self._pieces[-1].tempo_bpm:
                self._add_piece(
                    position,
                    tempo_bpm=packet.tempo_bpm,
                    beat_seconds=float(60 / packet.tempo_bpm),
                )
            self._last_position = max(position, self._last_position)
        self._envelope.add(packet.received_seconds, packet.received_seconds - due)
        self.last_packet_seconds = packet.received_seconds

    def lap_of(self, packet: Transport) -> float | None:
        """The `lap_beats` of the packet if a loop has gone back within this segment.

        None unless it went back by whole bars, and the bar lines stayed in phase.
        """
        grid = self._grids[-1]
        now = self.position_at(packet.received_seconds)
        bars = round((now - packet.beat - self.lap_beats) / grid.bar_beats)
        if bars < 1 or packet.meter != grid.meter:
            return None
        lap_beats = self.lap_beats + bars * grid.bar_beats
        late = self.lateness(packet, lap_beats)
        return lap_beats if -PHASE_SECONDS <= late <= LATE_SECONDS else None

    def was_due(self, packet: Transport) -> bool:
        """Whether it is a late packet of the lap that has just ended."""
        laps = [piece.lap_beats for piece in self._pieces if piece.lap_beats != self.lap_beats]
        return bool(laps) and -PHASE_SECONDS < self.lateness(packet, laps[-1]) < FAR_SECONDS

    def stop(self, packet: Transport) -> None:
        """End the segment with the packet that reports the stop."""
        position = packet.beat + self.lap_beats
        if not -AHEAD_SECONDS <= self.lateness(packet) <= FAR_SECONDS:
            # The DAW has moved the playhead back to where it started.
            position = self.position_at(packet.received_seconds)
        self.ended, self._end_position = STOPPED, max(position, self._last_position)

    def end(self, why: str) -> None:
        """End the segment at its newest packet: nothing is known of what came after."""
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
        scale = self._scale_from_position(position)
        # The offset changes by a millisecond a second, so the newest one is close enough to look
        # the right one up.
        approximate = scale + self._envelope.offset_at(self.last_packet_seconds)
        return scale + self._envelope.offset_at(approximate)

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
        self._envelope.forget(before_seconds)
        past = (
            bisect_right(self._pieces, self._scale_from_seconds(before_seconds), key=_seconds) - 1
        )
        del self._pieces[: max(0, past, len(self._pieces) - _MAX_PIECES)]
        past = bisect_right(self._grids, self._pieces[0].position, key=_position) - 1
        del self._grids[: max(0, past, len(self._grids) - _MAX_PIECES)]

    def _piece_at(self, position: float) -> _TempoPiece:
        return self._pieces[max(0, bisect_right(self._pieces, position, key=_position) - 1)]

    def _scale_from_seconds(self, seconds: float) -> float:
        return seconds - self._envelope.offset_at(seconds)

    def _scale_from_position(self, position: float) -> float:
        piece = self._piece_at(position)
        return piece.seconds + (position - piece.position) * piece.beat_seconds

    def _due_time(self, packet: Transport, lap_beats: float) -> float:
        """When the packet was due, on the scale.

        If it has a new tempo, the tempo changed some time since the packet before. So the due time
        is between the results of the two tempos: halfway for a small change, which is a ramp; that
        of the old tempo for a large one. Where the arrival contradicts this, the arrival decides.
        """
        position, last = packet.beat + lap_beats, self._last_position
        old = self._scale_from_position(position)
        if position <= last or packet.tempo_bpm == self._pieces[-1].tempo_bpm:
            return old
        new = self._scale_from_position(last) + (position - last) * float(60 / packet.tempo_bpm)
        gradual = abs(packet.tempo_bpm / self._pieces[-1].tempo_bpm - 1) <= _RAMP_RATIO
        likely = (old + new) / 2 if gradual else old
        arrived = self._scale_from_seconds(packet.received_seconds)
        if -JITTER_SECONDS / 2 <= arrived - likely <= JITTER_SECONDS + PHASE_SECONDS:
            return likely
        return min(max(arrived, min(old, new)), max(old, new))

    def _fit_tempo(self, position: float, due: float) -> None:
        """Change the tempo since the newest packet so that the position is reached when due."""
        last, steady = self._last_position, self._scale_from_position(position)
        if due != steady:
            beat_seconds = (due - self._scale_from_position(last)) / (position - last)
            tempo_bpm = Fraction(60 / beat_seconds).limit_denominator(1000)
            self._add_piece(last, tempo_bpm=tempo_bpm, beat_seconds=beat_seconds)

    def _start_lap(self, position: float, lap_beats: float) -> None:
        """Begin another lap, at a bar line since the newest packet if there is one."""
        if lap_beats != self.lap_beats:
            line = self._grids[-1].line_at_or_before(position)
            self._add_piece(line if line > self._last_position else position, lap_beats=lap_beats)

    def _update_grid(self, packet: Transport, position: float) -> None:
        """Begin another grid if the packet's meter or bar lines differ."""
        grid, bar_beats = self._grids[-1], float(packet.meter.beats_per_bar)
        if packet.beat_in_bar is not None:
            line = position - packet.beat_in_bar
        elif packet.meter != grid.meter:
            line = position - packet.beat % bar_beats
        else:
            return
        moved = abs(remainder(line - grid.line, bar_beats))
        if packet.meter != grid.meter or moved > _MOVED_LINE_BEATS:
            self._grids.append(Grid(max(line, self._last_position), packet.meter, line))

    def _add_piece(self, position: float, **changes: Any) -> None:
        """Begin another piece with these changes, no earlier than the newest one."""
        newest = self._pieces[-1]
        position = max(position, newest.position)
        seconds = self._scale_from_position(position)
        if position == newest.position:
            self._pieces.pop()
        self._pieces.append(replace(newest, position=position, seconds=seconds, **changes))


def _position(item: _TempoPiece | Grid) -> float:
    return item.position


def _seconds(piece: _TempoPiece) -> float:
    return piece.seconds
