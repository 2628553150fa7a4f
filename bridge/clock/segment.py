"""One stretch of playback in one piece: from its packets to beats at any instant, and back.

Positions count quarter notes on through loops: a position is the song's beat plus what the laps so
far have gone back by. Tempo makes a steady scale of them, exact but for where it begins; how late
packets are on that scale tells where.
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
"""What packets are late by as a matter of course."""
AHEAD_SECONDS = 0.06
"""More than this before its time, a packet tells of a jump."""
LATE_SECONDS = 0.12
"""More than this after its time, a packet is late, or tells of a jump: a DAW may read its beat up
to a tenth of a second before it sends it."""
FAR_SECONDS = 1.0
"""No packet is as late as this: it tells of a jump."""
PHASE_SECONDS = 0.02
"""A loop keeps the bar lines where they were, to this."""
NEAR_SECONDS = 0.05
"""Closer than this to a bar line is on it."""
UNHEARD_SECONDS = 0.25
"""Playback may have begun this long before its first packet: one of five a second can be lost."""

STARTED, STOPPED = "playback began", "playback stopped"
JUMPED, METER_CHANGED = "the playhead jumped", "the meter changed"
FELL_SILENT = "nothing was heard of the DAW for a while"

_GRADUAL = 0.02
"""Tempos this close, as a ratio, are taken for a ramp from one to the other; a change by more for a
step, which is told when it comes."""
_REGROUPED_BEATS = 0.125
"""Bar lines that move by more than this have moved; less is the DAW reading two clocks."""
_EDGE_BEATS = 0.05
"""A tempo that reaches into a span by less is not in it."""
_MOST_PIECES = 4000
"""A ramp of three minutes, told twenty times a second."""


@dataclass(frozen=True)
class Grid:
    """From a position on: bars of one meter.

    Attributes:
        position: where it begins; not always on one of its lines.
        meter: of its bars.
        line: the position of one of its bar lines, anywhere.
    """

    position: float
    meter: Meter
    line: float

    @property
    def bar_beats(self) -> float:
        """Quarter notes in a bar."""
        return float(self.meter.beats_per_bar)

    def line_at_or_before(self, position: float) -> float:
        """The position of the last bar line up to there."""
        return position - (position - self.line) % self.bar_beats


@dataclass(frozen=True)
class _Piece:
    """From a position on: one tempo, one lap.

    `seconds` is when it begins, on the steady scale; `lap_beats` is what to take off a position to
    get the song's beat.
    """

    position: float
    seconds: float
    beat_seconds: float
    tempo_bpm: Fraction
    lap_beats: float = 0.0


class PlaybackSegment:
    """Playback from one packet on, until it stops or jumps.

    Attributes:
        began: why it began where it did, `STARTED`, `JUMPED` or `FELL_SILENT`.
        ended: why it is over, `STOPPED`, `JUMPED` or `FELL_SILENT`; empty while it goes on.
        after_seconds: it began after this instant.
        heard_seconds: when its newest packet arrived.
    """

    def __init__(self, packet: Transport, began: str, after_seconds: float) -> None:
        seconds, position = packet.received_seconds, packet.beat
        into_bar = packet.beat_in_bar
        if into_bar is None:
            into_bar = position % float(packet.meter.beats_per_bar)
        self.began, self.ended = began, ""
        self.after_seconds = max(after_seconds, seconds - UNHEARD_SECONDS)
        self.heard_seconds = seconds
        self._arrivals = LatenessEnvelope()
        self._arrivals.add(seconds, 0.0)
        self._first_seconds, self._first_position = seconds, position
        self._last_position = self._end_position = position
        self._grids = [Grid(position, packet.meter, position - into_bar)]
        self._pieces = [_Piece(position, seconds, float(60 / packet.tempo_bpm), packet.tempo_bpm)]

    @property
    def packets(self) -> int:
        """How many it rests on."""
        return len(self._arrivals)

    @property
    def lap_beats(self) -> float:
        """What its loops have gone back by, all together."""
        return self._pieces[-1].lap_beats

    @property
    def start_seconds(self) -> float:
        """When its first packet was due."""
        return min(self._first_seconds, self.seconds_at(self._first_position))

    @property
    def first_position(self) -> float:
        """No bar line before this position is part of it."""
        return self.position_at(self.after_seconds - NEAR_SECONDS)

    @property
    def earliest_seconds(self) -> float:
        """No bar line before this instant is part of it."""
        return self.after_seconds - NEAR_SECONDS

    @property
    def end_position(self) -> float:
        """How far it is known to have gone; for ever, while it goes on."""
        return self._end_position if self.ended else inf

    @property
    def end_seconds(self) -> float:
        """When it came there."""
        return self.seconds_at(self._end_position) if self.ended else inf

    def lateness(self, packet: Transport, lap_beats: float | None = None) -> float:
        """Seconds that the packet arrived after it was due, if it is of this stretch.

        Args:
            lap_beats: of the lap that it is from; None: the current one.
        """
        lap_beats = self.lap_beats if lap_beats is None else lap_beats
        return self._on_scale(packet.received_seconds) - self._due(packet, lap_beats)

    def add(self, packet: Transport, lap_beats: float | None = None) -> None:
        """Take in a packet of this stretch, which may be the first of another lap."""
        lap_beats = self.lap_beats if lap_beats is None else lap_beats
        position, due = packet.beat + lap_beats, self._due(packet, lap_beats)
        # One that was overtaken by a newer one has nothing to say but how late it is.
        if position >= self._last_position or lap_beats != self.lap_beats:
            self._bend(position, due)
            self._turn(position, lap_beats)
            self._regroup(packet, position)
            if packet.tempo_bpm != self._pieces[-1].tempo_bpm:
                self._put(
                    position,
                    tempo_bpm=packet.tempo_bpm,
                    beat_seconds=float(60 / packet.tempo_bpm),
                )
            self._last_position = max(position, self._last_position)
        self._arrivals.add(packet.received_seconds, packet.received_seconds - due)
        self.heard_seconds = packet.received_seconds

    def lap_of(self, packet: Transport) -> float | None:
        """The `lap_beats` with which the packet is of this stretch, a loop having gone back.

        None unless it went back by whole bars, and bar lines are where they would have been.
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
        """Whether it is a packet of the lap that has just ended, only late."""
        laps = [piece.lap_beats for piece in self._pieces if piece.lap_beats != self.lap_beats]
        return bool(laps) and -PHASE_SECONDS < self.lateness(packet, laps[-1]) < FAR_SECONDS

    def stop(self, packet: Transport) -> None:
        """Playback stopped, and this is the packet that says so."""
        position = packet.beat + self.lap_beats
        if not -AHEAD_SECONDS <= self.lateness(packet) <= FAR_SECONDS:
            # The playhead is back where it had been started.
            position = self.position_at(packet.received_seconds)
        self.ended, self._end_position = STOPPED, max(position, self._last_position)

    def end(self, why: str) -> None:
        """Playback went on somewhere else, or nowhere: it is known up to its newest packet."""
        self.ended, self._end_position = why, self._last_position

    def reopen(self) -> None:
        """What ended it was a mistake."""
        self.ended = ""

    def position_at(self, seconds: float) -> float:
        """The position at an instant, before the stretch and after it too."""
        scale = self._on_scale(seconds)
        piece = self._pieces[max(0, bisect_right(self._pieces, scale, key=_seconds) - 1)]
        return piece.position + (scale - piece.seconds) / piece.beat_seconds

    def seconds_at(self, position: float) -> float:
        """The instant of a position."""
        scale = self._scale_at(position)
        # How late packets are changes by a millisecond a second: the newest is near enough to look
        # it up by.
        near = scale + self._arrivals.offset_at(self.heard_seconds)
        return scale + self._arrivals.offset_at(near)

    def beat_at(self, seconds: float) -> float:
        """The song's beat at an instant."""
        position = self.position_at(seconds)
        return position - self._piece_at(position).lap_beats

    def grid_at(self, position: float) -> Grid:
        """The bars around a position; the first ones for what is before."""
        return self._grids[max(0, bisect_right(self._grids, position, key=_position) - 1)]

    def line_after(self, position: float) -> float:
        """The position of the first bar line after there."""
        grid = self.grid_at(position)
        line = grid.line_at_or_before(position) + grid.bar_beats
        for later in self._grids[self._grids.index(grid) + 1 :]:
            if later.position < line:
                first = later.line_at_or_before(later.position)
                line = first if first > position else first + later.bar_beats
        return line

    def grid_from(self, grid: Grid) -> tuple[float, str]:
        """The position from which on those bars are in one piece, and why not before."""
        if grid is self._grids[0]:
            return self.first_position, self.began
        return max(grid.position, self.first_position), METER_CHANGED

    def grid_to(self, grid: Grid) -> tuple[float, str]:
        """The position up to which they are, and why; infinity while they go on."""
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
        """Drop what is known of the time before, and what a flood of changes has left."""
        self._arrivals.forget(before_seconds)
        past = bisect_right(self._pieces, self._on_scale(before_seconds), key=_seconds) - 1
        del self._pieces[: max(0, past, len(self._pieces) - _MOST_PIECES)]
        past = bisect_right(self._grids, self._pieces[0].position, key=_position) - 1
        del self._grids[: max(0, past, len(self._grids) - _MOST_PIECES)]

    def _piece_at(self, position: float) -> _Piece:
        return self._pieces[max(0, bisect_right(self._pieces, position, key=_position) - 1)]

    def _on_scale(self, seconds: float) -> float:
        return seconds - self._arrivals.offset_at(seconds)

    def _scale_at(self, position: float) -> float:
        piece = self._piece_at(position)
        return piece.seconds + (position - piece.position) * piece.beat_seconds

    def _due(self, packet: Transport, lap_beats: float) -> float:
        """When the packet was due, on the scale.

        Where it tells another tempo, that began some time after the packet before. So this lies
        between what the two tempos give: halfway for a small change, which is a ramp; at the old
        tempo for a large one; and when it came it decides where that is out of the question.
        """
        position, last = packet.beat + lap_beats, self._last_position
        old = self._scale_at(position)
        if position <= last or packet.tempo_bpm == self._pieces[-1].tempo_bpm:
            return old
        new = self._scale_at(last) + (position - last) * float(60 / packet.tempo_bpm)
        gradual = abs(packet.tempo_bpm / self._pieces[-1].tempo_bpm - 1) <= _GRADUAL
        likely = (old + new) / 2 if gradual else old
        came = self._on_scale(packet.received_seconds)
        if -JITTER_SECONDS / 2 <= came - likely <= JITTER_SECONDS + PHASE_SECONDS:
            return likely
        return min(max(came, min(old, new)), max(old, new))

    def _bend(self, position: float, due: float) -> None:
        """Make the scale since the newest packet lead to that position at that time."""
        last, steady = self._last_position, self._scale_at(position)
        if due != steady:
            beat_seconds = (due - self._scale_at(last)) / (position - last)
            tempo_bpm = Fraction(60 / beat_seconds).limit_denominator(1000)
            self._put(last, tempo_bpm=tempo_bpm, beat_seconds=beat_seconds)

    def _turn(self, position: float, lap_beats: float) -> None:
        """Begin another lap: at a bar line since the newest packet, if there is one."""
        if lap_beats != self.lap_beats:
            line = self._grids[-1].line_at_or_before(position)
            self._put(line if line > self._last_position else position, lap_beats=lap_beats)

    def _regroup(self, packet: Transport, position: float) -> None:
        """Begin another grid of bars, if the packet tells one."""
        grid, bar_beats = self._grids[-1], float(packet.meter.beats_per_bar)
        if packet.beat_in_bar is not None:
            line = position - packet.beat_in_bar
        elif packet.meter != grid.meter:
            line = position - packet.beat % bar_beats
        else:
            return
        moved = abs(remainder(line - grid.line, bar_beats))
        if packet.meter != grid.meter or moved > _REGROUPED_BEATS:
            self._grids.append(Grid(max(line, self._last_position), packet.meter, line))

    def _put(self, position: float, **changes: Any) -> None:
        """Begin another piece with what changes in it, no earlier than the newest one."""
        newest = self._pieces[-1]
        position = max(position, newest.position)
        seconds = self._scale_at(position)
        if position == newest.position:
            self._pieces.pop()
        self._pieces.append(replace(newest, position=position, seconds=seconds, **changes))


def _position(item: _Piece | Grid) -> float:
    return item.position


def _seconds(piece: _Piece) -> float:
    return piece.seconds
