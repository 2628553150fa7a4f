"""A real engine is killed while it generates: the errors, what survives, and no process is left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bridge.engine import Request, load
from bridge.engine.process.worker import run_engine
from bridge.errors import EngineDied
from tests.engine.recorder import PATIENCE_SECONDS, Recorder, supervised
from tests.processes import has_ended, stop, watched

if sys.platform != "linux":
    pytest.skip("needs Linux to watch processes", allow_module_level=True)

KILLS = int(os.environ.get("MELODY_BRIDGE_KILLS", "3"))
"""How often the engine is killed; `make soak` sets more."""
SOON_SECONDS = 5.0
"""Five times the one second in which a request must report its end."""
LONG = Request(prompt="warm", seconds=30.0)
SHORT = Request(prompt="warm rhodes", seconds=0.3, seed=7)


def reached(recorder: Recorder, share: float) -> bool:
    return bool(recorder.shares) and recorder.shares[-1] > share


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many threads as the engine of this process has, so that sums round alike."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_a_kill_fails_only_the_running_request(model: Path) -> None:
    (expected,) = load(model, device="cpu").generate(SHORT)

    async def main() -> None:
        async with supervised(run_engine, model=str(model)) as (supervisor, recorder):
            # Each kill comes a little later in the request, from the first step on.
            for share in np.arange(KILLS) / KILLS / 5:
                recorder.shares.clear()
                running = supervisor.submit(LONG, recorder.share)
                waiting = supervisor.submit(SHORT)
                await recorder.until(partial(reached, recorder, share))
                assert supervisor.pid is not None
                with watched(supervisor.pid) as process:
                    os.kill(supervisor.pid, signal.SIGKILL)
                    killed = time.perf_counter()
                    with pytest.raises(EngineDied, match="SIGKILL"):
                        await running.result()
                    assert time.perf_counter() - killed < SOON_SECONDS
                    assert has_ended(process, SOON_SECONDS)
                (waveform,) = (await waiting.result()).waveforms
                assert np.array_equal(waveform.samples, expected.samples)
            assert recorder.names == ["loading", *["busy", "restarting", "busy", "ready"] * KILLS]

    asyncio.run(main())


def starting(daemon: subprocess.Popen[str], engine: int) -> None:
    """The engine's process has just started."""


def importing(daemon: subprocess.Popen[str], engine: int) -> None:
    """The engine loads torch's libraries."""
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while "libtorch" not in Path(f"/proc/{engine}/maps").read_text():
        assert time.perf_counter() < deadline


def generating(daemon: subprocess.Popen[str], engine: int) -> None:
    """The engine is in the middle of a request."""
    assert daemon.stdout is not None
    assert daemon.stdout.readline() == "generating\n"


def stopped(daemon: subprocess.Popen[str], engine: int) -> None:
    """The engine was stopped while it loaded, and cannot act by itself."""
    importing(daemon, engine)
    stop(engine)


@pytest.mark.parametrize(
    "moment", [starting, importing, generating, stopped], ids=lambda moment: moment.__name__
)
def test_no_engine_outlives_a_killed_daemon(model: Path, moment: object) -> None:
    assert callable(moment)
    with daemon(model) as (process, pid), watched(pid) as engine:
        moment(process, pid)
        assert not has_ended(engine, 0)
        process.kill()
        assert has_ended(engine, PATIENCE_SECONDS)


@contextmanager
def daemon(model: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A daemon process with an engine, and the engine's process number."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.engine.process.parent", str(model)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()
