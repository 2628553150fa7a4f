"""What the daemon says: lines for people on stderr, or JSON lines for programs on stdout."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

FIELDS = "fields"
"""The attribute of a log record that holds what a program wants to know of it."""


def told(**fields: Any) -> dict[str, Any]:
    """The `extra` of a log call: values that `--json-log` writes by name, beside the sentence."""
    return {FIELDS: fields}


def set_up(*, as_json: bool, handler: logging.Handler | None = None) -> None:
    """Send the daemon's log to its reader.

    Args:
        as_json: one JSON object a line on stdout.
        handler: who shows it otherwise; None: plain lines on stderr.
    """
    if as_json:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonFormatter())
    elif handler is None:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(PlainFormatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("bridge").setLevel(logging.INFO)


class PlainFormatter(logging.Formatter):
    """One line: the time, the sentence, and in front of it what is worse than information."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        record.message = plain(record)
        return super().formatMessage(record)


def plain(record: logging.LogRecord) -> str:
    """A record's sentence on one line, with its level where that is more than information."""
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
