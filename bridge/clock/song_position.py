"""The position of a JACK transport in quarter notes, from the fields of `jack_position_t`.

Where the meter's beat is no quarter note, programs disagree about tempo and ticks. By JACK's header
both count the meter's beats. Ardour counts quarter notes, so in 7/8 its tick ends at half of
`ticks_per_beat`. So the frames, bars and beats that go by decide what tempo and tick mean.

They also overrule a tempo that is wrong: after a ramp, Ardour 7.3 gives the tempo from before it
until the transport jumps.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import NamedTuple

import numpy as np

from bridge.errors import BadArgument
from bridge.timing import (
    MAX_TEMPO_BPM,
    MIN_TEMPO_BPM,
    Meter,
    parse_tempo,
    shortest_tempo,
    tempo_meant,
)

_FIT_BEATS = 0.02
"""A meaning of tempo and tick is wrong if the next position is off by more quarter notes."""
_ROUNDED_TICKS = 2
"""A tick is rounded down, as is the frame that it is computed from."""
_WRONG_TEMPO = 0.03
"""A tempo is wrong if the beats go by at another one, by this share. A program that adds up rounded
ticks is slower than its tempo and not wrong: by 1.3 % at 120 bpm with 512 frames a cycle."""
_MOST_POSITIONS = 100
"""For the measurement of a tempo: five seconds of them."""


@dataclass(frozen=True)
class BarsBeatsTicks:
    """A position as the transport's leader gives it.

    Attributes:
        frame: of the transport, 0 or more.
        frame_rate: frames a second.
        bar, beat: from 1.
        tick: from 0.
        beats_per_bar, beat_type: the numbers of the meter.
    """

    frame: int
    frame_rate: int
    bar: int
    beat: int
    tick: int
    beats_per_bar: float
    beat_type: float
    ticks_per_beat: float
    beats_per_minute: float


class SongPosition(NamedTuple):
    """A position in the song: quarter notes from its start, and from the bar's line."""

    tempo_bpm: Fraction
    meter: Meter
    beat: float
    beat_in_bar: float


class _Meaning(NamedTuple):
    """The quarter notes that `ticks_per_beat` ticks last, and those that the tempo counts."""

    tick_quarters: Fraction
    tempo_quarters: Fraction


class _Movement:
    """The tempo at which the beats go by, from the newest positions that one tempo explains."""

    def __init__(self, given_bpm: Fraction) -> None:
        """Args:
        given_bpm: the tempo that the positions come with.
        """
        self.given_bpm = self._tempo_bpm = given_bpm
        self._positions: deque[tuple[float, float]] = deque(maxlen=_MOST_POSITIONS)

    def tempo(self, seconds: float, beat: float, rounding: float) -> Fraction:
        """Take the next position; return the given tempo, or the actual one where that is wrong.

        Args:
            seconds: of the transport.
            beat: in quarter notes.
            rounding: by which a beat may be too small.
        """
        positions = self._positions
        if positions and seconds <= positions[-1][0]:
            return self._tempo_bpm
        positions.append((seconds, beat))
        while self._most_off() > rounding:
            positions.popleft()
        elapsed = seconds - positions[0][0]
        if elapsed > 0:
            measured_bpm = (beat - positions[0][1]) / elapsed * 60
            self._measured(measured_bpm, rounding / elapsed * 60)
        return self._tempo_bpm

    def _most_off(self) -> float:
        """The most by which a position is off the line through the first and the last, in beats."""
        seconds, beats = np.array(self._positions).T
        return float(np.abs(beats - np.interp(seconds, seconds[[0, -1]], beats[[0, -1]])).max())

    def _measured(self, measured_bpm: float, error_bpm: float) -> None:
        given_bpm = self.given_bpm
        is_possible = MIN_TEMPO_BPM <= measured_bpm <= MAX_TEMPO_BPM
        if error_bpm > given_bpm * _WRONG_TEMPO / 2 or not is_possible:
            return
        if abs(measured_bpm - given_bpm) <= _WRONG_TEMPO * given_bpm:
            self._tempo_bpm = given_bpm
        elif abs(measured_bpm - self._tempo_bpm) > error_bpm:
            self._tempo_bpm = tempo_meant(measured_bpm, error_bpm)


