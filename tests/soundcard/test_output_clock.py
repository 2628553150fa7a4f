"""Frames of an output are counted and timed as the driver takes them, whatever callbacks do."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.soundcard.output_clock import JUDGED_PERIODS, JUDGED_SECONDS, OutputClock

RATE = 44_100
RENDER_SECONDS = 1e-4
"""From a callback to the next one of the same period."""


class Driver:
    """A sound card that calls back once a period, and skips the periods that it is kept waiting.

    Attributes:
        clock: what is tested.
        error_seconds: after each callback, how far the clock's time of the block is off.
    """

    def __init__(
        self, period: int, *, jitter_ms: float, drift: float = 0.0, blocks: int = 1
    ) -> None:
        """Args:
        blocks: callbacks that share a period.
        """
        self.clock, self.error_seconds = OutputClock(RATE), list[float]()
        self.frame = 0
        self._block = period // blocks
        self._period, self._jitter, self._drift = period, jitter_ms / 1000, drift
        self._random = np.random.default_rng(2)

    def play(self, seconds: float) -> None:
        """Take blocks for that long."""
        for _ in range(round(seconds * RATE / self._period)):
            self.call(abs(self._random.normal(0, self._jitter)))

    def stall(self, seconds: float) -> None:
        """Call back that late, and skip the periods that passed meanwhile."""
        self.call(seconds)
        self.frame += int(seconds * RATE / self._period) * self._period

    def call(self, late_seconds: float) -> None:
        called = 100 + self.frame / RATE * (1 + self._drift) + late_seconds
        for _ in range(self._period // self._block):
            due = 100 + self.frame / RATE * (1 + self._drift)
            self.clock.update(called, self._block)
            self.error_seconds.append(self.clock.seconds - due)
            self.frame += self._block
            called += RENDER_SECONDS

    @property
    def is_counted(self) -> bool:
        """Whether the clock counts as the driver does."""
        return self.clock.frame + self._block == self.frame


def judged_seconds(period: int) -> float:
    """How long it may take until skipped periods are counted."""
    return max(JUDGED_SECONDS, JUDGED_PERIODS * period / RATE) + 2 * period / RATE


@pytest.mark.parametrize("period", [64, 128, 512, 2048])
@pytest.mark.parametrize("drift", [0.0, 2e-4, -2e-4])
def test_frames_are_timed_to_a_millisecond(period: int, drift: float) -> None:
    driver = Driver(period, jitter_ms=0.5, drift=drift)
    driver.play(60)
    assert driver.is_counted and driver.clock.skips == 0
    settled = np.array(driver.error_seconds[len(driver.error_seconds) // 4 :])
    assert np.abs(settled - 0.0004).max() < 0.001
    assert driver.clock.seconds_per_frame * RATE - 1 == pytest.approx(drift, abs=1e-4)


@pytest.mark.parametrize("blocks", [2, 4])
def test_callbacks_that_share_a_period_are_timed_by_its_first_one(blocks: int) -> None:
    driver = Driver(1024 * blocks, jitter_ms=0.3, drift=1e-4, blocks=blocks)
    driver.play(20)
    driver.stall(0.2)
    driver.play(judged_seconds(1024 * blocks))
    assert driver.is_counted and driver.clock.skips == 1
    first = len(driver.error_seconds)
    driver.play(20)
    assert driver.is_counted and driver.clock.skips == 1
    errors = np.array(driver.error_seconds)
    assert np.abs(errors[first:]).max() < 0.001
    assert np.abs(errors[10 * RATE // 1024 : 20 * RATE // 1024]).max() < 0.001


@pytest.mark.parametrize("period", [64, 512])
@pytest.mark.parametrize("stall_seconds", [0.02, 0.06, 0.2, 1.5])
def test_periods_that_the_driver_skipped_are_counted(period: int, stall_seconds: float) -> None:
    driver = Driver(period, jitter_ms=0.3)
    driver.play(10)
    driver.stall(stall_seconds)
    driver.play(judged_seconds(period))
    assert driver.is_counted and driver.clock.skips == 1
    first = len(driver.error_seconds)
    driver.play(5)
    assert driver.is_counted and driver.clock.skips == 1
    assert np.abs(driver.error_seconds[first:]).max() < 0.002


def test_late_callbacks_alone_skip_nothing_and_do_not_move_the_times() -> None:
    driver = Driver(512, jitter_ms=0.3)
    driver.play(10)
    first = len(driver.error_seconds)
    for _ in range(30):
        driver.call(0.02)
        driver.call(0.015)
        driver.play(0.06)
    assert driver.is_counted and driver.clock.skips == 0
    assert np.abs(driver.error_seconds[first:]).max() < 0.001


@pytest.mark.parametrize("period", [64, 512])
def test_a_busy_machine_that_calls_back_late_for_a_while_skips_nothing(period: int) -> None:
    """Four of five callbacks come late by most of a period."""
    driver = Driver(period, jitter_ms=0.3)
    driver.play(10)
    dice = np.random.default_rng(3)
    for _ in range(200):
        for number in range(40):
            late_periods = dice.uniform(0.6, 0.95) if number % 5 else 0.0
            driver.call(late_periods * period / RATE)
        driver.play(0.5)
    assert driver.is_counted and driver.clock.skips == 0


def test_an_hour_of_a_clock_that_is_off_skips_nothing() -> None:
    driver = Driver(2048, jitter_ms=0.5, drift=3e-4)
    driver.play(3600)
    assert driver.is_counted and driver.clock.skips == 0


def test_blocks_that_are_asked_for_at_once_are_no_loss() -> None:
    """A driver fills its buffer at the start."""
    clock = OutputClock(RATE)
    for _ in range(4):
        clock.update(100.0, 512)
    for number in range(1, 800):
        clock.update(100 + number * 512 / RATE, 512)
    assert clock.skips == 0 and clock.frame == 802 * 512
    assert clock.seconds == pytest.approx(100 + 799 * 512 / RATE, abs=0.001)
