"""Keeps what libraries in C print to stderr off the terminal; Python's own lines still come out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr


@contextmanager
def native_stderr_dropped() -> Iterator[None]:
    """Drop what C code writes to stderr inside."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        _point_stderr_nowhere()
        with open(saved, "w", buffering=1, closefd=False) as stderr, redirect_stderr(stderr):
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def drop_native_stderr() -> None:
    """Drop what C code writes to stderr until this process ends."""
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    _point_stderr_nowhere()


def _point_stderr_nowhere() -> None:
    with open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), 2)
