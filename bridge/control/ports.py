"""Facts about UDP sockets from Linux: who holds a port, and how many datagrams were dropped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


def holder(port: int) -> str | None:
    """Name the process that has a UDP port open, such as `"pd (process 4711)"`.

    None when it is unknown: other systems than Linux have no such list, and processes of other
    users are hidden.
    """
    links = {f"socket:[{row.inode}]" for row in _udp_sockets() if row.port == port}
    if not links:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # Another user's process, or one that has ended.
            if any(os.readlink(file) in links for file in (process / "fd").iterdir()):
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
                return f"{name} (process {process.name})"
    return None


def dropped(descriptor: int) -> int | None:
    """Count the datagrams that did not fit a socket's buffer; None when unknown.

    Args:
        descriptor: the socket's file descriptor.
    """
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
