"""Processes that are not this one's children: stop them, and wait for their end."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECONDS = 30.0


@contextmanager
def watched(pid: int) -> Iterator[int]:
    """A handle on a process, for `has_ended`: its number may later be another process's."""
    handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        os.close(handle)


def has_ended(handle: int, within_seconds: float) -> bool:
    """Whether the process ends within that time, even if no parent has waited for it."""
    return bool(select.select([handle], [], [], within_seconds)[0])


def stop(pid: int) -> None:
    """Stop a process, and return once it is stopped."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.perf_counter() + PATIENCE_SECONDS
    # The state follows the name, which is in brackets.
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.perf_counter() < deadline, f"process {pid} does not stop"
