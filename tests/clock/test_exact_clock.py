"""The clock of exact readings against a playhead that is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from bridge.clock.exact_clock import ExactClock
from bridge.commands import Transport
from bridge.timing import Meter
from tests.clock.daw import Daw

EXACT_SECONDS = 1e-6


def clock_after(readings: Iterable[Transport]) -> ExactClock:
    clock = ExactClock()
    for reading in readings:
        clock.update(reading)
    return clock


def readings_of(daw: Daw, every_seconds: float = 0.0937) -> Iterator[Transport]:
    """Readings at instants of their own, not when something changes: as a source that is polled."""
    for now in np.arange(daw.legs[0].seconds, daw.now, every_seconds):
        leg = daw.leg_at(now)
        yield Transport(
            leg.tempo_bpm,
            float(leg.beat_at(now)),
            leg.is_playing,
            leg.meter,
            received_seconds=float(now),
        )


def stopped_then_playing(beats: float, tempo_bpm: int | Fraction = 120) -> Daw:
    daw = Daw(tempo_bpm)
    daw.stop(1.0)
    daw.play(beats)
    return daw


def errors_seconds(daw: Daw, clock: ExactClock, margin: float = 0.0) -> list[float]:
    """How far the clock's history is off, at instants where the playhead moves."""
    errors = []
    for now in np.arange(daw.legs[1].seconds + 0.2, daw.now - 0.2, 0.0137):
        leg = daw.leg_at(now)
        if daw.leg_at(now - margin) is leg and daw.leg_at(now + margin) is leg:
            beat = clock.beat_at(now)
            assert beat is not None
            errors.append((beat - leg.beat_at(now)) * 60 / float(leg.tempo_bpm))
    return errors


def test_beats_and_bar_lines_are_exact() -> None:
    daw = stopped_then_playing(61, Fraction(937, 10))
    clock = clock_after(readings_of(daw))
    assert max(map(abs, errors_seconds(daw, clock))) < EXACT_SECONDS
    (line,) = daw.seconds_of(60)
    assert clock.bar_line_at_or_before(daw.now) == pytest.approx(line, abs=EXACT_SECONDS)
    span = clock.bars_ending(daw.now, 15)
    assert (span.bars, span.tempo_bpm, span.is_steady, span.broken) == (
        15,
        Fraction(937, 10),
        True,
        "",
    )
    assert clock.bars_ending(daw.now, 16).broken == "playback began"


def test_a_tempo_step_between_two_readings_is_found_where_it_happened() -> None:
    daw = stopped_then_playing(16)
    for tempo_bpm in (140, 90, 91, 300, 20):
        daw.tempo_bpm = Fraction(tempo_bpm)
        daw.play(9.3)
    clock = clock_after(readings_of(daw))
    assert max(map(abs, errors_seconds(daw, clock))) < EXACT_SECONDS
    assert clock.bars_ending(daw.now, 15).broken == ""


def test_a_tempo_ramp_is_followed_within_a_millisecond() -> None:
    daw = stopped_then_playing(16)
    daw.ramp(160, 32)
    daw.play(16)
    clock = clock_after(readings_of(daw))
    assert max(map(abs, errors_seconds(daw, clock))) < 0.001
    span = clock.bars_ending(daw.now, 16)
    assert (span.bars, span.is_steady) == (16, False)


def test_a_loop_by_whole_bars_is_continuous() -> None:
    daw = stopped_then_playing(16)
    for _ in range(4):
        daw.jump(8.0)
        daw.play(8)
    daw.play(0.5)
    clock = clock_after(readings_of(daw))
    span = clock.bars_ending(daw.now, 12)
    assert (span.bars, span.broken) == (12, "")
    assert max(map(abs, errors_seconds(daw, clock))) < EXACT_SECONDS


@pytest.mark.parametrize("to", [300.0, 17.3, 16.0, 3.5, 64.0])
def test_a_jump_breaks_continuity_and_is_followed_at_once(to: float) -> None:
    daw = stopped_then_playing(17)
    daw.jump(to)
    daw.play(10)
    clock = clock_after(readings_of(daw))
    jump = daw.legs[-1].seconds
    assert clock.beat_at(jump + 0.1) == pytest.approx(to + 0.2)
    assert clock.bars_ending(daw.now, 9).broken == "the playhead jumped"
    assert clock.bars_from(daw.legs[1].seconds, daw.now).broken == "the playhead jumped"


