"""Memory that several processes share: create, attach and claim it."""

from __future__ import annotations

import errno
import os
import secrets
import sys
from collections.abc import Callable
from multiprocessing.shared_memory import SharedMemory

SLICE_BYTES = 32 * 2**20
"""Claimed in one call, in about ten milliseconds: the system fills it with zeros."""


def create(size: int) -> SharedMemory:
    """Make memory with a random name; the maker unlinks it.

    On Linux, writing before `claim` may kill the writer. Windows reserves the memory here.

    Args:
        size: bytes, positive.

    Raises:
        OSError: the system already knows that it has no room.
    """
    # Short: macOS allows 31 bytes.
    return SharedMemory(f"melody-{secrets.token_hex(8)}", create=True, size=size)


def attach(name: str) -> SharedMemory:
    """Open memory that another process made. Only the maker and its children may call this.

    Raises:
        FileNotFoundError: no memory has that name.
    """
    # A child of the maker registers the memory again with the maker's own resource tracker, which
    # changes nothing. Any other process would unlink the memory when it ends.
    return SharedMemory(name)


def claim(memory: SharedMemory, check: Callable[[], None] = lambda: None) -> None:
    """Claim all of the memory now.

    Linux at first only promises memory, and kills a process that writes when none is left. The
    memory's name must still exist.

    Args:
        check: called before each slice; an error that it raises stops the claiming.

    Raises:
        OSError: the system has no room.
    """
    if sys.platform == "linux":
        descriptor = os.open(f"/dev/shm/{memory.name}", os.O_RDWR)
        try:
            # Checked first, so that no other program on the machine runs out meanwhile.
            system = os.fstatvfs(descriptor)
            if system.f_blocks and memory.size > system.f_frsize * system.f_bavail:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            for first in range(0, memory.size, SLICE_BYTES):
                check()
                os.posix_fallocate(descriptor, first, min(SLICE_BYTES, memory.size - first))
        finally:
            os.close(descriptor)
