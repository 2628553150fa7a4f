"""What a replica sends of a request, and when: the pauses here are endless, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from bridge.engine.process.wire import ChunkMade, Done, Failed, Progressed, ServerMessage
from bridge.errors import Cancelled
from bridge.serving import outbox
from bridge.serving.outbox import Outbox
from tests.engine.recorder import PATIENCE_SECONDS

ENDLESS = 1e6
STEPS, HOP = 25, 640
CHANNELS = 2


def chunk(number: int, *, has_audio: bool = True) -> ChunkMade:
    """The chunk of that number, in which no two codes and samples are equal."""
    first = number * STEPS
    codes = np.arange(first, first + STEPS).reshape(1, 1, STEPS)
    samples = np.arange(first * HOP, (first + STEPS) * HOP, dtype=np.float32)
    audio = np.broadcast_to(samples, (1, CHANNELS, STEPS * HOP))
    return ChunkMade(first, codes, audio if has_audio else None)


def steps(message: ServerMessage | None) -> tuple[int, int]:
    """The first step of a message of chunks and the step after its last; its content is theirs."""
    assert isinstance(message, ChunkMade)
    end = message.first_step + message.codes.shape[2]
    assert np.array_equal(message.codes[0, 0], np.arange(message.first_step, end))
    if message.audio is not None:
        expected = np.arange(message.first_step * HOP, end * HOP, dtype=np.float32)
        assert np.array_equal(
            message.audio, np.broadcast_to(expected, (1, CHANNELS, len(expected)))
        )
    return message.first_step, end


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), PATIENCE_SECONDS))


@pytest.fixture
def endless_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "PAUSE_SECONDS", ENDLESS)


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "PAUSE_SECONDS", 0.0)


def test_chunks_wait_for_the_one_that_is_wanted(endless_pause: None) -> None:
    async def test() -> None:
        messages = Outbox(STEPS + 1)
        messages.put(chunk(0))
        waiting = asyncio.create_task(messages.next(ENDLESS))
        await asyncio.sleep(0)
        assert not waiting.done()
        messages.put(chunk(1))
        assert steps(await waiting) == (0, 2 * STEPS)
        # Nothing more is wanted, until it is.
        messages.put(chunk(2))
        waiting = asyncio.create_task(messages.next(ENDLESS))
        await asyncio.sleep(0)
        assert not waiting.done()
        messages.want(2 * STEPS + 1)
        assert steps(await waiting) == (2 * STEPS, 3 * STEPS)

    run(test)


def test_much_audio_does_not_wait(endless_pause: None, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        messages = Outbox(0)
        for number in range(3):
            messages.put(chunk(number))
        assert steps(await messages.next(ENDLESS)) == (0, 3 * STEPS)

    audio = chunk(0).audio
    assert audio is not None
    monkeypatch.setattr(outbox, "MESSAGE_BYTES", 3 * audio.nbytes)
    run(test)


def test_no_message_of_several_chunks_is_larger_than_the_limit(
    endless_pause: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        messages = Outbox(5 * STEPS)
        for number in range(5):
            messages.put(chunk(number))
        sent = [steps(await messages.next(ENDLESS)) for _ in range(3)]
        assert sent == [(0, 2 * STEPS), (2 * STEPS, 4 * STEPS), (4 * STEPS, 5 * STEPS)]
        assert messages.wanted_steps == 0

    audio = chunk(0).audio
    assert audio is not None
    monkeypatch.setattr(outbox, "MESSAGE_BYTES", int(2.5 * audio.nbytes))
    run(test)


def test_the_end_sends_what_waits_and_comes_last(endless_pause: None) -> None:
    async def test() -> None:
        for end in (Done(), Failed(Cancelled("stopped"))):
            messages = Outbox(0)
            messages.put(chunk(0))
            messages.put(chunk(1))
            messages.put(end)
            assert steps(await messages.next(ENDLESS)) == (0, 2 * STEPS)
            assert await messages.next(ENDLESS) is end

    run(test)


def test_what_the_client_has_is_sent_apart_without_audio(endless_pause: None) -> None:
    async def test() -> None:
        messages = Outbox(0)
        for number in range(4):
            messages.put(chunk(number, has_audio=number > 1))
        messages.put(Done())
        known = await messages.next(ENDLESS)
        assert steps(known) == (0, 2 * STEPS)
        assert isinstance(known, ChunkMade) and known.audio is None
        assert steps(await messages.next(ENDLESS)) == (2 * STEPS, 4 * STEPS)
        assert isinstance(await messages.next(ENDLESS), Done)

    run(test)


def test_after_a_pause_chunks_come_and_else_the_progress_once(no_pause: None) -> None:
    async def test() -> None:
        messages = Outbox(0)
        messages.put(Progressed(0.1))
        messages.put(Progressed(0.2))
        messages.put(chunk(0))
        assert steps(await messages.next(ENDLESS)) == (0, STEPS)
        assert await messages.next(ENDLESS) == Progressed(0.2)
        assert await messages.next(0.0) is None

    run(test)


def test_nothing_to_send_is_said_after_the_patience(endless_pause: None) -> None:
    async def test() -> None:
        assert await Outbox(0).next(0.01) is None

    run(test)
