"""Real OSC programs as clients: liblo's oscsend and oscdump, and Pd with its floats."""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.commands import Command, Ping, Subscribe, Transport, Unsubscribe
from bridge.control.packets import Argument
from tests.control.events import ONE_OF_EACH
from tests.control.peers import PATIENCE_SECONDS, Served
from tests.control.test_addresses import COMMANDS

ENDS_HERE = (Subscribe, Unsubscribe, Ping)
"""What the endpoint sees to itself."""
SAID = [one for one in COMMANDS if not isinstance(one[2], ENDS_HERE)]
EXPECTED = [command for _, _, command in SAID]

PATCH = """#N canvas 0 0 450 300 12;
#X obj 10 10 r connect;
#X obj 10 40 r address;
#X obj 10 70 r arguments;
#X obj 10 100 oscformat;
#X obj 10 130 list prepend send;
#X obj 10 160 list trim;
#X obj 10 190 netsend -u -b;
#X connect 0 0 6 0;
#X connect 1 0 3 0;
#X connect 2 0 3 0;
#X connect 3 0 4 0;
#X connect 4 0 5 0;
#X connect 5 0 6 0;
"""


SHOWN = {"i": "{}", "f": "{:f}", "s": '"{}"'}
"""How oscdump prints a value of each type."""


def type_tags(values: Sequence[object]) -> str:
    tags: dict[type, str] = {int: "i", float: "f", str: "s"}
    return "".join(tags[type(value)] for value in values)


def test_every_command_is_understood_from_oscsend(require_program: Callable[[str], str]) -> None:
    oscsend = require_program("oscsend")
    with Served() as served:
        for address, arguments, _ in SAID:
            said = [address, *([type_tags(arguments)] if arguments else []), *map(str, arguments)]
            subprocess.run(
                [oscsend, "127.0.0.1", str(served.port), *said],
                check=True,
                timeout=PATIENCE_SECONDS,
            )
        assert without_time(served.heard(len(SAID))) == without_time(EXPECTED)


def test_every_command_is_understood_from_pd_which_sends_floats_only(
    require_program: Callable[[str], str], tmp_path: Path
) -> None:
    patch = tmp_path / "client.pd"
    patch.write_text(PATCH, encoding="ascii")
    with Served() as served:
        say = [f"connect connect 127.0.0.1 {served.port}"]
        for address, arguments, _ in SAID:
            say.append(f"address set {address.strip('/').replace('/', ' ')}")
            say.append(f"arguments list {' '.join(map(for_pd, arguments))}")
        say.append("pd quit")
        options = [option for one in say for option in ("-send", one)]
        subprocess.run(
            [require_program("pd"), "-nogui", "-noaudio", "-nomidi", "-noprefs", *options, patch],
            check=True,
            timeout=PATIENCE_SECONDS,
        )
        assert without_time(served.heard(len(SAID))) == without_time(EXPECTED)


def for_pd(argument: Argument) -> str:
    """As Pd's messages are written, where blanks and commas would divide them."""
    return re.sub(r"([ ,;$\\])", r"\\\1", str(argument))


def without_time(commands: list[Command]) -> list[Command]:
    return [
        replace(one, received_seconds=0.0) if isinstance(one, Transport) else one
        for one in commands
    ]


def test_the_time_of_a_command_is_the_systems_monotonic_clock(
    require_program: Callable[[str], str],
) -> None:
    oscsend = require_program("oscsend")
    with Served() as served:
        before = time.perf_counter()
        said = ["/bridge/transport", "fiiii", "120", "0", "1", "4", "4"]
        subprocess.run([oscsend, "127.0.0.1", str(served.port), *said], check=True)
        (command,) = served.heard(1)
        assert isinstance(command, Transport)
        assert before < command.received_seconds < time.perf_counter()


@contextlib.contextmanager
def oscdump(program: str, served: Served) -> Iterator[Callable[[], str]]:
    """oscdump as a subscriber; gives the next line that it prints, once it was seen to listen."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listener = subprocess.Popen([program, "-L", str(port)], stdout=subprocess.PIPE, bufsize=0)
    assert listener.stdout is not None
    lines = Lines(listener.stdout.fileno())
    try:
        give_up = time.monotonic() + PATIENCE_SECONDS
        first = None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knocks:
            subscribe = b"/bridge/subscribe\0\0\0,i\0\0" + port.to_bytes(4)
            while first is None and time.monotonic() < give_up:
                # What is sent before it listens is lost, so it is sent again.
                knocks.sendto(subscribe, ("127.0.0.1", served.port))
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
    """A pipe by lines, with a time limit."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._read = descriptor, b""

    def next(self, timeout_seconds: float) -> str | None:
        """The next line; None when none came in time."""
        while b"\n" not in self._read:
            if not select.select([self._descriptor], [], [], timeout_seconds)[0]:
                return None
            self._read += os.read(self._descriptor, 65_536)
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are read with a time limit")
def test_every_event_reads_the_same_in_oscdump(require_program: Callable[[str], str]) -> None:
    with Served() as served, oscdump(require_program("oscdump"), served) as next_line:
        for event, (address, *values) in ONE_OF_EACH[1:]:
            served.send(event)
            types = type_tags(values)
            shown = " ".join(SHOWN[tag].format(one) for tag, one in zip(types, values, strict=True))
            _, line = next_line().split(" ", 1)
            assert line == f"{address} {types} {shown}"
