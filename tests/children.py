"""Code for child processes of the tests. It imports no pytest, so that they start quickly."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from typing import Any

from bridge.process.child import Line
from bridge.process.kept import Stop


class Poison:
    """Cannot be unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("no number",)


def echo(line: Line, *arguments: object) -> None:
    """Send the arguments, then each message that comes; end at None."""
    line.send(arguments)
    while (message := line.receive()) is not None:
        line.send(message)


def ends_with(line: Line, status: int) -> None:
    """Send a thousand messages, and end with that status."""
    for number in range(1000):
        line.send(number)
    os._exit(status)


def poisons(line: Line) -> None:
    line.send(Poison())
    threading.Event().wait()


def deaf(line: Line) -> None:
    """Send one message, and never read."""
    line.send("here")
    threading.Event().wait()


def computes(line: Line) -> None:
    """Compute in Python without end, with a heartbeat."""
    count = 0

    def status() -> int:
        return count

    line.start_heartbeat(status)
    while True:
        count += 1


def holds_the_lock(line: Line) -> None:
    """Wait in C without releasing the GIL, so that no other thread runs."""
    line.send("here")
    ctypes.PyDLL(None).pause()


def steps(line: Line, name: str) -> None:
    """Send the name, and step on until `Stop` comes."""
    seconds = time.perf_counter()
    line.start_heartbeat(lambda: seconds)
    line.send(name)
    while not isinstance(line.receive(0.05), Stop):
        seconds = time.perf_counter()
    line.send("stopped")


def is_blocked(line: Line) -> None:
    """Send heartbeats, but make no step."""
    seconds = time.perf_counter()
    line.start_heartbeat(lambda: seconds)
    threading.Event().wait()
