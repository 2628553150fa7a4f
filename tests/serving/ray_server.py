"""`melody-bridge serve` in processes of its own, as a user starts it: all on Ray."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.engine import Request
from tests.peers.daemon import alive, descendants
from tests.processes import has_ended, watched
from tests.serving.served import free_port

MELODY = np.eye(12, dtype=np.float32)[[0, 4, 7, 11, 0, 2, 2, 9]]
PIECE = Request(prompt="warm keys", melody=MELODY, seconds=8.0, seed=7)
PATIENCE_SECONDS = 240.0
"""Ray takes half a minute to start, and a replica as long to load, on a busy machine."""


def _require_linux() -> None:
    if sys.platform != "linux":
        pytest.skip("needs Linux to find processes")


class RayServer:
    """A server that runs.

    Attributes:
        process: the command itself.
        urls: the address of each model.
        errors: the lines on its stderr so far.
    """

    def __init__(self, home: Path, *arguments: str) -> None:
        """Start it; `wait` waits until it serves."""
        pytest.importorskip("ray.serve", reason="needs the extra `ray`")
        _require_linux()
        self.urls: dict[str, str] = {}
        self.errors: list[str] = []
        port = str(asyncio.run(free_port()))
        command = [sys.executable, "-m", "bridge", "serve", "--json", "--device", "cpu"]
        self.process = subprocess.Popen(
            [*command, "--port", port, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "HOME": str(home), "OMP_NUM_THREADS": "1"},
        )
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="stderr of the server")
        self._reader.start()

    def wait(self) -> None:
        """Wait until it serves."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors
        self.urls = json.loads(line)["engines"]

    def until_says(self, beginning: str) -> None:
        """Wait for a line on stderr that begins so."""

        def is_said() -> bool:
            return any(line.startswith(beginning) for line in self.errors)

        with self._news:
            assert self._news.wait_for(is_said, PATIENCE_SECONDS), self.errors

    @property
    def url(self) -> str:
        """The address of its only model."""
        (url,) = self.urls.values()
        return url

    def processes(self, name: str) -> dict[int, int]:
        """The processor time of each process of a name, in the system's ticks, by its number."""
        found = {}
        for pid in descendants(self.process.pid):
            try:
                if name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    # The process's name may hold spaces and brackets.
                    found[pid] = int(
                        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]
                    )
            except OSError:
                continue
        return found

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """End it by a signal, and return its status once none of its processes is left."""
        with ExitStack() as stack:
            handles = {}
            for pid in descendants(self.process.pid):
                if alive(pid):
                    handles[pid] = stack.enter_context(watched(pid))
            self.process.send_signal(number)
            status = self.process.wait(PATIENCE_SECONDS)
            left = [pid for pid, each in handles.items() if not has_ended(each, PATIENCE_SECONDS)]
            assert not left
        self._reader.join()
        return status

    def close(self) -> None:
        """End it, whatever state it is in."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                with self._news:
                    self.errors.append(line.rstrip("\n"))
                    self._news.notify_all()


@contextmanager
def ray_server(home: Path, *arguments: str) -> Iterator[RayServer]:
    """A server, which ends with the block."""
    server = RayServer(home, *arguments)
    try:
        server.wait()
        yield server
    finally:
        server.close()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test for a limited time."""
    asyncio.run(asyncio.wait_for(test(), PATIENCE_SECONDS))
