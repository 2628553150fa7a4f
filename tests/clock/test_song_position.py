"""Positions of JACK leaders that mean different things by tempo and tick."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pytest

from bridge.clock.song_position import BarsBeatsTicks, SongPosition, SongPositions
from bridge.errors import BadArgument
from bridge.timing import Meter

RATE = 48_000
TICKS = 1920
STEP = 2400
"""Frames between two readings: 50 ms."""


@dataclass(frozen=True)
class Leader:
    """A leader of a constant tempo.

    Attributes:
        tempo_bpm: quarter notes a minute.
        tempo_unit, tick_unit: quarter notes that its `beats_per_minute` and ticks count.
    """

    meter: Meter
    tempo_bpm: float
    tempo_unit: float
    tick_unit: float

    def quarters(self, frame: int) -> float:
        return frame / RATE * self.tempo_bpm / 60

    def at(self, frame: int) -> BarsBeatsTicks:
        note = 4 / self.meter.denominator
        beats = self.quarters(frame) / note
        bar, beat = divmod(beats, self.meter.numerator)
        return BarsBeatsTicks(
            frame=frame,
            frame_rate=RATE,
            bar=int(bar) + 1,
            beat=int(beat) + 1,
            tick=int(beat % 1 * note / self.tick_unit * TICKS),
            beats_per_bar=self.meter.numerator,
            beat_type=self.meter.denominator,
            ticks_per_beat=TICKS,
            beats_per_minute=self.tempo_bpm / self.tempo_unit,
        )


def read_all(leader: Leader, seconds: float) -> list[tuple[int, SongPosition | None]]:
    positions = SongPositions()
    frames = range(0, round(seconds * RATE), STEP)
    return [(frame, positions.read(leader.at(frame))) for frame in frames]


@pytest.mark.parametrize("tempo_unit", [1, 0.5], ids=["tempo-quarter", "tempo-eighth"])
@pytest.mark.parametrize("tick_unit", [1, 0.5], ids=["tick-quarter", "tick-eighth"])
@pytest.mark.parametrize("tempo_bpm", [55.0, 93.7, 240.0])
def test_seven_eight_is_read_within_a_beat_whatever_tempo_and_tick_count(
    tempo_bpm: float, tick_unit: float, tempo_unit: float
) -> None:
    leader = Leader(Meter(7, 8), tempo_bpm, tempo_unit, tick_unit)
    read = read_all(leader, 12)
    unread = [frame for frame, position in read if position is None]
    assert leader.quarters(max(unread)) < 1
    for frame, position in read:
        if position is not None:
            quarters = leader.quarters(frame)
            assert position.tempo_bpm == Fraction(str(tempo_bpm))
            assert position.beat == pytest.approx(quarters, abs=0.002)
            assert position.beat_in_bar == pytest.approx(quarters % 3.5, abs=0.002)


def test_quarter_notes_need_no_movement() -> None:
    leader = Leader(Meter(3, 4), 120.0, 1, 1)
    position = SongPositions().read(leader.at(RATE))
    assert position == SongPosition(Fraction(120), Meter(3, 4), 2.0, 2.0)


@dataclass(frozen=True)
class Ramp:
    """A leader whose tempo changes evenly, and that gives another one all the time.

    Attributes:
        first_bpm, last_bpm: from the start to `seconds`, and from then on.
    """

    given_bpm: float
    first_bpm: float
    last_bpm: float
    seconds: float

    def tempo_bpm(self, seconds: float) -> float:
        share = min(seconds / self.seconds, 1.0)
        return self.first_bpm + share * (self.last_bpm - self.first_bpm)

    def quarters(self, frame: int) -> float:
        seconds = frame / RATE
        ramped = min(seconds, self.seconds)
        quarters = ramped * (self.first_bpm + self.tempo_bpm(ramped)) / 2
        return (quarters + (seconds - ramped) * self.last_bpm) / 60

    def at(self, frame: int) -> BarsBeatsTicks:
        bar, beat = divmod(self.quarters(frame), 4)
        tick = int(beat % 1 * TICKS)
        return BarsBeatsTicks(
            frame, RATE, int(bar) + 1, int(beat) + 1, tick, 4, 4, TICKS, self.given_bpm
        )


def test_a_tempo_that_the_beats_contradict_is_measured() -> None:
    # As Ardour 7.3 does after a ramp of two bars.
    leader, positions = Ramp(96.0, 96.0, 135.0, 4.2), SongPositions()
    for frame in range(0, 12 * RATE, STEP):
        position = positions.read(leader.at(frame))
        assert position is not None
        assert position.beat == pytest.approx(leader.quarters(frame), abs=0.002)
        seconds = frame / RATE
        off = 0.015 if seconds > 4.4 else 0.06
        assert position.tempo_bpm == pytest.approx(leader.tempo_bpm(seconds), rel=off)
        if seconds > 6:
            assert position.tempo_bpm == 135
    positions.restart()
    assert (position := positions.read(leader.at(0))) is not None
    assert position.tempo_bpm == 96


def test_a_given_tempo_that_changes_at_once_is_believed_at_once() -> None:
    slow, fast = Leader(Meter(4, 4), 96.0, 1, 1), Leader(Meter(4, 4), 135.0, 1, 1)
    positions = SongPositions()
    for frame in range(0, 4 * RATE, STEP):
        positions.read(slow.at(frame))
    for frame in range(4 * RATE, 8 * RATE, STEP):
        assert (position := positions.read(fast.at(frame))) is not None
        assert position.tempo_bpm == 135


def test_a_program_that_adds_up_rounded_ticks_has_the_tempo_that_it_gives() -> None:
    leader, positions = Ramp(120.0, 118.5, 118.5, 1.0), SongPositions()
    for frame in range(0, 8 * RATE, STEP):
        assert (position := positions.read(leader.at(frame))) is not None
        assert position.tempo_bpm == 120


def test_the_rounding_of_ticks_is_evened_out() -> None:
    leader = Leader(Meter(4, 4), 93.7, 1, 1)
    read = read_all(leader, 5)[20:]
    errors = [
        position.beat - leader.quarters(frame) for frame, position in read if position is not None
    ]
    assert max(map(abs, errors)) < 0.2 / TICKS


def test_a_change_of_meter_keeps_counting_beats() -> None:
    positions = SongPositions()
    quarters, waltz = Leader(Meter(4, 4), 120.0, 1, 1), Leader(Meter(3, 4), 120.0, 1, 1)
    assert positions.read(quarters.at(4 * RATE - STEP)) is not None
    # Bar 3 begins after 8 quarter notes; by the waltz's own count it is after 6.
    position = positions.read(waltz.at(3 * RATE))
    assert position == SongPosition(Fraction(120), Meter(3, 4), 8.0, 0.0)
    positions.restart()
    assert positions.read(waltz.at(0)) == SongPosition(Fraction(120), Meter(3, 4), 2.0, 0.0)


def test_a_half_note_has_the_ticks_of_two_quarter_notes_where_ticks_count_these() -> None:
    leader, positions = Leader(Meter(3, 2), 100.0, 1, 1), SongPositions()
    for frame in range(0, 4 * RATE, STEP):
        position = positions.read(leader.at(frame))
    assert position is not None
    assert position.beat == pytest.approx(leader.quarters(frame), abs=0.002)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"beats_per_bar": 3.5}, "3.5/4"),
        ({"beat_type": 5.0}, "4/5"),
        ({"beats_per_minute": 0.0}, "0"),
        ({"beats_per_minute": float("nan")}, "nan"),
        ({"ticks_per_beat": 0.0}, "ticks"),
        ({"beat": 0}, "beat 0 in a bar of 4/4"),
        ({"beat": 5}, "beat 5"),
        ({"tick": -1}, "tick -1"),
        ({"tick": 32_767}, "tick 32767 in a beat of 1920"),
    ],
)
def test_unusable_time_is_named(values: dict[str, float], named: str) -> None:
    good = vars(Leader(Meter(4, 4), 120.0, 1, 1).at(0))
    with pytest.raises(BadArgument, match=named):
        SongPositions().read(BarsBeatsTicks(**{**good, **values}))
