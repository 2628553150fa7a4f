"""What a proxy refuses by itself: half-open connections, strangers, and too many of one token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bridge.config.engine_token import Secret
from bridge.engine import Request
from bridge.engine.process.server_connection import Server
from bridge.errors import NotAuthorized, QueueFull
from bridge.serving.application import ReplicaSettings
from bridge.serving.gate import SPARE_CONNECTIONS, Gate
from bridge.serving.limits import Limits
from bridge.serving.token_changes import add_token, revoke_token
from tests.engine.recorder import PATIENCE_SECONDS
from tests.serving.client import connected
from tests.serving.served import load_stand_in, remote_engine, served

HEADS = "bridge.serving.heads:HeadsProtocol"
HEAD = b"GET / HTTP/1.1\r\nHost: engine\r\n"


def run(test: Callable[[str], Coroutine[Any, Any, None]], url: str) -> None:
    """Run a test for a limited time."""
    asyncio.run(asyncio.wait_for(test(url), PATIENCE_SECONDS))


async def answers(url: str, token: str | None = None) -> None:
    """Let the server do one request."""
    secret = None if token is None else Secret(token)
    async with remote_engine(url, token=secret) as (engine, _):
        await engine.submit(Request(seed=3)).result()


async def half_open(url: str, stack: AsyncExitStack, sent: bytes) -> asyncio.StreamReader:
    """A connection that has sent this, and says no more."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    stack.callback(writer.close)
    writer.write(sent)
    await writer.drain()
    return reader


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Whether the server closes a connection without an answer."""
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


def test_a_head_that_does_not_come_ends_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    heads = pytest.importorskip("bridge.serving.heads", reason="needs the extra `ray`")

    async def test(url: str) -> None:
        async with AsyncExitStack() as stack, connected(url) as websocket:
            with monkeypatch.context() as patch:
                patch.setattr(heads, "HEAD_SECONDS", 0.1)
                for sent in (b"", b"G", HEAD):
                    assert await is_closed(await half_open(url, stack, sent))
            # It was opened before the three that have been closed.
            await websocket.socket.ping()
            await answers(url)

    with served(load=load_stand_in, http=HEADS) as url:
        run(test, url)


def test_the_oldest_of_too_many_half_open_connections_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heads = pytest.importorskip("bridge.serving.heads", reason="needs the extra `ray`")
    monkeypatch.setattr(heads, "MOST_HEADS", 3)

    async def test(url: str) -> None:
        async with AsyncExitStack() as stack:
            opened = [await half_open(url, stack, HEAD) for _ in range(5)]
            assert [await is_closed(each) for each in opened[:2]] == [True, True]
            await answers(url)
            assert await is_closed(opened[2])
            assert not opened[4].at_eof()

    with served(load=load_stand_in, http=HEADS) as url:
        run(test, url)


def test_an_answer_over_http_ends_its_connection() -> None:
    async def test(url: str) -> None:
        async with AsyncExitStack() as stack:
            reader = await half_open(url, stack, HEAD + b"\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
            reader = await half_open(url, stack, b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")

    with served(load=load_stand_in, layer=Gate, http=HEADS) as url:
        run(test, url)


def test_a_stranger_does_not_get_past_the_gate(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    token, _ = add_token(tokens, "laptop", Limits())
    passed: list[str] = []

    def layer(application: Any) -> Any:
        async def counted(scope: Any, receive: Any, send: Any) -> None:
            passed.append(scope["type"])
            await application(scope, receive, send)

        return Gate(counted, tokens)

    async def test(url: str) -> None:
        for wrong in (None, Secret("mbt_" + "0" * 43)):
            with pytest.raises(NotAuthorized):
                async with Server(url, wrong).connected():
                    pass
        assert "websocket" not in passed
        await answers(url, token)
        assert "websocket" in passed
        revoke_token(tokens, "laptop")
        with pytest.raises(NotAuthorized):
            while True:
                async with Server(url, Secret(token)).connected():
                    await asyncio.sleep(0.05)

    with served(ReplicaSettings("stand-in", tokens=tokens), load_stand_in, layer) as url:
        run(test, url)


def test_one_token_has_a_bounded_number_of_connections(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    limits = Limits(requests=1)
    greedy, _ = add_token(tokens, "greedy", limits)
    other, _ = add_token(tokens, "other", limits)

    async def test(url: str) -> None:
        async with AsyncExitStack() as stack:
            for _ in range(limits.requests + SPARE_CONNECTIONS):
                await stack.enter_async_context(connected(url, greedy))
            with pytest.raises(QueueFull):
                async with Server(url, Secret(greedy)).connected():
                    pass
            await answers(url, other)
        await answers(url, greedy)

    with served(
        ReplicaSettings("stand-in", tokens=tokens),
        load_stand_in,
        lambda application: Gate(application, tokens),
    ) as url:
        run(test, url)


def test_a_gate_without_its_file_leaves_the_check_to_the_replicas(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    token, _ = add_token(tokens, "laptop", Limits())

    async def test(url: str) -> None:
        with pytest.raises(NotAuthorized):
            async with Server(url, None).connected():
                pass
        await answers(url, token)

    with served(
        ReplicaSettings("stand-in", tokens=tokens),
        load_stand_in,
        lambda application: Gate(application, tmp_path / "nowhere.json"),
    ) as url:
        run(test, url)