class SongPositions:
    """Makes positions of what the leader gives, in order of time."""

    def __init__(self) -> None:
        self._last: BarsBeatsTicks | None = None
        self._meter: Meter | None = None
        self._meanings: set[_Meaning] = set()
        self._line_bar, self._line_beat = 1, 0.0
        self._anchor: tuple[Fraction, float] | None = None
        self._movement: _Movement | None = None

    def restart(self) -> None:
        """The transport has started, stopped or jumped since the last position."""
        self._last = self._anchor = self._movement = None

    def read(self, given: BarsBeatsTicks) -> SongPosition | None:
        """The position.

        None while tempo and ticks have more than one meaning.

        Raises:
            BadArgument: a tempo, meter, beat or tick that this program does not know.
        """
        meter = _meter(given)
        _check_place(given, meter)
        if meter != self._meter:
            self._change_meter(given, meter)
        self._meanings = self._fitting(given) or _meanings(meter)
        self._last = given
        if len(self._meanings) > 1:
            return None
        (meaning,) = self._meanings
        bars = given.bar - self._line_bar
        line = self._line_beat + bars * float(meter.beats_per_bar)
        beat = line + _beat_in_bar(given, meaning)
        tempo_bpm = self._tempo(given, meaning, beat)
        beat = self._smoothed(beat, given, tempo_bpm)
        return SongPosition(tempo_bpm, meter, beat, beat - line)

    def _change_meter(self, given: BarsBeatsTicks, meter: Meter) -> None:
        if self._last is not None and self._meter is not None:
            # The beats go on where the bars of the old meter end.
            bars = given.bar - self._line_bar
            self._line_beat += bars * float(self._meter.beats_per_bar)
        else:
            self._line_beat = (given.bar - 1) * float(meter.beats_per_bar)
        self._line_bar, self._meter = given.bar, meter
        self._meanings = _meanings(meter)
        self._last = self._anchor = self._movement = None

    def _fitting(self, given: BarsBeatsTicks) -> set[_Meaning]:
        """The meanings that agree with the movement since the last position."""
        last = self._last
        if last is None or last.beats_per_minute != given.beats_per_minute:
            return self._meanings
        bar_quarters = given.beats_per_bar * 4 / given.beat_type
        seconds = (given.frame - last.frame) / given.frame_rate
        fitting = set()
        for meaning in self._meanings:
            moved = (given.bar - last.bar) * bar_quarters
            moved += _beat_in_bar(given, meaning) - _beat_in_bar(last, meaning)
            expected = seconds * given.beats_per_minute / 60 * float(meaning.tempo_quarters)
            if abs(moved - expected) < _FIT_BEATS:
                fitting.add(meaning)
        return fitting

    def _tempo(self, given: BarsBeatsTicks, meaning: _Meaning, beat: float) -> Fraction:
        given_bpm = _given_tempo(given, meaning)
        if self._movement is None or self._movement.given_bpm != given_bpm:
            self._movement = _Movement(given_bpm)
        rounding = _ROUNDED_TICKS * float(meaning.tick_quarters) / given.ticks_per_beat
        return self._movement.tempo(given.frame / given.frame_rate, beat, rounding)

    def _smoothed(self, beat: float, given: BarsBeatsTicks, tempo_bpm: Fraction) -> float:
        """The beat without the rounding of ticks: the highest that the positions so far allow."""
        since_zero = given.frame / given.frame_rate * float(tempo_bpm) / 60
        anchor = beat - since_zero
        if self._anchor is not None and self._anchor[0] == tempo_bpm:
            highest = self._anchor[1]
            if anchor > highest - _ROUNDED_TICKS / given.ticks_per_beat:
                anchor = max(anchor, highest)
        self._anchor = tempo_bpm, anchor
        return anchor + since_zero


def _meter(given: BarsBeatsTicks) -> Meter:
    numbers = f"{given.beats_per_bar:g}/{given.beat_type:g}"
    return Meter.parse(numbers)


def _check_place(given: BarsBeatsTicks, meter: Meter) -> None:
    """Raise BadArgument for a beat outside its bar or a tick outside its beat.

    JACK 1.9.21 gives such places after `jack_transport` has moved the playhead while it rolls.
    """
    if not given.ticks_per_beat > 0:
        raise BadArgument(f"{given.ticks_per_beat:g} ticks a beat")
    if not 1 <= given.beat <= meter.numerator:
        raise BadArgument(f"beat {given.beat} in a bar of {meter}")
    longest_beat = given.ticks_per_beat * max(1, 4 / meter.denominator)
    if not 0 <= given.tick <= longest_beat:
        raise BadArgument(f"tick {given.tick} in a beat of {longest_beat:g}")


def _meanings(meter: Meter) -> set[_Meaning]:
    units = {Fraction(1), Fraction(4, meter.denominator)}
    return {_Meaning(*pair) for pair in product(units, repeat=2)}


def _given_tempo(given: BarsBeatsTicks, meaning: _Meaning) -> Fraction:
    quarters_per_minute = given.beats_per_minute * float(meaning.tempo_quarters)
    return shortest_tempo(parse_tempo(quarters_per_minute))


def _beat_in_bar(given: BarsBeatsTicks, meaning: _Meaning) -> float:
    beats = (given.beat - 1) * 4 / given.beat_type
    return beats + given.tick / given.ticks_per_beat * float(meaning.tick_quarters)
