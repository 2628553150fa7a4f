"""Processes that are not this one's children: when they have ended, and what is left of them."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECONDS = 30.0

if sys.platform == "win32":
    KILL = signal.SIGTERM
    KILLED = 1
else:
    KILL = signal.SIGKILL
    KILLED = -signal.SIGKILL
"""The signal that `os.kill` ends any process with, and the status that `Popen.kill` leaves."""


def is_root() -> bool:
    """Whether this process may read files without permission."""
    return sys.platform != "win32" and os.geteuid() == 0


@contextmanager
def no_more_files() -> Iterator[None]:
    """Inside, this process can open no further file."""
    if sys.platform == "win32":
        raise NotImplementedError("needs POSIX")
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@contextmanager
def watched(pid: int) -> Iterator[int]:
    """A handle on a process that is there, for `has_ended`: its number may be another's later."""
    if sys.platform != "linux":
        raise NotImplementedError("needs Linux")
    handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        os.close(handle)


def has_ended(handle: int, within_seconds: float) -> bool:
    """Whether the process ends in that time, be it waited for by a parent or not."""
    return bool(select.select([handle], [], [], within_seconds)[0])


def stop(pid: int) -> None:
    """Stop a process, and come back when it stands still."""
    if sys.platform != "linux":
        raise NotImplementedError("needs Linux")
    os.kill(pid, signal.SIGSTOP)
    deadline = time.perf_counter() + PATIENCE_SECONDS
    # The state follows the name, which is in brackets.
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.perf_counter() < deadline, f"process {pid} does not stop"
