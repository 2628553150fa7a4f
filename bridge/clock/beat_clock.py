"""The beat clock: the DAW's position at any instant, computed from its transport packets.

`/bridge/transport` feeds it. It remembers the last three minutes, and extrapolates at the newest
tempo. Packets are late, get lost, and overtake one another, so no answer depends on when a single
packet arrived. Nothing here reads the time; all instants are `time.perf_counter` seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor, inf

from bridge.clock.segment import (
    AHEAD_SECONDS,
    FAR_SECONDS,
    JUMPED,
    LATE_SECONDS,
    NEAR_SECONDS,
    NO_PACKETS,
    STARTED,
    STOPPED,
    Grid,
    PlaybackSegment,
)
from bridge.commands import Transport
from bridge.errors import NotEnoughBars
from bridge.timing import Meter, Span

KEPT_SECONDS = 180.0
"""How much history the clock keeps; the ring of the input holds 120 s."""
SILENCE_SECONDS = 5.0
"""A DAW that was playing counts as stopped after this long without a packet."""

_MAX_ENTRIES = 400
"""Starts, stops and jumps to keep of three minutes: a flood must not fill the memory."""
_SAME_LATENESS_SECONDS = 0.035
"""After a jump, packets are equally late on the old segment, to within this jitter."""
_APART_SECONDS = 0.1
"""Packets closer together than this may come from one network delay: they confirm no jump."""
_ROUNDING_BARS = 1e-6
"""Rounding error to allow when whole bars are counted."""
_UNSURE_PACKETS = 2
"""A segment of no more packets than this may be a mistake."""


@dataclass(frozen=True)
class _Pause:
    """The DAW is stopped at a beat, from an instant on."""

    start_seconds: float
    beat: float


class BeatClock:
    """Beats, bar lines and bars as the DAW plays them.

    Attributes:
        tempo_bpm: the newest packet's, exact; None before the first packet.
        meter: the newest packet's; None before the first packet.
        last_packet_seconds: when the newest packet arrived; None before the first.
    """

    def __init__(self) -> None:
        self.tempo_bpm: Fraction | None = None
        self.meter: Meter | None = None
        self.last_packet_seconds: float | None = None
        self._history: list[PlaybackSegment | _Pause] = []
        self._suspect: tuple[Transport, float] | None = None

    def update(self, packet: Transport) -> None:
        """Add a packet; its `received_seconds` is not before the last one's."""
        seconds = packet.received_seconds
        self._end_if_silent(seconds)
        if not packet.is_playing:
            self._pause(packet)
        elif not self._extend(packet):
            self._begin(packet)
        self.tempo_bpm, self.meter, self.last_packet_seconds = (
            packet.tempo_bpm,
            packet.meter,
            seconds,
        )
        self._forget(seconds - KEPT_SECONDS)

    def is_gone(self, seconds: float) -> bool:
        """Whether the newest packet said that the DAW plays, and is more than 5 s old."""
        entry = self._history[-1] if self._history else None
        return (
            isinstance(entry, PlaybackSegment)
            and seconds > entry.last_packet_seconds + SILENCE_SECONDS
        )

    def is_playing(self, seconds: float) -> bool:
        """Whether the playhead moves at that instant."""
        return self._playing_at(seconds) is not None

    def beat_at(self, seconds: float) -> float | None:
        """Quarter notes from the start of the song at that instant; None before the history."""
        entry = self._entry_at(seconds)
        if isinstance(entry, PlaybackSegment):
            return entry.beat_at(min(seconds, entry.last_packet_seconds + SILENCE_SECONDS))
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
            if seconds > segment.last_packet_seconds + SILENCE_SECONDS:
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
            end, why = segment.position_at(segment.last_packet_seconds), NO_PACKETS
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

    def _entry_at(self, seconds: float) -> PlaybackSegment | _Pause | None:
        for entry in reversed(self._history):
            if entry.start_seconds <= seconds:
                return entry
        return None

    def _playing_at(self, seconds: float) -> PlaybackSegment | None:
        entry = self._entry_at(seconds)
        if (
            isinstance(entry, PlaybackSegment)
            and seconds <= entry.last_packet_seconds + SILENCE_SECONDS
        ):
            return entry
        return None

    def _end_if_silent(self, seconds: float) -> None:
        entry = self._history[-1] if self._history else None
        if isinstance(entry, PlaybackSegment) and self.is_gone(seconds):
            entry.end(NO_PACKETS)

    def _pause(self, packet: Transport) -> None:
        """Record that the DAW is stopped at the packet's beat."""
        entry = self._history[-1] if self._history else None
        start_seconds = packet.received_seconds
        if isinstance(entry, PlaybackSegment) and not entry.ended:
            entry.stop(packet)
            start_seconds = min(start_seconds, entry.end_seconds)
        if not isinstance(entry, _Pause) or entry.beat != packet.beat:
            self._history.append(_Pause(start_seconds, packet.beat))
        self._suspect = None

    def _extend(self, packet: Transport) -> bool:
        """Add the packet to the current segment, or ignore it as late.

        Returns False when the packet begins another segment.
        """
        segment = self._history[-1] if self._history else None
        if not isinstance(segment, PlaybackSegment):
            return self._was_sent_before_the_stop(packet)
        if segment.ended:
            return False
        late = segment.lateness(packet)
        if -AHEAD_SECONDS <= late <= LATE_SECONDS:
            segment.add(packet)
            self._suspect = None
            return True
        if LATE_SECONDS < late < FAR_SECONDS:
            if not self._confirms_jump(packet, late):
                return True
        else:
            self._suspect = None
        lap_beats = segment.lap_of(packet)
        if lap_beats is not None:
            segment.add(packet, lap_beats)
            self._suspect = None
            return True
        if segment.was_due(packet):
            return True
        if segment.packets > _UNSURE_PACKETS:
            return False
        return self._replace_mistaken_segment(segment, packet)

    def _confirms_jump(self, packet: Transport, late: float) -> bool:
        """Whether an earlier packet was equally late: then the playhead has jumped."""
        suspect = self._suspect
        if suspect is None or abs(suspect[1] - late) > _SAME_LATENESS_SECONDS:
            self._suspect = packet, late
            return False
        return packet.received_seconds >= suspect[0].received_seconds + _APART_SECONDS

    def _replace_mistaken_segment(self, young: PlaybackSegment, packet: Transport) -> bool:
        """Drop a segment that one late packet began, and classify this packet again."""
        self._history.pop()
        before = self._history[-1] if self._history else None
        if isinstance(before, PlaybackSegment) and before.ended == JUMPED:
            before.reopen()
            return self._extend(packet)
        self._history.append(PlaybackSegment(packet, young.began, young.after_seconds))
        return True

    def _was_sent_before_the_stop(self, packet: Transport) -> bool:
        """Whether the packet that reported the stop overtook this one."""
        before = self._history[-2] if len(self._history) > 1 else None
        if not (isinstance(before, PlaybackSegment) and before.ended == STOPPED):
            return False
        late = before.lateness(packet)
        if late >= FAR_SECONDS or packet.beat + before.lap_beats >= before.end_position:
            return False
        # Two equally late packets were not overtaken: the DAW plays again.
        return not self._confirms_jump(packet, late)

    def _begin(self, packet: Transport) -> None:
        """Begin a segment: playback started, or jumped."""
        seconds = packet.received_seconds
        entry = self._history[-1] if self._history else None
        if isinstance(entry, PlaybackSegment):
            if not entry.ended:
                entry.end(JUMPED)
            segment = PlaybackSegment(packet, entry.ended, entry.end_seconds)
        elif entry is None:
            segment = PlaybackSegment(packet, STARTED, -inf)
        else:
            # Playback began at the beat of the pause, or at another one.
            since = (packet.beat - entry.beat) * float(60 / packet.tempo_bpm)
            after = seconds - since if since >= 0 else -inf
            segment = PlaybackSegment(packet, STARTED, max(entry.start_seconds, after))
        self._history.append(segment)
        self._suspect = None

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
