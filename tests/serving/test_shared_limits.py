"""Limits that several replicas count together, and alone while their ledger is gone."""

from __future__ import annotations

import asyncio
import pickle
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bridge.errors import LimitReached
from bridge.serving import shared_limits
from bridge.serving.ledger import SILENT_SECONDS, Entry, Ledger
from bridge.serving.limits import Limits
from bridge.serving.shared_limits import LedgerGone, SharedLimiter
from tests.engine.recorder import PATIENCE_SECONDS

LIMITS = Limits(requests=2, seconds_a_minute=100)


class Clock:
    """Seconds that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Line:
    """A line to a ledger in this process; what goes over it is copied, as between processes.

    Attributes:
        ledger: None: it is gone, and `connect` makes another where `is_cut` is not set.
    """

    def __init__(self) -> None:
        self.ledger: Ledger | None = None
        self.is_cut = False

    async def connect(self) -> None:
        if self.is_cut:
            raise LedgerGone("cut")
        self.ledger = self.ledger or Ledger()

    async def call(self, method: str, *arguments: Any) -> Any:
        if self.ledger is None or self.is_cut:
            raise LedgerGone("gone")
        return pickle.loads(
            pickle.dumps(getattr(self.ledger, method)(*pickle.loads(pickle.dumps(arguments))))
        )

    def post(self, method: str, *arguments: Any) -> None:
        if self.ledger is not None and not self.is_cut:
            getattr(self.ledger, method)(*arguments)


def run(test: Callable[[Line, SharedLimiter, SharedLimiter], Coroutine[Any, Any, None]]) -> None:
    """Run a test with two replicas that have joined one ledger."""

    async def main() -> None:
        line = Line()
        replicas = SharedLimiter(line), SharedLimiter(line)
        for each in replicas:
            await each.start()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await test(line, *replicas)
        finally:
            for each in replicas:
                each.stop()

    asyncio.run(main())


def test_two_replicas_count_together() -> None:
    async def test(line: Line, one: SharedLimiter, other: SharedLimiter) -> None:
        first = await one.admit("a", LIMITS, 40)
        second = await other.admit("a", LIMITS, 40)
        for each in (one, other):
            with pytest.raises(LimitReached, match="2 requests at work"):
                await each.admit("a", LIMITS, 1)
            await each.admit("b", LIMITS, 1)
        one.close(first, 40)
        with pytest.raises(LimitReached, match="has had its 100 s") as caught:
            await other.admit("a", LIMITS, 40)
        assert 0 < caught.value.retry_seconds <= 60
        other.close(second, 3)
        await other.admit("a", LIMITS, 40)

    run(test)


def test_while_the_ledger_is_gone_each_replica_counts_for_itself_and_the_next_knows_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_limits, "RENEW_SECONDS", 0.01)

    async def test(line: Line, one: SharedLimiter, other: SharedLimiter) -> None:
        await one.admit("a", LIMITS, 30)
        line.ledger, line.is_cut = None, True
        for each in (one, other):
            await each.admit("a", LIMITS, 30)
        with pytest.raises(LimitReached, match="2 requests at work"):
            await one.admit("a", LIMITS, 30)
        await other.admit("a", LIMITS, 30)
        with pytest.raises(LimitReached, match="2 requests at work"):
            await other.admit("a", LIMITS, 30)
        line.is_cut = False
        ledger = Ledger()
        line.ledger = ledger
        stranger = Limits(requests=4, seconds_a_minute=10_000)
        ledger.join("stranger", [])
        refusal = None
        while refusal is None or "has 4 requests" not in str(refusal):
            # Both have to give their signs of life first.
            await asyncio.sleep(0.01)
            refusal = ledger.admit("stranger", 1, "a", stranger, 1)
            ledger.join("stranger", [])

    run(test)


def test_a_request_that_is_withdrawn_counts_nowhere() -> None:
    async def test(line: Line, one: SharedLimiter, other: SharedLimiter) -> None:
        for _ in range(200):
            one.withdraw(await one.admit("a", LIMITS, 60))
        await other.admit("a", LIMITS, 100)

    run(test)


def test_a_cancelled_admission_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(line: Line, one: SharedLimiter, other: SharedLimiter) -> None:
        asked = asyncio.Event()
        call = line.call

        async def slow_call(method: str, *arguments: Any) -> Any:
            await call(method, *arguments)
            asked.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(line, "call", slow_call)
        for _ in range(3):
            task = asyncio.create_task(one.admit("a", LIMITS, 1))
            await asked.wait()
            asked.clear()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        monkeypatch.undo()
        await other.admit("a", LIMITS, 1)
        await one.admit("a", LIMITS, 1)

    run(test)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(clock: Clock) -> Ledger:
    return Ledger(clock)


def test_the_requests_of_a_replica_that_is_gone_end_and_their_audio_counts_its_minute(
    ledger: Ledger, clock: Clock
) -> None:
    ledger.join("one", [])
    ledger.join("other", [])
    for number in range(2):
        assert ledger.admit("one", number, "a", LIMITS, 40) is None
    clock.now += SILENT_SECONDS / 2
    assert ledger.renew("other", ())
    assert "2 requests at work" in str(ledger.admit("other", 0, "a", LIMITS, 10))
    clock.now += SILENT_SECONDS / 2 + 0.1
    assert ledger.admit("other", 0, "a", LIMITS, 20) is None
    assert "has had its 100 s" in str(ledger.admit("other", 1, "a", LIMITS, 20))
    assert not ledger.renew("one", (0, 1))
    with pytest.raises(KeyError):
        ledger.admit("one", 2, "a", LIMITS, 1)


def test_a_replica_that_joins_again_is_counted_once(ledger: Ledger, clock: Clock) -> None:
    entries = [Entry(0, "a", 0.0, 40, is_open=True), Entry(1, "a", 30.0, 40, is_open=False)]
    for _ in range(3):
        ledger.join("one", entries)
    assert ledger.admit("one", 2, "a", LIMITS, 20) is None
    clock.now += SILENT_SECONDS + 1
    assert not ledger.renew("one", (0, 2))
    ledger.join("one", entries)
    assert ledger.admit("one", 2, "a", LIMITS, 20) is None
    assert "2 requests at work" in str(ledger.admit("one", 3, "a", LIMITS, 1))


def test_an_end_that_is_lost_is_corrected_by_the_next_sign_of_life(ledger: Ledger) -> None:
    ledger.join("one", [])
    for number in range(2):
        ledger.admit("one", number, "a", LIMITS, 1)
    assert ledger.renew("one", {1})
    assert ledger.admit("one", 2, "a", LIMITS, 1) is None
    assert ledger.admit("one", 3, "a", LIMITS, 1) is not None
    ledger.close("one", 17, 0)
    ledger.close("nobody", 1, 0)


def test_what_is_remembered_follows_the_use(ledger: Ledger, clock: Clock) -> None:
    draw = random.Random(20)
    for number in range(2000):
        replica = f"r{number // 20}"
        ledger.join(replica, []) if number % 20 == 0 else ledger.renew(replica, ())
        ledger.admit(replica, number, f"t{draw.randrange(50)}", Limits(), 5)
        ledger.close(replica, number, 5)
        clock.now += 1
    assert len(ledger._replicas) <= 5
    assert sum(len(each.admissions) for each in ledger._replicas.values()) <= 61
    assert len(ledger._limiter.counted()) <= 61
