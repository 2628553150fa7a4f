"""Start and end the processes that play a peer: each is a module of `tests.peers`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE_SECONDS = 10.0
"""A peer that has not ended by itself after this time is killed."""


class Program:
    """A running peer that says `ready`, then reads a command a line and may answer with a line.

    Attributes:
        process: the process itself.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        """Start the module, and wait until it is ready."""
        self.process = start(module, *arguments)
        try:
            line = self.line()
            assert line == "ready", f"{module} says {line!r}"
        except BaseException:
            close(self.process)
            raise

    def send(self, *words: object) -> None:
        """Send a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def ask(self, *words: object) -> list[str]:
        """Send a command, and return the words of its answer."""
        self.send(*words)
        return self.line().split()

    def line(self) -> str:
        """The next line that the peer writes, without its end; empty when the peer has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def end(self) -> None:
        """End the process as a user does; do nothing if it has ended."""
        assert self.process.stdin is not None
        # A JACK client that is killed makes the server miss a period.
        self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE_SECONDS)
        close(self.process)

    def kill(self) -> None:
        """Kill the process, as a device that is unplugged; do nothing if it has ended."""
        close(self.process)


@contextmanager
def program(module: str, *arguments: str) -> Iterator[Program]:
    """Run a peer; it ends with the block."""
    peer = Program(module, *arguments)
    try:
        yield peer
    finally:
        peer.end()


def start(module: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a module as a process with pipes to its stdin and stdout."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def close(process: subprocess.Popen[str]) -> None:
    """Kill a process, and free its pipes."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None and not stream.closed:
            stream.close()
