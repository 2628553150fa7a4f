"""The limits of a token: requests at a time, and seconds of audio in any minute."""

from __future__ import annotations

import math
import random

import pytest

from bridge.errors import BadArgument, LimitReached
from bridge.serving.limits import LEAST_SECONDS, Limiter, Limits


class Clock:
    """Seconds that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> Limiter:
    return Limiter(clock)


def test_one_request_too_many_waits_for_an_end(limiter: Limiter) -> None:
    limits = Limits(requests=2)
    first, second = (limiter.admit("a", limits, 1) for _ in range(2))
    with pytest.raises(LimitReached, match="'a' has 2 requests at work") as caught:
        limiter.admit("a", limits, 1)
    assert caught.value.retry_seconds == 0
    first.close(1)
    first.close(1)
    limiter.admit("a", limits, 1)
    with pytest.raises(LimitReached):
        limiter.admit("a", limits, 1)
    second.close(1)
    limiter.admit("a", limits, 1)


def test_what_is_withdrawn_does_not_count(limiter: Limiter) -> None:
    limits = Limits(requests=1, seconds_a_minute=10)
    for _ in range(2):
        limiter.withdraw(limiter.admit("a", limits, 10))


def test_what_was_admitted_elsewhere_counts_from_its_own_time(
    limiter: Limiter, clock: Clock
) -> None:
    limits = Limits(requests=2, seconds_a_minute=30)
    limiter.admit("a", limits, 12).close(12)
    limiter.add("a", age_seconds=50, seconds=12, is_open=False)
    limiter.add("a", age_seconds=500, seconds=12, is_open=True)
    with pytest.raises(LimitReached, match="wait 10 s"):
        limiter.admit("a", limits, 12)
    clock.now += 10
    limiter.admit("a", limits, 12)
    with pytest.raises(LimitReached, match="2 requests at work"):
        limiter.admit("a", limits, 1)


def test_tokens_have_limits_of_their_own(limiter: Limiter) -> None:
    limits = Limits(requests=1, seconds_a_minute=10)
    limiter.admit("a", limits, 10)
    limiter.admit("b", limits, 10)
    with pytest.raises(LimitReached):
        limiter.admit("b", limits, 10)


def test_the_wait_that_an_error_names_is_the_shortest(limiter: Limiter, clock: Clock) -> None:
    limits = Limits(requests=100, seconds_a_minute=30)
    limiter.admit("a", limits, 12).close(12)
    clock.now += 20
    limiter.admit("a", limits, 12).close(12)
    with pytest.raises(LimitReached, match="wait 40 s") as caught:
        limiter.admit("a", limits, 12)
    assert caught.value.retry_seconds == pytest.approx(40)
    clock.now += 39.9
    with pytest.raises(LimitReached):
        limiter.admit("a", limits, 12)
    clock.now += 0.1
    limiter.admit("a", limits, 12).close(12)


def test_a_request_that_never_fits_says_so(limiter: Limiter) -> None:
    with pytest.raises(LimitReached, match="may have 30 a minute: ask for less") as caught:
        limiter.admit("a", Limits(seconds_a_minute=30), 31)
    assert caught.value.retry_seconds == math.inf


def test_only_what_was_made_counts(limiter: Limiter) -> None:
    limits = Limits(requests=100, seconds_a_minute=20)
    limiter.admit("a", limits, 20).close(8)
    limiter.admit("a", limits, 12).close(100)
    with pytest.raises(LimitReached):
        limiter.admit("a", limits, 1)


def test_no_minute_has_more_than_its_limit(limiter: Limiter, clock: Clock) -> None:
    draw = random.Random(1)
    limits = Limits(requests=200, seconds_a_minute=100)
    admitted: list[tuple[float, float]] = []
    for _ in range(5000):
        clock.now += draw.expovariate(1)
        seconds = draw.uniform(0.1, 40)
        try:
            limiter.admit("a", limits, seconds).close(seconds)
        except LimitReached as error:
            assert 0 < error.retry_seconds <= 60
        else:
            admitted.append((clock.now, max(seconds, LEAST_SECONDS)))
    assert len(admitted) > 500
    for began, _ in admitted:
        inside = [seconds for at, seconds in admitted if began <= at < began + 60]
        assert sum(inside) <= 100 + 1e-9


def test_what_is_remembered_follows_the_use(limiter: Limiter, clock: Clock) -> None:
    for number in range(1000):
        limiter.admit(f"token-{number}", Limits(), 5).close(5)
        clock.now += 10
    assert len(limiter._uses) <= 7


@pytest.mark.parametrize(("requests", "seconds"), [(0, 10), (1000, 10), (1, 0), (1, 1e9)])
def test_limits_outside_their_ranges_are_refused(requests: int, seconds: float) -> None:
    with pytest.raises(BadArgument, match="the range is"):
        Limits(requests, seconds)
