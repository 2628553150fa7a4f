"""`melody-bridge send`: send one message to the daemon, and show its events until it is done."""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from bridge.config.flags import add_config_flag, add_flag, run_options
from bridge.control.addresses import NO_ID, known_address, takes_id
from bridge.control.client import (
    LOST_SECONDS,
    RENEW_SECONDS,
    DaemonSilent,
    OscClient,
    ReceivedEvent,
)
from bridge.control.packets import Argument, Uncut, write_message
from bridge.errors import BadArgument, UnknownAddress

ERASE_LINE = "\r\x1b[K"
"""Moves a terminal's cursor to the start of its line, and erases it."""
STOPPED_ANSWERING = "the daemon has stopped answering: see its log"
ERROR = "/bridge/error"
PROGRESS, CAPTURE = "/bridge/progress", "/bridge/capture"
CAPTURE_FILE = "/bridge/capture/file"

WITHOUT_END = frozenset(
    f"/bridge/{name}"
    for name in (
        *("subscribe", "unsubscribe", "ping", "transport", "panic", "stop"),
        *("set", "unset", "reset", "clock", "tap", "start", "halt"),
        *("gain", "mute", "capture/notes", "metronome", "hotkey"),
        *(f"loop/{name}" for name in ("start", "stop", "undo", "redo", "freeze", "overdub")),
        *("loop/clear", "loop/set"),
    )
)
"""Messages that no `done` answers. A ping sent after one is answered once the message was read."""
NEW_ID = "-"
"""In place of an id: `send` makes one."""
CLIENT = "send"
"""The client in the ids that `send` makes: a clip follows the melody that an earlier run sent."""
PREFIX = "/bridge/"
PROGRESS_STEPS = 4
"""Steps of a request's progress that are shown where no line can change."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "address", metavar="ADDRESS", help="such as /bridge/generate, or generate for short"
    )
    parser.add_argument(
        "arguments",
        nargs="*",
        metavar="ARGUMENT",
        help="an id first, where the address has one; - makes a new one",
    )
    add_flag(parser, "osc_port")
    add_config_flag(parser)
    parser.add_argument(
        "--verbose", action="store_true", help="print every event, also those of progress"
    )
    parser.add_argument("--json", action="store_true", help="print each event as a JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Send the message, and show its events; return the exit status.

    Raises:
        UnknownAddress: the protocol has no such address.
        BadArgument, DaemonSilent: as `send`.
    """
    address = full_address(arguments.address)
    lines = Lines(verbose=arguments.verbose, on_terminal=sys.stdout.isatty())
    try:
        return send(
            address,
            read_arguments(address, arguments.arguments),
            port=run_options(arguments).osc_port,
            show=show_json if arguments.json else lines.show,
        )
    finally:
        lines.end()


def line_of(event: ReceivedEvent) -> str:
    """An event's line for people."""
    return " ".join([event.address, *(_shown(argument) for argument in event.arguments)])


def full_address(word: str) -> str:
    """The address that was meant: `panic` is `/bridge/panic`.

    Raises:
        UnknownAddress: the protocol has no such address; the message names the nearest one.
        BadArgument: it does not begin with a slash.
    """
    if word.startswith("/"):
        return known_address(word)
    try:
        return known_address(PREFIX + word)
    except UnknownAddress as error:
        raise BadArgument(
            f"address {word!r}: it begins with a slash, such as /bridge/presets ({error})"
        ) from error


def read_arguments(address: str, words: Sequence[str]) -> list[int | float | str]:
    """The words of a command line as OSC's types.

    An id is text, also if it looks like a number; `-` becomes a new one. A path of a file becomes
    absolute, because the daemon has another working folder.

    Args:
        address: a known one.
    """
    values = [read_argument(word) for word in words]
    if takes_id(address) and words:
        values[0] = new_id() if words[0] == NEW_ID else words[0]
    if address == CAPTURE_FILE and len(words) > 1:
        values[1] = os.path.abspath(os.path.expanduser(words[1])) if words[1] else ""
    return values


def new_id() -> str:
    """An id that no earlier run has made, such as `send-1764374622123`."""
    return f"{CLIENT}-{time.time_ns() // 1_000_000}"


