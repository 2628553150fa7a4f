"""A client for the shell: sends one message to the daemon and shows its events until it is done."""

from __future__ import annotations

import argparse
import json
import math
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.config.flags import add_config_flag, add_flag, run_options
from bridge.control.packets import Argument, InvalidPacket, Uncut, read_packet, write_message
from bridge.errors import BadArgument, BridgeError

HELLO_SECONDS = 1.0
"""A daemon answers at once; a second is what OSC.md gives it."""
RENEW_SECONDS = 5.0
LOST_SECONDS = 3 * RENEW_SECONDS
"""Without a word for that long, the daemon is gone."""
HELLO, ERROR = "/bridge/hello", "/bridge/error"
NO_ID = "-"

WITHOUT_END = frozenset(
    f"/bridge/{name}"
    for name in (
        *("subscribe", "unsubscribe", "ping", "transport", "set", "panic", "stop"),
        "capture/notes",
    )
)
"""Messages that no `done` answers by itself. A ping sent after one comes back once it was read."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("address", metavar="ADDRESS", help="such as /bridge/generate")
    parser.add_argument(
        "arguments", nargs="*", metavar="ARGUMENT", help="an id first, where the address has one"
    )
    add_flag(parser, "osc_port")
    add_config_flag(parser)
    parser.add_argument("--json", action="store_true", help="print each event as a JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Send the message, and show what comes of it; the exit status.

    Raises:
        BadArgument, DaemonSilent: as `send`.
    """
    return send(
        arguments.address,
        read_arguments(arguments.address, arguments.arguments),
        port=run_options(arguments).osc_port,
        show=show_json if arguments.json else show_line,
    )


class DaemonSilent(BridgeError):
    """Nobody answers on the daemon's port."""

    exit_status = 1


@dataclass(frozen=True)
class ReceivedEvent:
    """An event as it came."""

    address: str
    arguments: tuple[Argument, ...]

    def line(self) -> str:
        """As the shell shows it."""
        return " ".join([self.address, *(_shown(argument) for argument in self.arguments)])

    def as_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {"address": self.address, "arguments": list(self.arguments)}


def read_arguments(address: str, words: Sequence[str]) -> list[int | float | str]:
    """The words of a command line as OSC's types; an id is text, also when it is a number."""
    values = [read_argument(word) for word in words]
    if address not in WITHOUT_END or address.endswith("/notes"):
        values[:1] = words[:1]
    return values


def read_argument(text: str) -> int | float | str:
    """A word of the command line as OSC's type: a whole number, a number, else text."""
    for read in (int, float):
        try:
            number = read(text)
        except ValueError:
            continue
        # `nan` and `inf` are words; Python's 1_000 is none of OSC's numbers.
        if math.isfinite(number) and "_" not in text:
            return number
    return text


def send(
    address: str,
    arguments: Sequence[int | float | str],
    *,
    port: int,
    show: Callable[[ReceivedEvent], None],
) -> int:
    """Send a message, and show what comes of it.

    Args:
        port: the daemon's.
        show: called with each event that concerns the message.

    Returns:
        The exit status: 0 when it is done, 1 when it ended in an error.

    Raises:
        BadArgument: it cannot be a message.
        DaemonSilent: no daemon answers, or it stopped answering.
    """
    if not address.startswith("/"):
        raise BadArgument(f"address {address!r}: it begins with a slash, such as /bridge/presets")
    try:
        # Uncut: a prompt that does not fit is told, not cut.
        words = [Uncut(one) if isinstance(one, str) else one for one in arguments]
        message = write_message(address, words)
    except (ValueError, OverflowError, struct.error) as error:
        raise BadArgument(f"{address} cannot be sent: {error}") from error
    with _Client(port) as client:
        client.subscribe()
        client.send(message)
        mine = _Mine(address, str(arguments[0]) if arguments else NO_ID)
        if address in WITHOUT_END:
            return client.until_read(mine, show)
        return client.until_done(message, mine, show)


@dataclass(frozen=True)
class _Mine:
    """Tells what an event has to do with the message that was sent."""

    address: str
    id: str

    def is_about(self, event: ReceivedEvent) -> bool:
        """Whether it is of the request, or an error of no request that names the address."""
        first = event.arguments[:1]
        unnamed = first == (NO_ID,) and self.address in str(event.arguments[-1])
        return first == (self.id,) or unnamed


class _Client:
    """A socket that the daemon knows by its port."""

    def __init__(self, port: int) -> None:
        self._daemon = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._port = int(self._socket.getsockname()[1])
        self._name = f"send{os.getpid()}"

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.send(write_message("/bridge/unsubscribe", [self._port]))
        self._socket.close()

    def send(self, message: bytes) -> None:
        self._socket.sendto(message, self._daemon)

    def subscribe(self) -> None:
        self._renew()
        for event in self._events(time.monotonic() + HELLO_SECONDS):
            if event.address == HELLO:
                return
        raise DaemonSilent(
            f"no daemon answers on 127.0.0.1:{self._daemon[1]}: start one with `melody-bridge run`"
        )

    def until_done(self, message: bytes, mine: _Mine, show: Callable[[ReceivedEvent], None]) -> int:
        """Show the events of that request until it ends, or is told not to be one."""
        heard, last = time.monotonic(), None
        while True:
            for event in self._events(time.monotonic() + RENEW_SECONDS):
                heard = time.monotonic()
                # What is sent again is answered with its last state again.
                if not mine.is_about(event) or event == last:
                    continue
                last = event
                show(event)
                if event.address == "/bridge/done":
                    return 0
                if event.address == ERROR:
                    return 1
            if time.monotonic() - heard > LOST_SECONDS:
                raise DaemonSilent("the daemon has stopped answering: see what it says")
            # Both: it may be another daemon by now, which knows neither client nor request.
            self._renew()
            self.send(message)

    def until_read(self, mine: _Mine, show: Callable[[ReceivedEvent], None]) -> int:
        """Show what the daemon tells before it answers a ping: it reads in order."""
        self.send(write_message("/bridge/ping", [self._port]))
        failed = False
        for event in self._events(time.monotonic() + LOST_SECONDS):
            if event.address == "/bridge/pong":
                return int(failed)
            if mine.is_about(event):
                show(event)
                failed = failed or event.address == ERROR
        raise DaemonSilent("the daemon has stopped answering: see what it says")

    def _renew(self) -> None:
        self.send(write_message("/bridge/subscribe", [self._port, self._name]))

    def _events(self, deadline: float) -> Iterator[ReceivedEvent]:
        """What comes until then."""
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left)[0]:
                return
            try:
                messages = read_packet(self._socket.recv(65_536))
            except (InvalidPacket, ConnectionError):
                continue
            yield from (ReceivedEvent(address, arguments) for address, arguments in messages)


def show_line(event: ReceivedEvent) -> None:
    """Print an event for people."""
    print(event.line(), flush=True)


def show_json(event: ReceivedEvent) -> None:
    """Print an event as a JSON object on a line."""
    print(json.dumps(event.as_json(), ensure_ascii=False), flush=True)


def _shown(argument: Argument) -> str:
    if isinstance(argument, float):
        return f"{argument:.6g}"
    text = str(argument)
    return json.dumps(text, ensure_ascii=False) if not text or " " in text else text
