"""What Linux tells of UDP sockets: who holds a port, and how many datagrams it dropped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


def holder(port: int) -> str | None:
    """Who has that UDP port open, such as `"pd (process 4711)"`; None where it cannot be told.

    Processes of other users cannot be looked into, and there is nothing to look into but on Linux.
    """
    links = {f"socket:[{row.inode}]" for row in _udp_sockets() if row.port == port}
    if not links:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # Not ours to see, or gone by now.
            if any(os.readlink(file) in links for file in (process / "fd").iterdir()):
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
                return f"{name} (process {process.name})"
    return None


def dropped(descriptor: int) -> int | None:
    """Datagrams that did not fit the buffer of a socket, by its descriptor; None: not told."""
    inode = os.fstat(descriptor).st_ino
    return next((row.drops for row in _udp_sockets() if row.inode == inode), None)


class _Row(NamedTuple):
    port: int
    inode: int
    drops: int


def _udp_sockets() -> Iterator[_Row]:
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        with suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                columns = line.split()
                yield _Row(
                    port=int(columns[1].rpartition(":")[2], 16),
                    inode=int(columns[9]),
                    drops=int(columns[-1]),
                )
