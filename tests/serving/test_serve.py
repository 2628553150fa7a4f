"""`melody-bridge serve` from its start to its end, on real processes of Ray."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bridge.config.engine_token import Secret
from bridge.engine import load
from bridge.serving.limits import Limits
from bridge.serving.token_changes import add_token
from tests.processes import KILL
from tests.serving.certificates import certificate
from tests.serving.ray_server import PATIENCE_SECONDS, PIECE, RayServer, ray_server, run
from tests.serving.served import remote_engine


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
                assert engine.facts is not None and engine.facts.model_name == name

    with ray_server(tmp_path, "--model", "pocket", "--model", str(model)) as server:
        run(lambda: test(server))
        assert server.end(signal.SIGTERM) == 0


@pytest.mark.slow
@pytest.mark.exclusive
def test_tls_with_an_own_certificate(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = tmp_path / "tokens.json"
    laptop, _ = add_token(tokens, "laptop", Limits())
    crt, key = certificate(tmp_path, "localhost")
    expected = load(str(model), device="cpu").generate(PIECE)[0].samples.tobytes()

    async def test(port: int | None) -> None:
        token = Secret(laptop)
        url = f"https://localhost:{port}"
        async with remote_engine(url, token=token) as (engine, recorder):
            await recorder.until(lambda: engine.state == "failed")
            assert "does not trust" in str(engine.failure)
        monkeypatch.setenv("SSL_CERT_FILE", str(crt))
        async with remote_engine(url, token=token) as (engine, _):
            result = await engine.submit(PIECE).result()
            assert result.waveforms[0].samples.tobytes() == expected
        async with AsyncExitStack() as stack:
            # Half-open: a handshake that ends in its middle.
            for _ in range(100):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                stack.callback(writer.close)
                writer.write(b"\x16\x03\x01")
            async with remote_engine(url, token=token) as (engine, _):
                await engine.submit(PIECE).result()

    files = ("--tls-certificate", str(crt), "--tls-key", str(key), "--tokens", str(tokens))
    with ray_server(tmp_path, "--model", str(model), *files) as server:
        assert server.url.startswith("https://127.0.0.1:")
        run(lambda: test(urlsplit(server.url).port))
        assert server.end() == 0


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
