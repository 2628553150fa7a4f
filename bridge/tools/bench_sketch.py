"""The speed of `melody-bridge sketch`: its start, and its answers to keys while the engine works.

The real program runs on a pseudo-terminal, with a daemon of its own. A key is answered when the
changed row has arrived on the terminal: `key_ms` for what the screen does alone (the list of keys),
`daemon_ms` for what goes through the daemon (the tempo). The engine renders all the while.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bridge.errors import BridgeError, Unsupported

COLUMNS, ROWS = 80, 24
KEYS = 100
"""Keys of each kind."""
QUEUED = 3
"""Requests for the engine, of 16 bars and 4 variations each: it works until the last key."""
PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 0.1
"""Between two keys, as of a person who is in a hurry."""


class NoAnswer(BridgeError):
    """The screen did not show what it should."""

    exit_status = 1


class Terminal:
    """A pseudo-terminal with a program on it.

    Attributes:
        master: the terminal's other end.
        process: the program.
        started_seconds: when it was started, on `time.perf_counter`.
    """

    def __init__(self, command: Sequence[str]) -> None:
        """Start the program."""
        self.master, slave = _pseudo_terminal()
        self._grown = threading.Condition()
        self._shown: list[tuple[int, float]] = []
        self._text = bytearray()
        self.started_seconds = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def press(self, key: str) -> int:
        """Send a key; return where in the output its answer begins."""
        with self._grown:
            place = len(self._text)
        os.write(self.master, key.encode())
        return place

    def wait(self, shown: str, after: int = 0) -> float:
        """Wait for a text in the output from there on; return when it was complete.

        Raises:
            NoAnswer: it does not come.
        """
        with self._grown:
            found = self._grown.wait_for(
                lambda: self._text.find(shown.encode(), after) >= 0, PATIENCE_SECONDS
            )
            if not found:
                raise NoAnswer(f"the screen does not show {shown!r}")
            end = self._text.find(shown.encode(), after) + len(shown.encode())
            return next(seconds for length, seconds in self._shown if length >= end)

    def text(self) -> str:
        """All that was written on the terminal."""
        with self._grown:
            return self._text.decode(errors="replace")

    def close(self) -> None:
        """End the program as a person does, and wait for it."""
        with suppress(OSError):
            os.write(self.master, b"q")
        try:
            self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self.master)
            self._reader.join()

    def _read(self) -> None:
        # The end of a pseudo-terminal is an error on Linux.
        with suppress(OSError):
            while chunk := os.read(self.master, 65_536):
                seconds = time.perf_counter()
                with self._grown:
                    self._text += chunk
                    self._shown.append((len(self._text), seconds))
                    self._grown.notify_all()


def _pseudo_terminal() -> tuple[int, int]:
    """Both ends of a pseudo-terminal of `ROWS` and `COLUMNS`: the person's, and the program's."""
    if sys.platform == "win32":
        raise Unsupported("--sketch needs a pseudo-terminal, which this system does not have")
    import fcntl
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    return master, slave


def run(*, model: str | None, device: str | None, starts: int, as_json: bool) -> int:
    """Measure and print; return the exit status."""
    report = None if as_json else print
    figures = measure(model=model, device=device, starts=starts, report=report)
    if as_json:
        print(json.dumps(figures))
        return 0
    for name, value in figures.items():
        print(f"{name:20} {value}")
    return 0


def measure(
    *,
    model: str | None,
    device: str | None,
    starts: int,
    keys: int = KEYS,
    report: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """The figures, in milliseconds.

    Args:
        starts: how often the program is started for the first frame.
        keys: how many keys of each kind are pressed.

    Raises:
        NoAnswer: the screen does not answer.
        Unsupported: the system has no pseudo-terminal.
    """
    say = report or (lambda line: None)
    with tempfile.TemporaryDirectory(prefix="melody-bridge-bench-") as folder:
        command = _command(Path(folder), model, device)
        first_frames = []
        for number in range(starts):
            say(f"start {number + 1} of {starts}")
            terminal = Terminal(command)
            try:
                first_frames.append(terminal.wait("Melody Bridge") - terminal.started_seconds)
            finally:
                terminal.close()
        terminal = Terminal(command)
        try:
            say("the engine gets to work")
            _begin_work(terminal)
            say(f"{keys} keys of each kind")
            alone = [_answer(terminal, "?", _helped(number)) for number in range(keys)]
            through = [_answer(terminal, "=", f"{121 + number} bpm") for number in range(keys)]
        finally:
            terminal.close()
    return {
        "first_frame_ms": round(1000 * statistics.median(first_frames), 1),
        "first_frame_max_ms": round(1000 * max(first_frames), 1),
        **_spread("key", alone),
        **_spread("daemon", through),
        "keys": keys,
    }


def _helped(number: int) -> str:
    """What every second press of the key for help shows."""
    return "Melody Bridge" if number % 2 else "All keys"


def _command(folder: Path, model: str | None, device: str | None) -> list[str]:
    config = folder / "config.toml"
    config.write_text("", encoding="utf-8")
    options = [("--model", model), ("--device", device)]
    return [
        *(sys.executable, "-m", "bridge", "sketch", "--osc-port", "0", "--config", str(config)),
        *("--clips", str(folder / "Clips"), "--input", "none", "--output", "none"),
        *("--midi", "none"),
        *(word for option, value in options if value for word in (option, value)),
    ]


def _begin_work(terminal: Terminal) -> None:
    """Let the engine render for longer than the keys take."""
    terminal.wait("ready")
    place = terminal.press("1")
    terminal.wait("sound: ", place)
    for bars in range(5, 17):
        terminal.wait(f"{bars} bars", terminal.press("]"))
    for _ in range(QUEUED):
        place = terminal.press("\r")
        time.sleep(PAUSE_SECONDS)
    terminal.wait("making clips", place)


def _answer(terminal: Terminal, key: str, shown: str) -> float:
    """The seconds from a key to its row on the terminal."""
    time.sleep(PAUSE_SECONDS)
    pressed = time.perf_counter()
    return terminal.wait(shown, terminal.press(key)) - pressed


def _spread(name: str, seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        f"{name}_ms": round(1000 * statistics.median(ordered), 1),
        f"{name}_p95_ms": round(1000 * ordered[int(0.95 * (len(ordered) - 1))], 1),
        f"{name}_max_ms": round(1000 * ordered[-1], 1),
    }
