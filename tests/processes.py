"""Helpers for processes that are not this one's children, and for the limits of this one."""

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
def most_files() -> Iterator[None]:
    """Inside, this process may open as many files as the system lets it."""
    if sys.platform == "win32":
        raise NotImplementedError("needs POSIX")
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@contextmanager
def watched(pid: int) -> Iterator[int]:
    """A handle on a running process, for `has_ended`: a process number may be used again."""
    if sys.platform != "linux":
        raise NotImplementedError("needs Linux")
    handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        os.close(handle)


def has_ended(handle: int, within_seconds: float) -> bool:
    """Whether the process ends in that time, whether or not its parent waits for it."""
    return bool(select.select([handle], [], [], within_seconds)[0])


def stop(pid: int) -> None:
    """Stop a process, and return once it is stopped."""
    if sys.platform != "linux":
        raise NotImplementedError("needs Linux")
    os.kill(pid, signal.SIGSTOP)
    deadline = time.perf_counter() + PATIENCE_SECONDS
    # The state comes after the name, which is in brackets.
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.perf_counter() < deadline, f"process {pid} does not stop"
