"""Memory that several processes share: made, and made sure of, in the same way everywhere."""

from __future__ import annotations

import errno
import os
import secrets
import sys
from collections.abc import Callable
from multiprocessing.shared_memory import SharedMemory

SLICE_BYTES = 32 * 2**20
"""Claimed at once, in some ten milliseconds: it is filled with zeros."""


def create(size: int) -> SharedMemory:
    """Make memory of a random name; whoever makes it unlinks it.

    What is written before `claim` may kill the writer.

    Args:
        size: bytes, positive.

    Raises:
        OSError: there is no room for it, as far as the system tells already.
    """
    # Short: macOS takes 31 bytes.
    return SharedMemory(f"melody-{secrets.token_hex(8)}", create=True, size=size)


def attach(name: str) -> SharedMemory:
    """Open memory that another process made: the maker, or another of its children.

    Raises:
        FileNotFoundError: there is none of that name.
    """
    # The maker's child tells the maker's own resource tracker of it once more, which is the
    # same as once. In any other process this would unlink it when that process ends.
    return SharedMemory(name)


def claim(memory: SharedMemory, check: Callable[[], None] = lambda: None) -> None:
    """Claim it all now: on Linux it is promised first, and a write that has none kills.

    Its name must still be there.

    Args:
        check: called before each slice; what it raises ends the claiming.

    Raises:
        OSError: there is no room for it.
    """
    if sys.platform == "linux":
        descriptor = os.open(f"/dev/shm/{memory.name}", os.O_RDWR)
        try:
            # Looked at first, lest everything else on the machine run out of it meanwhile.
            system = os.fstatvfs(descriptor)
            if system.f_blocks and memory.size > system.f_frsize * system.f_bavail:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            for first in range(0, memory.size, SLICE_BYTES):
                check()
                os.posix_fallocate(descriptor, first, min(SLICE_BYTES, memory.size - first))
        finally:
            os.close(descriptor)
