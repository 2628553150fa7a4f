"""What a server does with deadlines, tokens, slow readers, and clients that say nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge.config.engine_token import Secret
from bridge.engine import Request
from bridge.engine.process.wire import (
    ChunkMade,
    Done,
    Failed,
    Generate,
    Queued,
    Received,
    to_bytes,
)
from bridge.errors import (
    BadArgument,
    Cancelled,
    LimitReached,
    NotAuthorized,
    QueueFull,
    TooLate,
)
from bridge.serving import conversation, outbox, patience
from bridge.serving.application import ReplicaSettings
from bridge.serving.asgi import POLICY_VIOLATION
from bridge.serving.limits import Limits
from bridge.serving.replica import CLIENT_QUEUE_SIZE
from bridge.serving.token_changes import add_token
from tests.engine.recorder import PATIENCE_SECONDS
from tests.serving.client import connected
from tests.serving.served import load_stand_in, remote_engine, served

FOR_EVER = Request(prompt="for ever")


def run(test: Any) -> None:
    """Run a test for a limited time, with a server of the stand-in."""
    with served(load=load_stand_in) as url:
        asyncio.run(asyncio.wait_for(test(url), PATIENCE_SECONDS))


def test_a_request_that_would_be_too_late_is_refused_with_the_time_that_it_would_take() -> None:
    async def test(url: str) -> None:
        async with connected(url) as running, connected(url) as late, connected(url) as in_time:
            await running.send(Generate(Request(prompt="for ever", seconds=600.0), "a"))
            while not isinstance(await running.next(), ChunkMade):
                continue
            await late.send(Generate(Request(seconds=600.0), "b", deadline_seconds=1e-6))
            error = await late.failure()
            assert type(error) is TooLate
            assert "ask for less, or for later" in str(error)
            await in_time.send(Generate(Request(), "c", deadline_seconds=60.0))
            await running.socket.close()
            while not isinstance(await in_time.next(), Done):
                continue

    run(test)


def test_one_client_cannot_fill_the_queue() -> None:
    async def test(url: str) -> None:
        async with connected(url) as running:
            await running.send(Generate(FOR_EVER, "a"))
            while not isinstance(await running.next(), ChunkMade):
                continue
            waiting = [connected(url) for _ in range(CLIENT_QUEUE_SIZE)]
            for each in waiting:
                client = await each.__aenter__()
                await client.send(Generate(Request(), "b"))
                await client.next()
            async with connected(url) as one_more, connected(url) as other:
                await one_more.send(Generate(Request(), "b"))
                assert type(await one_more.failure()) is QueueFull
                await other.send(Generate(Request(), "c"))
                await running.socket.close()
                while not isinstance(await other.next(), Done):
                    continue
            for each in waiting:
                await each.__aexit__(None, None, None)

    run(test)


@pytest.mark.parametrize("frame", [b"", b"x" * 1000, to_bytes(Received(1))])
def test_what_is_no_request_gets_an_error_and_the_connection_ends(frame: bytes) -> None:
    async def test(url: str) -> None:
        async with connected(url) as client:
            await client.send(frame)
            assert isinstance(await client.failure(), BadArgument)
            await client.socket.wait_closed()

    run(test)


def test_a_second_request_on_a_connection_ends_it() -> None:
    async def test(url: str) -> None:
        async with connected(url) as client:
            await client.send(Generate(FOR_EVER, "a"))
            await client.next()
            await client.send(Generate(FOR_EVER, "a"))
            assert "open another" in str(await client.failure())
        async with connected(url) as client:
            await client.send(Generate(Request(), "a"))
            while not isinstance(await client.next(), Done):
                continue

    run(test)


def test_a_connection_that_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(url: str) -> None:
        async with connected(url) as client:
            await client.socket.wait_closed()
            assert client.socket.close_code == POLICY_VIOLATION

    monkeypatch.setattr(conversation, "FIRST_MESSAGE_SECONDS", 0.05)
    run(test)


def test_a_client_that_takes_no_audio_is_sent_no_more_and_then_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(url: str) -> None:
        async with connected(url) as client:
            await client.send(Generate(Request(seconds=60.0, variations=2), "a"))
            sent = 0
            while not isinstance(message := await client.next(), Failed):
                if isinstance(message, ChunkMade):
                    assert message.audio is not None
                    sent += message.audio.nbytes
            assert "no audio was received" in str(message.error)
            limit = conversation.SENT_AHEAD_BYTES + outbox.MESSAGE_BYTES
            assert conversation.SENT_AHEAD_BYTES < sent <= limit

    monkeypatch.setattr(patience, "STALLED_SECONDS", 0.2)
    run(test)


@pytest.mark.parametrize("receipt", [0, 1], ids=["of nothing", "of too little"])
def test_receipts_do_not_keep_a_client_that_takes_no_audio(
    receipt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each one comes before the server's patience is over."""

    async def test(url: str) -> None:
        async with connected(url) as client:
            await client.send(Generate(Request(seconds=60.0, variations=2), "a"))

            async def acknowledge() -> None:
                steps = 0
                while True:
                    steps += receipt
                    await client.send(Received(steps))
                    await asyncio.sleep(0.01)

            receipts = asyncio.create_task(acknowledge())
            assert "no audio was received" in str(await client.failure())
            receipts.cancel()

    monkeypatch.setattr(patience, "STALLED_SECONDS", 0.3)
    # A receipt for a step in 10 ms is 2 MB a second of two variations in stereo.
    monkeypatch.setattr(patience, "LEAST_BYTES_PER_SECOND", 2**30)
    run(test)


