"""The estimated time left is close to the time that a request then takes; with simulated time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bridge.daemon.eta import UNMEASURED_FINISHING, FinishingTimes, TimeLeft

PUBLISH_SECONDS = 0.1
"""How often the engine reports progress."""


def course(
    steps: int, seconds_of_step: Callable[[float], float], started: float = 50.0
) -> Iterator[tuple[float, float]]:
    """Shares done, about ten a second, each with its time, as the engine reports them.

    Args:
        seconds_of_step: duration of a step, given the seconds from the first step to its start.
    """
    now = reported = started
    for done in range(1, steps + 1):
        now += seconds_of_step(now - started)
        if done in (1, steps) or now - reported >= PUBLISH_SECONDS:
            reported = now
            yield done / steps, now


def test_the_time_left_is_unknown_only_until_the_second_report() -> None:
    left = TimeLeft(FinishingTimes(), 8.0)
    # The wait for the engine and the prefix do not count.
    first, *others = (
        left.after(*reported) for reported in course(400, lambda _: 0.01, started=1e6)
    )
    assert first is None
    assert None not in others


def test_at_an_even_pace_the_time_left_is_right_from_the_second_report_on() -> None:
    finishing = FinishingTimes()
    finishing.add(8.0, 0.5)
    left = TimeLeft(finishing, 8.0)
    reported = list(course(400, lambda _: 0.01))
    end = reported[-1][1] + 0.5
    for share, now in reported:
        seconds = left.after(share, now)
        assert seconds is None or seconds == pytest.approx(end - now)


def test_a_slower_pace_is_followed_within_two_seconds_and_without_a_jump() -> None:
    left = TimeLeft(FinishingTimes(), 8.0)
    reported = list(course(1000, lambda passed: 0.01 if passed < 4 else 0.03))
    end = reported[-1][1] + UNMEASURED_FINISHING * 8
    before: float | None = None
    for share, now in reported:
        seconds = left.after(share, now)
        if seconds is not None and now - 50 >= 6:
            assert seconds == pytest.approx(end - now, rel=0.1)
        if seconds is not None and before is not None and share < 0.9:
            # In all the time left grows to three times; never by more than this at once.
            assert -0.25 * before < seconds - before < 0.35 * before
        before = seconds


def test_an_occasional_slow_step_changes_the_time_left_only_a_little() -> None:
    # A window's prefix: every 900 steps, 0.1 s beside the 5 ms of a step.
    number = 0

    def seconds_of_step(_: float) -> float:
        nonlocal number
        number += 1
        return 0.1 if number % 900 == 0 else 0.005

    left = TimeLeft(FinishingTimes(), 90.0)
    reported = list(course(4500, seconds_of_step))
    end = reported[-1][1] + UNMEASURED_FINISHING * 90
    for share, now in reported:
        seconds = left.after(share, now)
        if seconds is not None and share < 0.95:
            assert seconds == pytest.approx(end - now, rel=0.2)


def test_a_request_that_starts_again_is_measured_anew() -> None:
    left = TimeLeft(FinishingTimes(), 8.0)
    for share, now in course(400, lambda _: 0.02):
        left.after(share * 0.7, now)
    first, second, *_ = (
        left.after(*reported) for reported in course(400, lambda _: 0.01, started=90.0)
    )
    assert first is None
    assert second == pytest.approx(390 * 0.01 + UNMEASURED_FINISHING * 8, rel=0.03)


def test_two_reports_at_the_same_instant_give_no_pace() -> None:
    left = TimeLeft(FinishingTimes(), 8.0)
    assert [left.after(share, 5.0) for share in (0.1, 0.2)] == [None, None]
    assert left.after(0.2, 6.0) is not None


def test_after_the_last_step_the_finishing_time_is_left_and_its_measure_is_kept() -> None:
    finishing = FinishingTimes()
    left = TimeLeft(finishing, 8.0)
    assert left.after(1.0, 10.0) == UNMEASURED_FINISHING * 8
    left.finished(10.9)
    assert TimeLeft(finishing, 8.0).after(1.0, 20.0) == pytest.approx(0.9)


def test_the_finishing_time_follows_the_clips_nearest_in_length() -> None:
    finishing = FinishingTimes()
    for sound_seconds, took_seconds in ((60.0, 3.0), (60.0, 2.4), (60.0, 3.6)):
        finishing.add(sound_seconds, took_seconds)
    assert finishing.expected(8.0) == pytest.approx(0.4)
    for took_seconds in (0.9, 0.5, 0.8):
        finishing.add(8.0, took_seconds)
    assert finishing.expected(8.0) == 0.8
    assert finishing.expected(12.0) == pytest.approx(1.2)
    assert finishing.expected(120.0) == pytest.approx(6.0)


def test_the_finishing_time_follows_the_newest_clips_but_no_single_slow_one() -> None:
    finishing = FinishingTimes()
    for took_seconds in (0.5, 0.5, 4.0):
        finishing.add(8.0, took_seconds)
    assert finishing.expected(8.0) == 0.5
    for _ in range(2):
        finishing.add(8.0, 1.0)
    assert finishing.expected(8.0) == 1.0
