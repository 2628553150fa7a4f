"""The beat clock: where the DAW is, at any instant, from the packets that tell of it.

Fed with `/bridge/transport`, and asked by whoever needs a beat or a bar line. It knows the last
three minutes, and goes on ahead at the tempo that was told last. Packets are late, get lost, and
overtake one another: no answer hangs on when a single one arrived. Nothing here looks at the time;
all instants are `time.perf_counter` seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor, inf

from bridge.clock.segment import (
    AHEAD_SECONDS,
    FAR_SECONDS,
    FELL_SILENT,
    JUMPED,
    LATE_SECONDS,
    NEAR_SECONDS,
    STARTED,
    STOPPED,
    Grid,
    PlaybackSegment,
)
from bridge.commands import Transport
from bridge.errors import NotEnoughBars
from bridge.timing import Meter, Span

KEPT_SECONDS = 180.0
"""How far back it is known; the ring of the input holds 120 s."""
SILENCE_SECONDS = 5.0
"""Unheard of for that long, a DAW that was playing counts as not playing."""

_MOST_ENTRIES = 400
"""Starts, stops and jumps in three minutes: a flood must not fill the memory."""
_AGREE_SECONDS = 0.035
"""Two packets from where the playhead went are late on the old clock alike, to their jitter."""
_ALIKE_SECONDS = 0.1
"""Those that a hold-up let through together do not confirm one another."""
_EXACTLY = 1e-6
"""Of a bar: a rounding error is no bar less."""
_YOUNG_PACKETS = 2
"""What rests on no more than these may be a mistake."""


@dataclass(frozen=True)
class _Pause:
    """The DAW standing at a beat from an instant on."""

    start_seconds: float
    beat: float


class BeatClock:
    """Beats, bar lines and bars as the DAW plays them.

    Attributes:
        tempo_bpm: as it was told last, exactly; None before the first packet.
        meter: as it was told last; None before the first packet.
        heard_seconds: when the newest packet arrived; None before the first.
    """

    def __init__(self) -> None:
        self.tempo_bpm: Fraction | None = None
        self.meter: Meter | None = None
        self.heard_seconds: float | None = None
        self._history: list[PlaybackSegment | _Pause] = []
        self._suspect: tuple[Transport, float] | None = None

    def update(self, packet: Transport) -> None:
        """Take in a packet; its `received_seconds` is not before the last one's."""
        seconds = packet.received_seconds
        self._end_if_silent(seconds)
        if not packet.is_playing:
            self._pause(packet)
        elif not self._goes_on(packet):
            self._begin(packet)
        self.tempo_bpm, self.meter, self.heard_seconds = packet.tempo_bpm, packet.meter, seconds
        self._forget(seconds - KEPT_SECONDS)

    def is_gone(self, seconds: float) -> bool:
        """Whether the DAW was playing when it was last heard of, more than 5 s before."""
        entry = self._history[-1] if self._history else None
        return (
            isinstance(entry, PlaybackSegment) and seconds > entry.heard_seconds + SILENCE_SECONDS
        )

    def is_playing(self, seconds: float) -> bool:
        """Whether the playhead moves at that instant."""
        return self._playing_at(seconds) is not None

    def beat_at(self, seconds: float) -> float | None:
        """Quarter notes from the start of the song at that instant; None before all history."""
        entry = self._entry_at(seconds)
        if isinstance(entry, PlaybackSegment):
            return entry.beat_at(min(seconds, entry.heard_seconds + SILENCE_SECONDS))
        return None if entry is None else entry.beat

    def bar_fraction(self, seconds: float) -> float | None:
        """How much of the bar is over at that instant, 0 up to 1; None when not playing."""
        stretch = self._playing_at(seconds)
        if stretch is None:
            return None
        position = stretch.position_at(seconds)
        grid = stretch.grid_at(position)
        return (position - grid.line) % grid.bar_beats / grid.bar_beats

    def bar_line_at_or_before(self, seconds: float) -> float | None:
        """The instant of the last bar line that was played up to there; None if there is none."""
        for stretch in reversed(list(self._stretches())):
            until = min(stretch.position_at(seconds), stretch.end_position)
            line = stretch.grid_at(until).line_at_or_before(until)
            if line >= stretch.first_position:
                # What is on the line by position may be a microsecond before it by time.
                return min(seconds, stretch.seconds_at(line))
        return None

    def next_bar_line(self, seconds: float) -> float | None:
        """The instant of the first bar line after there that was played or will be.

        None when none is in sight: the DAW stands.
        """
        for stretch in self._stretches():
            if seconds > stretch.heard_seconds + SILENCE_SECONDS:
                continue
            after = max(stretch.position_at(seconds), stretch.first_position)
            line = stretch.line_after(after)
            if stretch.seconds_at(line) <= seconds:
                line = stretch.line_after(line)
            if line <= stretch.end_position:
                return stretch.seconds_at(line)
        return None

    def bars_ending(self, end_seconds: float, bars: int) -> Span:
        """The bars up to the last bar line by that instant, as many of them as are in one piece.

        A loop that goes back by whole bars goes on in one piece, a change of tempo too. A line
        that comes up to 50 ms later counts: where it lies is told better as time goes on.

        Args:
            bars: the most that are wanted, 1 or more.

        Returns:
            A span of 0 to `bars` bars; with fewer than asked for, `broken` tells why.

        Raises:
            NotEnoughBars: the DAW has not played by then.
        """
        stretch = self._stretch_around(end_seconds)
        near = self._near_beats
        limit = min(stretch.position_at(end_seconds + NEAR_SECONDS), stretch.end_position + near)
        line = stretch.grid_at(limit).line_at_or_before(limit)
        # Where the meter changes, the bar before it is the old meter's.
        grid = stretch.grid_at(line - 2 * near)
        line = grid.line_at_or_before(line + near)
        begin, why = stretch.grid_from(grid)
        whole = max(0, floor((line - begin) / grid.bar_beats + _EXACTLY))
        count = min(bars, whole)
        return _span(stretch, grid, line - count * grid.bar_beats, line, why * (whole < bars))

    def bars_from(
        self, start_seconds: float, until_seconds: float, bars: int | None = None
    ) -> Span:
        """What was played in one piece from a bar line on, up to an instant.

        Args:
            start_seconds: near that bar line, which is told better as time goes on.
            until_seconds: now.
            bars: end after so many; None: do not.

        Returns:
            A span that ends with the last of the bars, or where it is broken, or else at
            `until_seconds`.

        Raises:
            NotEnoughBars: the DAW has not played by then.
        """
        stretch = self._stretch_around(start_seconds)
        near = self._near_beats
        position = stretch.position_at(start_seconds)
        grid = stretch.grid_at(position + near)
        line = grid.line_at_or_before(position + grid.bar_beats / 2)
        end, why = stretch.grid_to(grid)
        if not stretch.ended and self.is_gone(until_seconds):
            end, why = stretch.position_at(stretch.heard_seconds), FELL_SILENT
        last_line = grid.line_at_or_before(end + near) if why else end
        if abs(end - last_line) < near:
            end = last_line
        wanted = inf if bars is None else line + bars * grid.bar_beats
        now = stretch.position_at(until_seconds)
        stop = max(line, min(end, wanted, now))
        return _span(stretch, grid, line, stop, why * (end < wanted and end <= now))

    @property
    def _near_beats(self) -> float:
        return NEAR_SECONDS * float(self.tempo_bpm or 0) / 60

    def _stretches(self) -> Iterator[PlaybackSegment]:
        return (entry for entry in self._history if isinstance(entry, PlaybackSegment))

    def _stretch_around(self, seconds: float) -> PlaybackSegment:
        """The one that was played at that instant, or else last before it."""
        for stretch in reversed(list(self._stretches())):
            if stretch.earliest_seconds <= seconds + NEAR_SECONDS:
                return stretch
        raise NotEnoughBars("the DAW has not played: start it, or capture while it stands")

    def _entry_at(self, seconds: float) -> PlaybackSegment | _Pause | None:
        for entry in reversed(self._history):
            if entry.start_seconds <= seconds:
                return entry
        return None

    def _playing_at(self, seconds: float) -> PlaybackSegment | None:
        entry = self._entry_at(seconds)
        if isinstance(entry, PlaybackSegment) and seconds <= entry.heard_seconds + SILENCE_SECONDS:
            return entry
        return None

    def _end_if_silent(self, seconds: float) -> None:
        entry = self._history[-1] if self._history else None
        if isinstance(entry, PlaybackSegment) and self.is_gone(seconds):
            entry.end(FELL_SILENT)

    def _pause(self, packet: Transport) -> None:
        """The DAW stands, as the packet says."""
        entry = self._history[-1] if self._history else None
        start_seconds = packet.received_seconds
        if isinstance(entry, PlaybackSegment) and not entry.ended:
            entry.stop(packet)
            start_seconds = min(start_seconds, entry.end_seconds)
        if not isinstance(entry, _Pause) or entry.beat != packet.beat:
            self._history.append(_Pause(start_seconds, packet.beat))
        self._suspect = None

    def _goes_on(self, packet: Transport) -> bool:
        """Take it into the current stretch, or leave it as late; False: it begins another."""
        stretch = self._history[-1] if self._history else None
        if not isinstance(stretch, PlaybackSegment):
            return self._was_sent_before_the_stop(packet)
        if stretch.ended:
            return False
        late = stretch.lateness(packet)
        if -AHEAD_SECONDS <= late <= LATE_SECONDS:
            stretch.add(packet)
            self._suspect = None
            return True
        if LATE_SECONDS < late < FAR_SECONDS:
            if not self._is_confirmed(packet, late):
                return True
        else:
            self._suspect = None
        lap_beats = stretch.lap_of(packet)
        if lap_beats is not None:
            stretch.add(packet, lap_beats)
            self._suspect = None
            return True
        if stretch.was_due(packet):
            return True
        if stretch.packets > _YOUNG_PACKETS:
            return False
        return self._corrects(stretch, packet)

    def _is_confirmed(self, packet: Transport, late: float) -> bool:
        """Whether a packet before this one was as late: then it was no delay, but a jump."""
        suspect = self._suspect
        if suspect is None or abs(suspect[1] - late) > _AGREE_SECONDS:
            self._suspect = packet, late
            return False
        return packet.received_seconds >= suspect[0].received_seconds + _ALIKE_SECONDS

    def _corrects(self, young: PlaybackSegment, packet: Transport) -> bool:
        """Take back a stretch that one late packet has made, and judge this packet again."""
        self._history.pop()
        before = self._history[-1] if self._history else None
        if isinstance(before, PlaybackSegment) and before.ended == JUMPED:
            before.reopen()
            return self._goes_on(packet)
        self._history.append(PlaybackSegment(packet, young.began, young.after_seconds))
        return True

    def _was_sent_before_the_stop(self, packet: Transport) -> bool:
        """Whether it was overtaken by the packet that told of the stop."""
        before = self._history[-2] if len(self._history) > 1 else None
        if not (isinstance(before, PlaybackSegment) and before.ended == STOPPED):
            return False
        late = before.lateness(packet)
        if late >= FAR_SECONDS or packet.beat + before.lap_beats >= before.end_position:
            return False
        # Two alike were not overtaken: it plays again.
        return not self._is_confirmed(packet, late)

    def _begin(self, packet: Transport) -> None:
        """Playback began, or went on elsewhere."""
        seconds = packet.received_seconds
        entry = self._history[-1] if self._history else None
        if isinstance(entry, PlaybackSegment):
            if not entry.ended:
                entry.end(JUMPED)
            stretch = PlaybackSegment(packet, entry.ended, entry.end_seconds)
        elif entry is None:
            stretch = PlaybackSegment(packet, STARTED, -inf)
        else:
            # It began where it stood, or somewhere else altogether.
            since = (packet.beat - entry.beat) * float(60 / packet.tempo_bpm)
            after = seconds - since if since >= 0 else -inf
            stretch = PlaybackSegment(packet, STARTED, max(entry.start_seconds, after))
        self._history.append(stretch)
        self._suspect = None

    def _forget(self, before_seconds: float) -> None:
        """Drop what was over before that instant."""
        over = 0
        while over + 1 < len(self._history):
            if self._history[over + 1].start_seconds >= before_seconds:
                break
            over += 1
        del self._history[: max(over, len(self._history) - _MOST_ENTRIES)]
        oldest = self._history[0]
        if isinstance(oldest, PlaybackSegment):
            oldest.forget(before_seconds)


def _span(stretch: PlaybackSegment, grid: Grid, start: float, end: float, broken: str) -> Span:
    """The span between two positions, the first of them on a bar line."""
    start_seconds, end_seconds = stretch.seconds_at(start), stretch.seconds_at(end)
    steady = stretch.steady_tempo(start, end)
    mean = steady
    if mean is None:
        beats_per_minute = (end - start) / (end_seconds - start_seconds) * 60
        mean = Fraction(round(beats_per_minute * 1000), 1000)
    return Span(
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        bars=floor((end - start) / grid.bar_beats + _EXACTLY),
        tempo_bpm=mean,
        is_steady=steady is not None,
        meter=grid.meter,
        broken=broken,
    )
