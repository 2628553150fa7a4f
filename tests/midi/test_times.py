"""Times of messages follow the driver's clock, and not when the callback came."""

from __future__ import annotations

import random

from bridge.midi.times import DeltaClock, FrameClock

RATE, PERIOD = 44_100, 512


def test_late_callbacks_do_not_move_the_times_of_rtmidi() -> None:
    clock, chance = DeltaClock(), random.Random(1)
    times = []
    for tick in range(500):
        late = 0.0 if tick % 10 == 0 else chance.uniform(0, 0.03)
        times.append(clock.seconds(100 + tick * 0.02 + late, 0.02 if tick else 0.0))
    errors = [seconds - (100 + tick * 0.02) for tick, seconds in enumerate(times)]
    assert max(map(abs, errors)) < 1e-9


def test_a_driver_with_another_clock_rate_is_followed_over_hours() -> None:
    clock, ratio = DeltaClock(), 1 + 200e-6
    for second in range(10_000):
        seconds = clock.seconds(1000.0 + second, ratio if second else 0.0)
        assert abs(seconds - (1000 + second)) < 0.0025


def test_times_after_a_jump_of_the_drivers_clock_are_those_of_the_callbacks() -> None:
    clock = DeltaClock()
    clock.seconds(10.0, 0.0)
    # The computer slept: the driver counted nothing.
    assert clock.seconds(70.0, 0.01) == 70.0


def test_times_never_run_backwards_or_ahead() -> None:
    clock, chance, last = DeltaClock(), random.Random(2), 0.0
    arrival = 5.0
    for _ in range(2000):
        arrival += chance.uniform(0, 0.01)
        seconds = clock.seconds(arrival, chance.uniform(0, 0.01))
        assert last <= seconds <= arrival
        last = seconds


def test_late_jack_callbacks_do_not_move_the_times_of_frames() -> None:
    clock, chance = FrameClock(RATE), random.Random(3)
    # The server's count wraps on the way.
    first, errors = 2**32 - 40 * PERIOD, []
    for cycle in range(100):
        late = chance.uniform(0, 0.008)
        now = 50 + cycle * PERIOD / RATE + late
        # One callback in ten is interrupted between the two readings.
        interrupted = 0.002 if cycle % 10 == 5 else 0.0
        frame = first + cycle * PERIOD
        now_frame = frame + round(late * RATE)
        clock.begin_cycle(frame % 2**32, now_frame % 2**32, now + interrupted)
        errors.append(clock.seconds(100) - (50 + (cycle * PERIOD + 100) / RATE))
    assert max(map(abs, errors[5:])) < 0.00002
