"""Real OSC programs as clients: liblo's oscsend and oscdump, and Pd with its floats."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.commands import Command, Ping, StartClock, Subscribe, Tap, Transport, Unsubscribe
from tests.control.events import ONE_OF_EACH
from tests.control.peers import PATIENCE_SECONDS, Served
from tests.control.test_addresses import COMMANDS
from tests.peers.osc_programs import send_by_oscsend, send_by_pd, type_tags

HANDLED_BY_ENDPOINT = (Subscribe, Unsubscribe, Ping)
"""Commands that the endpoint handles itself."""
SENT = [one for one in COMMANDS if not isinstance(one[2], HANDLED_BY_ENDPOINT)]
EXPECTED = [command for _, _, command in SENT]

PRINTED = {"i": "{}", "f": "{:f}", "s": '"{}"'}
"""How oscdump prints a value of each type."""


def test_every_command_is_understood_from_oscsend(require_program: Callable[[str], str]) -> None:
    oscsend = require_program("oscsend")
    with Served() as served:
        send_by_oscsend(oscsend, served.port, [one[:2] for one in SENT])
        assert without_time(served.received(len(SENT))) == without_time(EXPECTED)


def test_every_command_is_understood_from_pd_which_sends_floats_only(
    require_program: Callable[[str], str], tmp_path: Path
) -> None:
    pd = require_program("pd")
    with Served() as served:
        send_by_pd(pd, served.port, [one[:2] for one in SENT], tmp_path)
        assert without_time(served.received(len(SENT))) == without_time(EXPECTED)


def without_time(commands: list[Command]) -> list[Command]:
    return [
        replace(one, received_seconds=0.0) if isinstance(one, Transport | Tap | StartClock) else one
        for one in commands
    ]


def test_a_command_is_stamped_with_the_systems_monotonic_clock(
    require_program: Callable[[str], str],
) -> None:
    oscsend = require_program("oscsend")
    with Served() as served:
        before = time.perf_counter()
        words = ["/bridge/transport", "fiiii", "120", "0", "1", "4", "4"]
        subprocess.run([oscsend, "127.0.0.1", str(served.port), *words], check=True)
        (command,) = served.received(1)
        assert isinstance(command, Transport)
        assert before < command.received_seconds < time.perf_counter()


@contextlib.contextmanager
def oscdump(program: str, served: Served) -> Iterator[Callable[[], str]]:
    """Subscribe oscdump; yield a function that returns the next line that it prints."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listener = subprocess.Popen([program, "-L", str(port)], stdout=subprocess.PIPE, bufsize=0)
    assert listener.stdout is not None
    lines = Lines(listener.stdout.fileno())
    try:
        give_up = time.monotonic() + PATIENCE_SECONDS
        first = None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            subscribe = b"/bridge/subscribe\0\0\0,i\0\0" + port.to_bytes(4)
            while first is None and time.monotonic() < give_up:
                # Until oscdump listens, the hello is lost, so subscribe again.
                sender.sendto(subscribe, ("127.0.0.1", served.port))
                first = lines.next(0.1)
        assert first is not None and "/bridge/hello" in first

        def after_hello() -> str:
            while "/bridge/hello" in (line := lines.next(PATIENCE_SECONDS) or ""):
                pass
            return line

        yield after_hello
    finally:
        listener.kill()
        listener.wait()
        listener.stdout.close()


class Lines:
    """Reads lines from a pipe with a time limit."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._read = descriptor, b""

    def next(self, timeout_seconds: float) -> str | None:
        """Return the next line; None when none came in time."""
        while b"\n" not in self._read:
            if not select.select([self._descriptor], [], [], timeout_seconds)[0]:
                return None
            self._read += os.read(self._descriptor, 65_536)
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are read with a time limit")
def test_oscdump_prints_every_event_as_it_was_sent(require_program: Callable[[str], str]) -> None:
    with Served() as served, oscdump(require_program("oscdump"), served) as next_line:
        for event, (address, *values) in ONE_OF_EACH[1:]:
            served.send(event)
            types = type_tags(values)
            expected_values = " ".join(
                PRINTED[tag].format(one) for tag, one in zip(types, values, strict=True)
            )
            _, line = next_line().split(" ", 1)
            assert line == f"{address} {types} {expected_values}"
