"""Config files of Serve on real processes of Ray: refused where they expose, and updated."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from bridge.config.engine_token import Secret
from bridge.engine import Request, load
from bridge.serving.limits import Limits
from bridge.serving.token_changes import add_token
from tests.serving.ray_server import PATIENCE_SECONDS
from tests.serving.served import free_port, remote_engine

PIECE = Request(prompt="warm keys", seconds=2.0, seed=7)


class Deployments:
    """Config files that are deployed one after the other, on one Ray."""

    def __init__(self, folder: Path) -> None:
        pytest.importorskip("ray.serve", reason="needs the extra `ray`")
        self._folder = folder
        self.port = asyncio.run(free_port())
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.serving.deploy"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "HOME": str(folder), "OMP_NUM_THREADS": "1"},
        )

    def deploy(self, host: str, **arguments: Any) -> tuple[str, str]:
        """The status and the message that an engine's file leads to."""
        file = self._folder / "serve.yaml"
        application = {
            "name": "engine",
            "route_prefix": "/",
            "import_path": "bridge.serving.deployment:application",
            "args": {"device": "cpu", **arguments},
        }
        content = {
            "proxy_location": "HeadOnly",
            "http_options": {"host": host, "port": self.port},
            "applications": [application],
        }
        file.write_text(yaml.safe_dump(content))
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{file}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["status"], answer["message"]

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_SECONDS)
        self._process.stdout.close()


@pytest.fixture
def deployments(tmp_path: Path) -> Iterator[Deployments]:
    deployments = Deployments(tmp_path)
    yield deployments
    deployments.close()


@pytest.mark.exclusive
def test_a_file_that_exposes_the_engine_does_not_start(
    deployments: Deployments, model: Path, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.json"
    token, _ = add_token(tokens, "laptop", Limits())
    for arguments, reason in (
        ({"insecure": True}, "needs tokens: make a file"),
        ({"tokens": str(tokens)}, "needs TLS: give ssl_certfile"),
    ):
        status, message = deployments.deploy("0.0.0.0", model=str(model), **arguments)
        assert status == "DEPLOY_FAILED"
        assert "http_options: host '0.0.0.0' can be reached from other machines" in message
        assert reason in message
    status, _ = deployments.deploy("0.0.0.0", model=str(model), tokens=str(tokens), insecure=True)
    assert status == "RUNNING"

    async def test() -> None:
        url = f"http://127.0.0.1:{deployments.port}"
        async with remote_engine(url, token=Secret(token)) as (engine, _):
            await engine.submit(PIECE).result()

    asyncio.run(asyncio.wait_for(test(), PATIENCE_SECONDS))


@pytest.mark.slow
@pytest.mark.exclusive
def test_no_request_is_lost_while_a_model_is_replaced(
    deployments: Deployments, model: Path, tmp_path: Path
) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(model, newer)
    expected = load(str(model), device="cpu").generate(PIECE)[0].samples
    url = f"http://127.0.0.1:{deployments.port}"

    async def ask(replaced: asyncio.Event) -> set[str]:
        """Ask for one piece after the other; the models that made them."""
        makers: set[str] = set()
        async with remote_engine(url) as (engine, _):
            while not (replaced.is_set() and str(newer) in makers):
                result = await engine.submit(PIECE).result()
                assert np.array_equal(result.waveforms[0].samples, expected)
                assert engine.facts is not None
                makers.add(engine.facts.model_name)
        return makers

    async def test() -> None:
        replaced = asyncio.Event()
        asking = [asyncio.create_task(ask(replaced)) for _ in range(3)]
        status, message = await asyncio.to_thread(
            deployments.deploy, "127.0.0.1", model=str(newer), replicas=2
        )
        assert status == "RUNNING", message
        replaced.set()
        for makers in await asyncio.gather(*asking):
            assert str(newer) in makers

    status, message = deployments.deploy("127.0.0.1", model=str(model), replicas=2)
    assert status == "RUNNING", message
    asyncio.run(asyncio.wait_for(test(), 2 * PATIENCE_SECONDS))