def read_argument(text: str) -> int | float | str:
    """A word of the command line as OSC's type: a whole number, a number, else text."""
    for read in (int, float):
        try:
            number = read(text)
        except ValueError:
            continue
        # `nan` and `inf` are words, and so is Python's 1_000.
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
    """Send a message, and show its events.

    Args:
        address: a known one.
        port: the daemon's.
        show: called with each event about the message.

    Returns:
        The exit status: 0 when the message is done, 1 when it ended in an error.

    Raises:
        BadArgument: address and arguments cannot be a message.
        DaemonSilent: no daemon answers, or it stopped answering.
    """
    try:
        # Uncut: a prompt that does not fit is an error, and is not cut.
        words = [
            Uncut(argument) if isinstance(argument, str) else argument for argument in arguments
        ]
        message = write_message(address, words)
    except (ValueError, OverflowError) as error:
        raise BadArgument(f"{address} cannot be sent: {error}") from error
    with closing(OscClient(port, f"{CLIENT}{os.getpid()}")) as client:
        client.subscribe()
        client.send(message)
        sent = _SentMessage(address, str(arguments[0]) if arguments and takes_id(address) else "")
        if address in WITHOUT_END:
            return _until_read(client, sent, show)
        return _until_done(client, message, sent, show)


@dataclass(frozen=True)
class _SentMessage:
    """The message that was sent, to recognise its events by."""

    address: str
    id: str
    """Empty where the address takes none."""

    def concerns(self, event: ReceivedEvent) -> bool:
        """Whether the event is the request's, its answer, or one without an id that names it."""
        if event.address == self.address:
            return True
        first = event.arguments[:1]
        unnamed = first == (NO_ID,) and self.address in str(event.arguments[-1])
        return first == (self.id,) or unnamed


def _until_done(
    client: OscClient, message: bytes, sent: _SentMessage, show: Callable[[ReceivedEvent], None]
) -> int:
    """Show the request's events until it ends or is refused."""
    received_seconds = time.monotonic()
    seen: set[ReceivedEvent] = set()
    while True:
        for event in client.events(time.monotonic() + RENEW_SECONDS):
            received_seconds = time.monotonic()
            # The daemon replays events when the message is sent again.
            if not sent.concerns(event) or event in seen:
                continue
            seen.add(event)
            show(event)
            if event.address == "/bridge/done":
                return 0
            if event.address == ERROR:
                return 1
        if time.monotonic() - received_seconds > LOST_SECONDS:
            raise DaemonSilent(STOPPED_ANSWERING)
        # Both: a restarted daemon knows neither the client nor the request.
        client.renew()
        client.send(message)


def _until_read(
    client: OscClient, sent: _SentMessage, show: Callable[[ReceivedEvent], None]
) -> int:
    """Show the message's events until the daemon answers a ping: it reads in order."""
    client.ping()
    failed = False
    for event in client.events(time.monotonic() + LOST_SECONDS):
        if event.address == "/bridge/pong":
            return int(failed)
        if sent.concerns(event):
            show(event)
            failed = failed or event.address == ERROR
    raise DaemonSilent(STOPPED_ANSWERING)


class Lines:
    """Prints events for people: a line each, and the many events of progress in few.

    On a terminal one line shows the progress and changes. Elsewhere a capture's states and the
    quarters of a render get a line each.
    """

    def __init__(self, *, verbose: bool, on_terminal: bool) -> None:
        """Args:
        verbose: print every event on a line of its own.
        on_terminal: the last line can be written again.
        """
        self._verbose, self._changes_line = verbose, on_terminal and not verbose
        self._last: object = None
        self._is_open = False

    def show(self, event: ReceivedEvent) -> None:
        """Print an event."""
        step = _progress_step(event)
        if step is None or self._verbose:
            self._print(line_of(event))
        elif self._changes_line:
            width = shutil.get_terminal_size().columns - 1
            print(f"{ERASE_LINE}{line_of(event)[:width]}", end="", flush=True)
            self._is_open = True
        elif step != self._last:
            self._last = step
            self._print(line_of(event))

    def end(self) -> None:
        """End a line that could still change, so that an error gets a line of its own."""
        if self._is_open:
            print(flush=True)
        self._is_open = False

    def _print(self, line: str) -> None:
        erase = ERASE_LINE if self._is_open else ""
        self._is_open = False
        print(f"{erase}{line}", flush=True)


def _progress_step(event: ReceivedEvent) -> object:
    """What must change before another event of progress is worth a line; None for other events."""
    if event.address == PROGRESS:
        return event.address, int(float(str(event.arguments[1])) * PROGRESS_STEPS)
    return event.arguments[:2] if event.address == CAPTURE else None


def show_json(event: ReceivedEvent) -> None:
    """Print an event as a JSON object on a line."""
    print(json.dumps(vars(event), ensure_ascii=False), flush=True)


def _shown(argument: Argument) -> str:
    if isinstance(argument, float):
        return f"{argument:.6g}"
    text = str(argument)
    return json.dumps(text, ensure_ascii=False) if not text or " " in text else text