def test_refusals_cost_nothing_of_a_tokens_minute(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    token, _ = add_token(file, "anna", Limits(requests=4, seconds_a_minute=100.0))

    async def test(url: str) -> None:
        for _ in range(30):
            async with connected(url, token) as client:
                await client.send(Generate(Request(seconds=10.0), "a", deadline_seconds=0.0))
                assert type(await client.failure()) is TooLate
        async with connected(url, token) as client:
            await client.send(Generate(Request(seconds=100.0), "a"))
            assert isinstance(await client.chunk(), ChunkMade)

    settings = ReplicaSettings("stand-in", tokens=file)
    with served(settings, load=load_stand_in) as url:
        asyncio.run(asyncio.wait_for(test(url), PATIENCE_SECONDS))


def test_tokens_are_asked_for_limited_and_revoked(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    token, _ = add_token(file, "anna", Limits(requests=1, seconds_a_minute=100.0))

    async def test(url: str) -> None:
        for wrong in (None, Secret("mbt_" + "0" * 43)):
            async with remote_engine(url, token=wrong) as (engine, recorder):
                await recorder.until(lambda: engine.state == "failed")
                assert isinstance(engine.failure, NotAuthorized)
        async with remote_engine(url, token=Secret(token)) as (engine, recorder):
            await recorder.until(lambda: engine.state == "ready")
            before = len(recorder.shares)
            running = engine.submit(FOR_EVER, recorder.share)
            await recorder.until(lambda: len(recorder.shares) > before)
            with pytest.raises(LimitReached, match="1 requests at work"):
                await engine.submit(Request()).result()
            running.cancel()
            with pytest.raises(Cancelled):
                await running.result()
            with pytest.raises(LimitReached, match="100 a minute"):
                await engine.submit(Request(seconds=200.0)).result()

    settings = ReplicaSettings("stand-in", tokens=file)
    with served(settings, load=load_stand_in) as url:
        asyncio.run(asyncio.wait_for(test(url), PATIENCE_SECONDS))


def test_a_request_that_is_given_up_counts_as_what_was_made_of_it(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    limits = Limits(requests=2, seconds_a_minute=100.0)
    tokens = {name: add_token(file, name, limits)[0] for name in ("anna", "ben")}

    async def test(url: str) -> None:
        async with connected(url, tokens["ben"]) as running:
            await running.send(Generate(FOR_EVER, "test"))
            assert isinstance(await running.chunk(), ChunkMade)
            async with connected(url, tokens["anna"]) as waiting:
                await waiting.send(Generate(Request(seconds=90.0), "test"))
                assert isinstance(await waiting.next(), Queued)
            refusal: object = None
            while not isinstance(refusal, Queued):
                # The server has to notice the end first.
                async with connected(url, tokens["anna"]) as again:
                    await again.send(Generate(Request(seconds=90.0), "test"))
                    refusal = await again.next()

    with served(ReplicaSettings("stand-in", tokens=file), load=load_stand_in) as url:
        # Before the minute has passed.
        asyncio.run(asyncio.wait_for(test(url), PATIENCE_SECONDS / 2))
