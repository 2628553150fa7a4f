"""The filtered time is steady under jitter and drift, and jumps where frames were lost."""

from __future__ import annotations

import random

import pytest

from bridge.soundcard.dll import DelayLockedLoop
from bridge.soundcard.ring import GAP_SECONDS

SAMPLE_RATE = 44_100


class Callbacks:
    """The callbacks of a device: blocks at its own rate, with random delays from a seed."""

    def __init__(self, *, drift: float = 0.0, jitter_seconds: float = 0.0, seed: int = 0) -> None:
        self.true_seconds = 1000.0
        self._period = (1 + drift) / SAMPLE_RATE
        self._jitter_seconds = jitter_seconds
        self._random = random.Random(seed)

    def next(self, frames: int) -> float:
        """The time of the next block's callback; `true_seconds` is its time without delay."""
        self.true_seconds += frames * self._period
        delay = self._random.uniform(0, self._jitter_seconds)
        if self._jitter_seconds and self._random.random() < 0.01:
            delay = 0.02
        return self.true_seconds + delay


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("drift", [-1e-4, 1e-4])
@pytest.mark.parametrize("frames", [64, 512, 1024])
def test_jitter_of_five_milliseconds_is_filtered_to_less_than_one_after_two_seconds(
    seed: int, drift: float, frames: int
) -> None:
    jitter_seconds = 0.005
    callbacks = Callbacks(drift=drift, jitter_seconds=jitter_seconds, seed=seed)
    loop = DelayLockedLoop(SAMPLE_RATE)
    last = None
    for block in range(20 * SAMPLE_RATE // frames):
        filtered = loop.update(callbacks.next(frames), frames)
        if last is not None:
            # A larger correction would count as lost frames in the ring.
            assert abs(filtered - last - frames / SAMPLE_RATE) < GAP_SECONDS
        last = filtered
        if block * frames > 2 * SAMPLE_RATE:
            # A callback is never early, so their mean delay looks like a shift in time.
            assert abs(filtered - callbacks.true_seconds - jitter_seconds / 2) < 0.001
    assert loop.losses == 0


def test_a_drifting_clock_is_followed_to_a_fraction_of_a_millisecond() -> None:
    callbacks = Callbacks(drift=1e-4)
    loop = DelayLockedLoop(SAMPLE_RATE)
    errors = []
    for _ in range(60 * SAMPLE_RATE // 512):
        filtered = loop.update(callbacks.next(512), 512)
        errors.append(abs(filtered - callbacks.true_seconds))
    # Uncorrected, 100 ppm are 6 ms in this minute.
    assert max(errors) < 0.0003
    assert errors[-1] < 0.00002


def test_blocks_may_differ_in_length() -> None:
    callbacks = Callbacks(drift=-1e-4, jitter_seconds=0.003)
    loop = DelayLockedLoop(SAMPLE_RATE)
    rng = random.Random(5)
    frames = 0
    while frames < 20 * SAMPLE_RATE:
        block = rng.choice([32, 441, 512, 1500])
        filtered = loop.update(callbacks.next(block), block)
        frames += block
        if frames > 2 * SAMPLE_RATE:
            assert abs(filtered - callbacks.true_seconds - 0.0015) < 0.001


def steady(callbacks: Callbacks, loop: DelayLockedLoop, frames: int = 512) -> float:
    """Run five seconds without a loss; return the filtered time at their end."""
    for _ in range(5 * SAMPLE_RATE // frames):
        filtered = loop.update(callbacks.next(frames), frames)
    assert loop.losses == 0
    return filtered


@pytest.mark.parametrize(("lost", "reported"), [(512, True), (2048, True), (22_050, False)])
def test_a_loss_is_at_once_a_jump_of_its_length(lost: int, reported: bool) -> None:
    callbacks = Callbacks(jitter_seconds=0.003)
    loop = DelayLockedLoop(SAMPLE_RATE)
    before = steady(callbacks, loop)
    callbacks.next(lost)
    after = loop.update(callbacks.next(512), 512, frames_lost=reported)
    assert loop.losses == 1
    jump_seconds = after - before - 512 / SAMPLE_RATE
    assert jump_seconds == pytest.approx(lost / SAMPLE_RATE, abs=0.003)
    assert jump_seconds > GAP_SECONDS, "the ring would not see it"


def test_a_loss_that_the_driver_does_not_report_is_found_in_a_third_of_a_second() -> None:
    callbacks = Callbacks(jitter_seconds=0.003)
    loop = DelayLockedLoop(SAMPLE_RATE)
    steady(callbacks, loop)
    callbacks.next(1024)
    for _ in range(SAMPLE_RATE // 512 // 3):
        filtered = loop.update(callbacks.next(512), 512)
    assert loop.losses == 1
    assert abs(filtered - callbacks.true_seconds - 0.0015) < 0.002


def test_one_late_callback_is_no_loss() -> None:
    callbacks = Callbacks()
    loop = DelayLockedLoop(SAMPLE_RATE)
    steady(callbacks, loop)
    loop.update(callbacks.next(512) + 0.09, 512)
    assert abs(loop.update(callbacks.next(512), 512) - callbacks.true_seconds) < 0.0005
    assert loop.losses == 0


def test_after_a_late_first_callback_the_time_is_corrected_without_running_backwards() -> None:
    """A driver pauses, then delivers several blocks at once: the first callback was late."""
    callbacks = Callbacks()
    loop = DelayLockedLoop(SAMPLE_RATE)
    last = loop.update(callbacks.next(512) + 0.1, 512)
    for _ in range(2 * SAMPLE_RATE // 512):
        filtered = loop.update(callbacks.next(512), 512)
        assert filtered > last
        last = filtered
    assert abs(last - callbacks.true_seconds) < 0.002
