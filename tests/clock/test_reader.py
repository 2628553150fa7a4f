"""The process that reads a source: what it says is missing, and what happens when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from bridge.clock.reader import ReadSource
from tests.clock.observed_reader import observed_reader
from tests.peers.jack import JackServer
from tests.peers.transport import leading
from tests.processes import KILL


@pytest.mark.parametrize("source", ["link", "jack"])
def test_a_missing_extra_is_named(
    source: ReadSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As an environment without the package: the child finds this in its place.
    (tmp_path / f"{source}.py").write_text(f"raise ImportError('No module named {source}')\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    async def names() -> str:
        async with observed_reader(source) as observed:
            state = await observed.state(lambda state: "extra" in state.detail, "missing extra")
            return state.detail

    assert f"pip install 'melody-bridge[{source}]'" in asyncio.run(names())


def test_a_reader_that_dies_or_hangs_is_replaced(
    jack_server: JackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform == "win32":
        pytest.skip("no SIGSTOP")
    monkeypatch.setattr("bridge.clock.reader.QUIET_SECONDS", 3.0)
    faults = (KILL, signal.SIGSTOP)

    async def replaced() -> None:
        async with observed_reader("jack") as observed:
            pids: list[int] = []
            for fault in (*faults, None):
                await observed.more(1)
                pid = observed.reader.pid
                assert pid is not None
                assert pid not in pids
                pids.append(pid)
                if fault is not None:
                    os.kill(pid, fault)
                    await observed.until(lambda: observed.reader.pid != pids[-1], "its end")
            assert any("started again" in state.detail for state in observed.states)

    with leading(120.0):
        asyncio.run(replaced())


def test_no_process_is_left_when_reading_stops(jack_server: JackServer) -> None:
    async def stops() -> int | None:
        with leading(120.0):
            async with observed_reader("jack") as observed:
                await observed.more(1)
                pid = observed.reader.pid
        assert observed.reader.pid is None
        return pid

    pid = asyncio.run(stops())
    assert pid is not None
    assert not Path(f"/proc/{pid}").exists()
