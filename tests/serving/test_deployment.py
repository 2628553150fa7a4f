"""`melody-bridge serve` on real processes of Ray: replicas, limits, and what is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.config.engine_token import Secret
from bridge.engine import Request, load
from bridge.engine.process.wire import ChunkMade, Failed, Generate
from bridge.errors import BadArgument, LimitReached
from bridge.serving.application import ReplicaSettings
from bridge.serving.deployment import EngineDeployment
from bridge.serving.limits import Limits
from bridge.serving.token_changes import add_token
from tests.processes import KILL, has_ended, watched
from tests.serving.client import connected
from tests.serving.ray_server import PATIENCE_SECONDS, RayServer, ray_server
from tests.serving.served import remote_engine

MELODY = np.eye(12, dtype=np.float32)[[0, 4, 7, 11, 0, 2, 2, 9]]
PIECE = Request(prompt="warm keys", melody=MELODY, seconds=8.0, seed=7)
LONG = Request(prompt="warm keys", seconds=600.0)
REQUESTS = 2
"""Requests at a time that the token may have."""


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A file of tokens, and the token in it."""
    path = tmp_path_factory.mktemp("tokens") / "tokens.json"
    limits = Limits(requests=REQUESTS, seconds_a_minute=100_000)
    return path, add_token(path, "laptop", limits)[0]


@pytest.fixture(scope="module")
def server(
    token_file: tuple[Path, str], model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RayServer]:
    """Two replicas of a tiny model, which ask for the token; at the end nothing of them is left."""
    home = tmp_path_factory.mktemp("home")
    arguments = ("--model", str(model), "--replicas", "2", "--tokens", str(token_file[0]))
    with ray_server(home, *arguments) as server:
        assert server.errors[0] == "starting Ray"
        assert server.errors[-1] == f"loading {model}: 2 of 2 replicas"
        said = len(server.errors)
        yield server
        assert server.end() == 0
        assert server.errors[said:] == ["letting requests end; Ctrl-C again ends them"]
        assert not (home / ".ray").exists(), "a token of Ray is left in the home folder"


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test for a limited time."""
    asyncio.run(asyncio.wait_for(test(), PATIENCE_SECONDS))


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
    server: RayServer, token_file: tuple[Path, str]
) -> None:
    async def test() -> None:
        async with AsyncExitStack() as stack:
            # Ray sends a connection to the replica with fewer of them.
            asked = [await admitted(stack, server.url, token_file[1]) for _ in range(5)]
            assert asked == [True, True, False, False, False]
            (ledger,) = server.processes("ray::Ledger")
            with watched(ledger) as handle:
                os.kill(ledger, KILL)
                assert has_ended(handle, PATIENCE_SECONDS)
            for _ in range(4 * REQUESTS):
                if alone := await admitted(stack, server.url, token_file[1]):
                    break
            assert alone, "each replica may admit as many alone, and no more were admitted"
        while not server.processes("ray::Ledger"):
            await asyncio.sleep(0.1)
        asked = []
        while asked != [True, True, False, False, False]:
            async with AsyncExitStack() as stack:
                asked = [await admitted(stack, server.url, token_file[1]) for _ in range(5)]

    run(test)


@pytest.mark.exclusive
def test_clips_stream_on_while_the_controller_of_serve_is_killed(
    server: RayServer, token_file: tuple[Path, str], model: Path
) -> None:
    expected = load(str(model), device="cpu").generate(PIECE)[0].samples.tobytes()

    async def test() -> None:
        token = Secret(token_file[1])
        async with connected(server.url, token_file[1]) as streaming:
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


@pytest.mark.slow
@pytest.mark.exclusive
def test_a_clip_is_the_local_one_though_its_replica_is_killed(tmp_path: Path) -> None:
    expected = load("pocket", device="cpu").generate(PIECE)[0].samples.tobytes()

    async def test(server: RayServer) -> None:
        async with remote_engine(server.url) as (engine, recorder):
            await recorder.until(lambda: engine.state == "ready", PATIENCE_SECONDS)
            result = await engine.submit(PIECE).result()
            assert result.waveforms[0].samples.tobytes() == expected
            before = server.processes("ServeReplica")
            assert len(before) == 2
            job = engine.submit(PIECE)
            await job.beginning(32000)
            now = server.processes("ServeReplica")
            os.kill(max(now, key=lambda pid: now[pid] - before[pid]), KILL)
            result = await job.result()
            assert result.waveforms[0].samples.tobytes() == expected

    with ray_server(tmp_path, "--replicas", "2") as server:
        run(lambda: test(server))
        assert server.end() == 0


@pytest.mark.slow
@pytest.mark.exclusive
def test_two_models_are_served_at_their_names(tmp_path: Path, model: Path) -> None:
    async def test(server: RayServer) -> None:
        assert [url.rpartition("/")[2] for url in server.urls.values()] == ["pocket", model.name]
        for name, url in server.urls.items():
            expected = load(name, device="cpu").generate(PIECE)[0].samples.tobytes()
            async with remote_engine(url) as (engine, _):
                result = await engine.submit(PIECE).result()
                assert result.waveforms[0].samples.tobytes() == expected
                assert engine.facts is not None and engine.facts.model == name

    with ray_server(tmp_path, "--model", "pocket", "--model", str(model)) as server:
        run(lambda: test(server))
        assert server.end(signal.SIGTERM) == 0


@pytest.mark.slow
@pytest.mark.exclusive
@pytest.mark.parametrize("doing", ["starting Ray", "starting Ray Serve", "loading"])
def test_ctrl_c_during_the_start_leaves_nothing(tmp_path: Path, doing: str) -> None:
    server = RayServer(tmp_path)
    try:
        server.until_says(doing)
        assert server.end() == 130
        assert server.errors[-1] == "stopping"
    finally:
        server.close()


def test_the_arguments_of_a_config_file_are_checked() -> None:
    engine = EngineDeployment.from_arguments({"device": "cpu", "replicas": "auto", "gpus": 0.5})
    assert engine == EngineDeployment(ReplicaSettings("pocket", "cpu"), "auto", 0.5)
    wrong: tuple[dict[str, Any], ...] = (
        {"modle": "pocket"},
        {"replicas": 0},
        {"replicas": 1.5},
        {"gpus": -1},
        {"insecure": "no"},
    )
    for each in wrong:
        with pytest.raises(BadArgument):
            EngineDeployment.from_arguments(each)
