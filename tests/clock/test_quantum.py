"""The next line of each grid, from the clock's beats."""

from __future__ import annotations

from fractions import Fraction

import pytest

from bridge.clock.exact_clock import ExactClock
from bridge.clock.quantum import next_line
from bridge.commands import Transport
from bridge.timing import ONE_BAR, QUANTA, Meter, Quantum

HALF_BEAT, FOUR_BARS = Quantum(Fraction(1, 2), "beats"), Quantum(Fraction(4), "bars")


def playing(beat: float, meter: Meter, *, is_playing: bool = True) -> ExactClock:
    """A clock at 120 bpm that is at a beat at second 100, and was read until second 101."""
    clock = ExactClock()
    for seconds in (100.0, 101.0):
        at_beat = beat + (seconds - 100) * 2 * is_playing
        clock.update(Transport(Fraction(120), at_beat, is_playing, meter, received_seconds=seconds))
    return clock


@pytest.mark.parametrize(
    ("quantum", "meter", "seconds", "line", "into_bar"),
    [
        (ONE_BAR, Meter(4, 4), 101.1, 102.0, 0),
        (ONE_BAR, Meter(3, 4), 101.1, 101.5, 0),
        (FOUR_BARS, Meter(4, 4), 101.1, 108.0, 0),
        (FOUR_BARS, Meter(7, 8), 101.1, 107.0, 0),
        (HALF_BEAT, Meter(4, 4), 101.1, 101.25, Fraction(5, 2)),
        (HALF_BEAT, Meter(4, 4), 101.25, 101.5, 3),
        (HALF_BEAT, Meter(4, 4), 101.9, 102.0, 0),
        (Quantum(Fraction(2), "beats"), Meter(7, 8), 101.1, 101.75, 0),
        (Quantum(Fraction(2), "beats"), Meter(7, 8), 101.76, 102.75, 2),
    ],
)
def test_lines_are_on_the_grid_of_the_clock(
    quantum: Quantum, meter: Meter, seconds: float, line: float, into_bar: Fraction
) -> None:
    found = next_line(playing(0.0, meter), seconds, quantum)
    assert found is not None
    assert found.seconds == pytest.approx(line, abs=1e-6)
    assert found.beats_into_bar == into_bar


def test_lines_of_several_bars_are_counted_from_the_start_of_the_song() -> None:
    found = next_line(playing(4 * 6.0, Meter(4, 4)), 101.1, FOUR_BARS)
    assert found is not None and found.seconds == pytest.approx(104.0)


def test_a_clock_that_is_stopped_has_no_line() -> None:
    assert next_line(playing(3.0, Meter(), is_playing=False), 101.1, ONE_BAR) is None
    assert next_line(ExactClock(), 101.1, ONE_BAR) is None


def test_the_finest_grid_is_a_quarter_beat_and_the_coarsest_eight_bars() -> None:
    assert [str(quantum) for quantum in QUANTA] == [
        *("1/4 beat", "1/2 beat", "1 beat", "2 beats"),
        *("1 bar", "2 bars", "4 bars", "8 bars"),
    ]
