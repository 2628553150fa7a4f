"""The daemon's log: for people on stderr or on the screen, for programs as JSON lines on stdout.

All of it also goes to a file, with the tracebacks that a screen has no room for.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import queue
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import platformdirs

STDOUT, STDERR = 1, 2
MOST_WAITING = 10_000
"""Lines that wait for a slow reader."""
PATIENCE_SECONDS = 1.0
"""How long `Writer.finish` waits for the reader."""
PLAIN, PLAIN_TIME = "%(asctime)s %(message)s", "%H:%M:%S"
FILE_TIME = "%Y-%m-%d %H:%M:%S"
MOST_FILE_BYTES = 1 << 20
KEPT_FILES = 3
"""The file that is written, and the full ones before it."""
MOST_LINE_BYTES = 64 << 10
"""A record of the file is cut there: the deepest traceback has 10 KB."""
FIELDS = "fields"
"""The attribute of a log record that holds its values for JSON lines."""


def log_fields(**fields: Any) -> dict[str, Any]:
    """The `extra` of a log call: values that `--json-log` writes by name, beside the sentence."""
    return {FIELDS: fields}


def log_path() -> Path:
    """The log file, in the platform's folder for logs."""
    return platformdirs.user_log_path("melody-bridge", appauthor=False) / "daemon.log"


@contextmanager
def set_up(
    *, as_json: bool, screen: logging.Handler | None = None, file: Path | None = None
) -> Iterator[None]:
    """Send the daemon's log to its reader for as long as the block runs.

    A thread writes the lines: a reader that stops reading, such as a paused pager, must not stop
    the daemon. Beyond `MOST_WAITING` lines the newest are dropped and counted.

    Args:
        as_json: write one JSON object a line on stdout.
        screen: shows the log otherwise; None: plain lines on stderr.
        file: keeps the log too, and the traceback of an exception that ends the block; None: no
            file.
    """
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    log = logging.getLogger("bridge")
    log.setLevel(logging.INFO)
    writers: list[Writer] = []
    shown: logging.Handler
    if screen is not None and not as_json:
        shown = screen
    else:
        formatter = JsonFormatter() if as_json else PlainFormatter(PLAIN, datefmt=PLAIN_TIME)
        shown = Writer(Descriptor(STDOUT if as_json else STDERR), formatter)
        writers.append(shown)
    root.handlers[:] = [shown]
    kept = None if file is None else _keep_in(file)
    if kept is not None:
        writers.append(kept)
        if not as_json:
            # A program reads `listening` first, and has the path from `doctor --json`.
            log.info("the log is kept in %s", file)
    try:
        yield
    except Exception:
        if kept is not None:
            # The entry prints it; a terminal that closes then keeps nothing.
            ended = ("the daemon ended by an error", ())
            kept.handle(log.makeRecord(log.name, logging.ERROR, "", 0, *ended, sys.exc_info()))
        raise
    finally:
        for writer in writers:
            writer.finish()


def _keep_in(path: Path) -> Writer | None:
    """Keep the log in a file too; None where the file cannot be written."""
    log = logging.getLogger(__name__)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = RotatingFile(path)
    except OSError as error:
        log.warning("the log is not kept: %s cannot be written (%s)", path, error.strerror)
        return None
    writer = Writer(file, PlainFormatter(PLAIN, datefmt=FILE_TIME))
    logging.getLogger().addHandler(writer)
    return writer


class Output(Protocol):
    """Where lines go."""

    def write(self, line: bytes) -> None:
        """Write a line; raise OSError when no more can be written."""


class Descriptor:
    """A file descriptor as an output."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, line: bytes) -> None:
        """See `Output`."""
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


class RotatingFile:
    """A file that becomes `name.1` when it is full, as `name.1` becomes `name.2`.

    Two daemons may write the same file: each line is one write at its end.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            OSError: it cannot be written, or is not a regular file.
        """
        self._path = path
        self._open()

    def write(self, line: bytes) -> None:
        """See `Output`. A line that the disk does not take is lost, and the next one is tried."""
        line = line[:MOST_LINE_BYTES]
        with suppress(OSError):
            if self._descriptor < 0:
                self._open()
            if os.fstat(self._descriptor).st_size + len(line) > MOST_FILE_BYTES:
                self._rotate()
            os.write(self._descriptor, line)

    def _open(self) -> None:
        self._descriptor = -1
        # Opening a pipe would wait for its reader.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(self._path, flags, 0o600)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "not a regular file")
        self._descriptor = descriptor

    def _rotate(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1
        names = [self._path, *(Path(f"{self._path}.{each}") for each in range(1, KEPT_FILES))]
        # The oldest first: each name is free when the next newer file takes it.
        for older, newer in pairwise(reversed(names)):
            with suppress(FileNotFoundError):
                os.replace(newer, older)
        self._open()


class Writer(logging.Handler):
    """Writes lines to an output in a thread of its own; it never waits for a reader or a disk."""

    def __init__(self, output: Output, formatter: logging.Formatter) -> None:
        super().__init__()
        self._output = output
        self.setFormatter(formatter)
        self._lines: queue.Queue[bytes | None] = queue.Queue(MOST_WAITING)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line."""
        try:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                self._put(_dropped_record(record, dropped))
            self._put(record)
        except queue.Full:
            self._dropped += 1

    def finish(self) -> None:
        """Write the lines that wait; give up when nobody reads them within a second."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=PATIENCE_SECONDS)
            self._thread.join(PATIENCE_SECONDS)

    def _put(self, record: logging.LogRecord) -> None:
        line = f"{self.format(record)}\n"
        self._lines.put_nowait(line.encode("utf-8", "backslashreplace"))

    def _write(self) -> None:
        # The reader may close its end, as `| head` does; the daemon goes on.
        with suppress(OSError):
            while (line := self._lines.get()) is not None:
                self._output.write(line)


def _dropped_record(following: logging.LogRecord, count: int) -> logging.LogRecord:
    return logging.LogRecord(
        following.name, logging.WARNING, "", 0, "%d lines were not read in time", (count,), None
    )


class PlainFormatter(logging.Formatter):
    """One line: the time, the level where it is above INFO, and the sentence."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        record.message = plain(record)
        return super().formatMessage(record)


def plain(record: logging.LogRecord) -> str:
    """A record's sentence on one line, with its level where that is above INFO."""
    sentence = " ".join(record.getMessage().split())
    level = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
    return level + sentence


class JsonFormatter(logging.Formatter):
    """`time` (UTC, ISO 8601), `level`, `message`, and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
