"""`melody-bridge serve` on real processes of Ray: limits, crowds, and what is killed."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from bridge.config.engine_token import Secret
from bridge.engine import Request, load
from bridge.engine.process.wire import ChunkMade, Failed, Generate
from bridge.errors import BadArgument, LimitReached
from bridge.serving.application import ReplicaSettings
from bridge.serving.deployment import EngineDeployment
from bridge.serving.limits import Limits
from bridge.serving.token_changes import add_token
from tests.peers.daemon import memory_bytes
from tests.processes import KILL, has_ended, most_files, watched
from tests.serving.client import connected
from tests.serving.ray_server import PATIENCE_SECONDS, PIECE, RayServer, ray_server, run
from tests.serving.served import remote_engine

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: engine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
LONG = Request(prompt="warm keys", seconds=600.0)
REQUESTS = 2
"""Requests at a time that the token may have."""


class Tokens(NamedTuple):
    """A file of two tokens, and what it knows only the hashes of."""

    path: Path
    laptop: str
    crowd: str


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    path = tmp_path_factory.mktemp("tokens") / "tokens.json"
    limits = Limits(requests=REQUESTS, seconds_a_minute=100_000)
    return Tokens(path, *(add_token(path, name, limits)[0] for name in ("laptop", "crowd")))


@pytest.fixture(scope="module")
def server(
    tokens: Tokens, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RayServer]:
    """Two replicas of a tiny model, which ask for the token; at the end nothing of them is left."""
    home = tmp_path_factory.mktemp("home")
    arguments = ("--model", str(model), "--replicas", "2", "--tokens", str(tokens.path))
    with ray_server(home, *arguments) as server:
        server.until_says(f"loading {model}: 2 of 2 replicas")
        assert server.errors[0] == "starting Ray"
        yield server
        assert server.end() == 0
        assert server.errors[-1] == "letting requests end; Ctrl-C again ends them"
        assert not (home / ".ray").exists(), "a token of Ray is left in the home folder"


async def admitted(stack: AsyncExitStack, url: str, token: str) -> bool:
    """Open a connection with a long request; whether it is admitted."""
    client = await stack.enter_async_context(connected(url, token))
    await client.send(Generate(LONG, "test"))
    # The first answer of a request is a refusal or a sign of life.
    message = await client.next()
    if isinstance(message, Failed):
        assert isinstance(message.error, LimitReached), message.error
        return False
    return True


@pytest.mark.exclusive
def test_two_replicas_count_a_tokens_requests_together_and_alone_without_the_ledger(
    server: RayServer, tokens: Tokens
) -> None:
    async def test() -> None:
        async with AsyncExitStack() as stack:
            # Ray sends a connection to the replica with fewer of them.
            asked = [await admitted(stack, server.url, tokens.laptop) for _ in range(5)]
            assert asked == [True, True, False, False, False]
            (ledger,) = server.processes("ray::Ledger")
            with watched(ledger) as handle:
                os.kill(ledger, KILL)
                assert has_ended(handle, PATIENCE_SECONDS)
            for _ in range(4 * REQUESTS):
                if alone := await admitted(stack, server.url, tokens.laptop):
                    break
            assert alone, "each replica may admit as many alone, and no more were admitted"
        while not server.processes("ray::Ledger"):
            await asyncio.sleep(0.1)
        asked = []
        while asked != [True, True, False, False, False]:
            async with AsyncExitStack() as stack:
                asked = [await admitted(stack, server.url, tokens.laptop) for _ in range(5)]

    run(test)


@pytest.mark.exclusive
def test_clips_stream_on_while_the_controller_of_serve_is_killed(
    server: RayServer, tokens: Tokens, model: Path
) -> None:
    expected = load(str(model), device="cpu").generate(PIECE)[0].samples.tobytes()

    async def test() -> None:
        token = Secret(tokens.laptop)
        async with connected(server.url, tokens.laptop) as streaming:
            await streaming.send(Generate(LONG, "test"))
            assert isinstance(await streaming.chunk(), ChunkMade)
            (controller,) = server.processes("ray::ServeController")
            with watched(controller) as handle:
                os.kill(controller, KILL)
                assert has_ended(handle, PATIENCE_SECONDS)
            assert isinstance(await streaming.chunk(), ChunkMade)
            async with remote_engine(server.url, token=token) as (engine, _):
                result = await engine.submit(PIECE).result()
                assert result.waveforms[0].samples.tobytes() == expected
            assert isinstance(await streaming.chunk(), ChunkMade)
        while controller in (now := server.processes("ray::ServeController")) or not now:
            await asyncio.sleep(0.1)

    run(test)


@pytest.mark.exclusive
@pytest.mark.parametrize("size", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_crowd_keeps_nobody_out(
    server: RayServer, tokens: Tokens, model: Path, size: int
) -> None:
    expected = load(str(model), device="cpu").generate(PIECE)[0].samples.tobytes()
    begun = (
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost: engine\r\n",
        UPGRADE + b"\r\n",
        UPGRADE + b"Authorization: Bearer " + tokens.crowd.encode() + b"\r\n\r\n",
    )

    def memory() -> int:
        found = [*server.processes("ray::ProxyActor"), *server.processes("ServeReplica")]
        return sum(memory_bytes(pid) for pid in found)

    async def test() -> None:
        address = urlsplit(server.url)
        statuses: Counter[bytes] = Counter()

        async def last_words(reader: asyncio.StreamReader) -> None:
            """Read until the server closes the connection."""
            with suppress(ConnectionError):
                statuses[(await reader.read())[9:12]] += 1

        before = memory()
        async with AsyncExitStack() as stack:
            ends = []
            for number in range(size):
                reader, writer = await asyncio.open_connection(address.hostname, address.port)
                stack.callback(writer.close)
                writer.write(begun[number % len(begun)])
                ends.append(asyncio.create_task(last_words(reader)))
            async with remote_engine(server.url, token=Secret(tokens.laptop)) as (engine, _):
                result = await engine.submit(PIECE).result()
                assert result.waveforms[0].samples.tobytes() == expected
            assert memory() - before < 2**27 + size * 2**16
            await asyncio.gather(*ends)
        # A stranger, and a token with too many connections; the others were never answered.
        assert statuses[b"403"] == size // len(begun)
        assert statuses[b"503"] > 0
        assert statuses[b"101"] + statuses[b"503"] == size // len(begun)

    with most_files():
        run(test)


def test_the_arguments_of_a_config_file_are_checked() -> None:
    engine = EngineDeployment.from_arguments({"device": "cpu", "replicas": "auto", "gpus": 0.5})
    assert engine == EngineDeployment(ReplicaSettings("pocket", "cpu"), "auto", 0.5)
    rounded = EngineDeployment.from_arguments({"precision": "int8"})
    assert rounded.replica.precision == "int8"
    assert engine.threads == 1
    assert EngineDeployment.from_arguments({"threads": 4}).threads == 4
    assert EngineDeployment.from_arguments({"threads": "auto"}).threads is None
    wrong: tuple[dict[str, Any], ...] = (
        {"modle": "pocket"},
        {"precision": "int4"},
        {"replicas": 0},
        {"replicas": 1.5},
        {"gpus": -1},
        {"threads": 0},
        {"insecure": "no"},
    )
    for each in wrong:
        with pytest.raises(BadArgument):
            EngineDeployment.from_arguments(each)
