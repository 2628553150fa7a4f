"""A replica's estimate of its pace, and what it refuses by it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest

from bridge.engine import Request
from bridge.engine.process.wire import ChunkMade, Done, Failed, Generate, ServerMessage
from bridge.errors import TooLate
from bridge.serving import outbox, replica
from bridge.serving.replica import Replica, ServedJob
from tests.engine.recorder import PATIENCE_SECONDS
from tests.serving.served import load_stand_in

SLOW = 10.0
"""A pace of so many seconds a step, as of a machine that was very busy."""
FOREVER = Request(prompt="for ever", seconds=60.0)


@asynccontextmanager
async def started() -> AsyncIterator[Replica]:
    """A replica of the stand-in that takes itself for slow."""
    found = Replica(load_stand_in, lambda: None)
    await found.start()
    found._seconds_a_step = SLOW
    try:
        yield found
    finally:
        await found.stop()


def run(test: Callable[[Replica], Coroutine[object, object, None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), started() as found:
            await test(found)

    asyncio.run(main())


def with_deadline(found: Replica, share: float) -> Generate:
    """A request whose deadline is a share of the time that the replica expects to take."""
    request = Request(seconds=4.0)
    steps = request.steps(found.facts.frame_rate, found.facts.longest_delay)
    return Generate(request, "a", deadline_seconds=share * steps * SLOW)


async def messages(job: ServedJob) -> list[ServerMessage]:
    """All that a client is sent of a job."""
    found: list[ServerMessage] = []
    while not found or not isinstance(found[-1], (Done, Failed)):
        message = await job.outbox.next(PATIENCE_SECONDS)
        assert message is not None
        job.sent(message)
        found.append(message)
    return found


def test_a_deadline_of_a_little_more_than_the_time_needed_is_kept() -> None:
    async def test(found: Replica) -> None:
        made = await messages(found.submit(with_deadline(found, 1.2), "a"))
        assert isinstance(made[-1], Done)

    run(test)


def test_an_idle_replica_that_refuses_measures_its_pace_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(found: Replica) -> None:
        with pytest.raises(TooLate):
            found.submit(with_deadline(found, 0.9), "a")
        await asyncio.sleep(0)
        # It has just been measured, and is not again for a while.
        assert found._seconds_a_step == SLOW
        monkeypatch.setattr(replica, "PACE_AGE_SECONDS", 0.0)
        while True:
            try:
                job = found.submit(with_deadline(found, 0.9), "a")
                break
            except TooLate:
                await asyncio.sleep(0.01)
        assert isinstance((await messages(job))[-1], Done)

    run(test)


def test_a_request_that_ends_early_shows_the_pace_too() -> None:
    async def test(found: Replica) -> None:
        job = found.submit(Generate(FOREVER, "a"), "a")
        while not isinstance(await job.outbox.next(PATIENCE_SECONDS), ChunkMade):
            continue
        found.cancel(job)
        while found._seconds_a_step == SLOW:
            await asyncio.sleep(0.01)
        assert found._seconds_a_step < SLOW

    run(test)


def test_the_time_for_a_client_that_is_slow_is_not_the_engines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replica, "MOST_UNSENT_BYTES", 0)
    monkeypatch.setattr(outbox, "PAUSE_SECONDS", 0.0)
    slowness = 0.01

    async def test(found: Replica) -> None:
        start = time.perf_counter()
        job = found.submit(Generate(Request(seconds=60.0), "a"), "a")
        count = 0
        while not isinstance(message := await job.outbox.next(PATIENCE_SECONDS), Done):
            assert message is not None
            await asyncio.sleep(slowness)
            job.sent(message)
            count += isinstance(message, ChunkMade)
        assert count > 2
        assert job.waited_seconds > (count - 2) * slowness
        assert job.made_seconds + job.waited_seconds <= time.perf_counter() - start

    run(test)


def test_many_variations_leave_in_messages_of_a_bounded_size() -> None:
    """The stand-in makes them in chunks of 12 MB, as the engine makes 16 variations in one."""

    async def test(found: Replica) -> None:
        request = Request(seconds=30.0, variations=32)
        job = found.submit(Generate(request, "a", received_steps=100), "a")
        chunks = [each for each in await messages(job) if isinstance(each, ChunkMade)]
        step = 0
        for each in chunks:
            assert each.first_step == step
            count = each.codes.shape[2]
            step += count
            if each.audio is not None:
                assert each.audio.shape == (32, 2, count * 640)
                assert each.audio.nbytes <= outbox.MESSAGE_BYTES
        assert step == 30 * 50
        without = sum(each.codes.shape[2] for each in chunks if each.audio is None)
        assert 100 - outbox.MESSAGE_BYTES // (32 * 2 * 640 * 4) < without <= 100

    run(test)