def test_a_stop_and_a_start_are_where_they_happened() -> None:
    daw = stopped_then_playing(9)
    daw.stop(2.0)
    daw.play(9)
    stop, start = daw.legs[2].seconds, daw.legs[3].seconds
    clock = clock_after(readings_of(daw))
    assert clock.beat_at(stop + 1) == 9.0
    assert clock.is_playing(stop - 0.01) and not clock.is_playing(stop + 0.01)
    assert clock.is_playing(start + 0.1) and not clock.is_playing(start - 0.01)
    assert clock.bars_from(daw.legs[1].seconds, stop + 1).broken == "playback stopped"
    assert clock.bars_ending(daw.now, 9).broken == "playback began"


def test_a_change_of_meter_breaks_continuity() -> None:
    daw = stopped_then_playing(24)
    daw.meter = Meter(3, 4)
    daw.play(15.5)
    clock = clock_after(readings_of(daw))
    span = clock.bars_ending(daw.now, 9)
    assert (span.bars, span.meter, span.broken) == (5, Meter(3, 4), "the meter changed")


def test_readings_off_by_a_millisecond_are_no_tempo_change() -> None:
    daw = stopped_then_playing(200)
    random = np.random.default_rng(5)
    clock = clock_after(
        replace(reading, received_seconds=reading.received_seconds + random.uniform(-1e-3, 1e-3))
        for reading in readings_of(daw)
    )
    assert max(map(abs, errors_seconds(daw, clock))) < 0.0015
    span = clock.bars_ending(daw.now, 40)
    assert (span.bars, span.is_steady, span.tempo_bpm) == (40, True, Fraction(120))


def test_a_drop_out_that_counted_as_a_stop_does_not_break_continuity() -> None:
    daw = stopped_then_playing(60)
    lost = daw.now - 10
    readings = [
        reading for reading in readings_of(daw) if not lost < reading.received_seconds < lost + 1.0
    ]
    at = next(index for index, each in enumerate(readings) if each.received_seconds > lost)
    stop = replace(
        readings[at - 1],
        is_playing=False,
        beat=daw.beat_at(lost + 0.5),
        received_seconds=lost + 0.5,
    )
    clock = clock_after([*readings[:at], stop])
    assert not clock.is_playing(lost + 0.6)
    clock = clock_after([*readings[:at], stop, *readings[at:]])
    assert clock.bars_ending(daw.now, 14).broken == ""
    assert clock.is_playing(lost + 0.6)


def test_a_count_in_has_beats_and_no_bar_line() -> None:
    daw = Daw()
    daw.jump(-8)
    daw.stop(1)
    daw.play(12)
    clock = clock_after(readings_of(daw))
    start = daw.legs[1].seconds
    assert clock.beat_at(start + 1) == pytest.approx(-6)
    assert clock.next_bar_line(start - 0.5) == pytest.approx(start + 4)
    assert clock.next_bar_line(start + 1) == pytest.approx(start + 4)
    assert clock.bar_line_at_or_before(start + 3) is None
    assert clock.bars_ending(daw.now, 9).bars == 1


def test_a_tempo_that_is_known_better_later_corrects_the_past() -> None:
    daw = stopped_then_playing(40)
    clock = ExactClock()
    start = daw.legs[1].seconds
    for reading in readings_of(daw, 0.02):
        if reading.received_seconds < start + 0.5:
            clock.update(replace(reading, tempo_bpm=Fraction(100)))
        elif clock.tempo_bpm == 100:
            clock.update(reading, steady_since_seconds=start)
        else:
            clock.update(reading)
    assert max(map(abs, errors_seconds(daw, clock))) < EXACT_SECONDS
    span = clock.bars_ending(daw.now, 10)
    assert (span.bars, span.is_steady, span.tempo_bpm) == (10, True, Fraction(120))


def test_three_minutes_are_remembered_and_a_flood_does_not_fill_the_memory() -> None:
    clock = ExactClock()
    random = np.random.default_rng(3)
    for index in range(20_000):
        clock.update(
            Transport(
                tempo_bpm=Fraction(int(random.integers(20, 999))),
                beat=float(random.uniform(-1e6, 1e6) if random.random() < 0.05 else index / 100),
                is_playing=bool(random.random() < 0.9),
                meter=Meter(int(random.integers(1, 9)), 4),
                received_seconds=1000 + index / 50,
            )
        )
    assert clock.bars_ending(1400.0, 4).bars <= 4
    assert len(clock._history) <= 401
    daw = stopped_then_playing(500)
    clock = clock_after(readings_of(daw))
    assert clock.beat_at(daw.now - 170) == pytest.approx(500 - 340)
