"""`melody-bridge serve` on real processes of Ray: replicas, and what happens when one is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bridge.engine import Request, load
from bridge.errors import BadArgument
from bridge.serving.application import ReplicaSettings
from bridge.serving.deployment import EngineDeployment
from tests.peers.daemon import descendants
from tests.processes import KILL
from tests.serving.served import free_port, remote_engine

MELODY = np.eye(12, dtype=np.float32)[[0, 4, 7, 11, 0, 2, 2, 9]]
PIECE = Request(prompt="warm keys", melody=MELODY, seconds=8.0, seed=7)
PATIENCE_SECONDS = 240.0
"""Ray takes half a minute to start, and a replica as long to load, on a busy machine."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Two replicas of pocket, and their address."""
    pytest.importorskip("ray.serve", reason="needs the extra `ray`")
    port = asyncio.run(free_port())
    command = [sys.executable, "-m", "bridge", "serve", "--replicas", "2", "--json"]
    process = subprocess.Popen(
        [*command, "--device", "cpu", "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        yield process, json.loads(line)["engines"]["pocket"]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def replicas(server: int) -> dict[int, int]:
    """The processor time of each replica of a server, in the system's ticks, by its process."""
    found = {}
    for pid in descendants(server):
        try:
            if b"ServeReplica" in Path(f"/proc/{pid}/cmdline").read_bytes():
                # The process's name may hold spaces and brackets.
                found[pid] = int(
                    Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]
                )
        except OSError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.exclusive
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux to find processes")
def test_a_clip_is_the_local_one_though_its_replica_is_killed(
    server: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    process, url = server
    expected = load("pocket", device="cpu").generate(PIECE)[0].samples.tobytes()

    async def main() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), remote_engine(url) as (engine, recorder):
            await recorder.until(lambda: engine.state == "ready", PATIENCE_SECONDS)
            result = await engine.submit(PIECE).result()
            assert result.waveforms[0].samples.tobytes() == expected
            before = replicas(process.pid)
            assert len(before) == 2
            job = engine.submit(PIECE)
            await job.beginning(32000)
            now = replicas(process.pid)
            os.kill(max(now, key=lambda pid: now[pid] - before[pid]), KILL)
            result = await job.result()
            assert result.waveforms[0].samples.tobytes() == expected

    asyncio.run(main())
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert replicas(process.pid) == {}
    assert not (tmp_path / ".ray").exists(), "a token of Ray is left in the home folder"


def test_the_arguments_of_a_config_file_are_checked() -> None:
    engine = EngineDeployment.from_arguments({"device": "cpu", "replicas": "auto", "gpus": 0.5})
    assert engine == EngineDeployment(ReplicaSettings("pocket", "cpu"), "auto", 0.5)
    rounded = EngineDeployment.from_arguments({"precision": "int8"})
    assert rounded.replica.precision == "int8"
    for wrong in (
        {"modle": "pocket"},
        {"precision": "int4"},
        {"replicas": 0},
        {"replicas": 1.5},
        {"gpus": -1},
    ):
        with pytest.raises(BadArgument):
            EngineDeployment.from_arguments(wrong)
