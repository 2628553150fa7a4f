"""The daemon's log: plain lines for people on stderr, or JSON lines for programs on stdout."""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

STDOUT, STDERR = 1, 2
MOST_WAITING = 10_000
"""Lines that wait for a slow reader."""
PATIENCE_SECONDS = 1.0
"""How long `Writer.finish` waits for the reader."""
PLAIN, PLAIN_TIME = "%(asctime)s %(message)s", "%H:%M:%S"
FIELDS = "fields"
"""The attribute of a log record that holds its values for JSON lines."""


def log_fields(**fields: Any) -> dict[str, Any]:
    """The `extra` of a log call: values that `--json-log` writes by name, beside the sentence."""
    return {FIELDS: fields}


@contextmanager
def set_up(*, as_json: bool, screen: logging.Handler | None = None) -> Iterator[None]:
    """Send the daemon's log to its reader for as long as the block runs.

    A thread writes the lines: a reader that stops reading, such as a paused pager, must not stop
    the daemon. Beyond `MOST_WAITING` lines the newest are dropped and counted.

    Args:
        as_json: write one JSON object a line on stdout.
        screen: shows the log otherwise; None: plain lines on stderr.
    """
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    logging.getLogger("bridge").setLevel(logging.INFO)
    if screen is not None and not as_json:
        root.handlers[:] = [screen]
        yield
        return
    formatter = JsonFormatter() if as_json else PlainFormatter(PLAIN, datefmt=PLAIN_TIME)
    writer = Writer(STDOUT if as_json else STDERR, formatter)
    root.handlers[:] = [writer]
    try:
        yield
    finally:
        writer.finish()


class Writer(logging.Handler):
    """Writes lines to a file descriptor, in a thread of its own; it never waits for the reader."""

    def __init__(self, descriptor: int, formatter: logging.Formatter) -> None:
        super().__init__()
        self._descriptor = descriptor
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
                rest = memoryview(line)
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]


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
