"""Hears whether an Ableton Link session is there, without taking part in one.

Link's oldest session wins: programs that come later take over its tempo. A daemon that waited with
Link on would give its own tempo to a DAW that starts after it. So it listens first, and turns Link
on only when another program has a session.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from contextlib import suppress

PORT = 20808
GROUP = "224.76.78.75"
"""Where peers announce themselves four times a second (Link's `DiscoveryConfig` and
`UdpMessenger`)."""
OLDER_SECONDS = 1.0
"""Wait this long after the first announcement: of sessions less than 0.5 s apart any may win."""
_ANNOUNCEMENT = b"_asdp_v\x01\x01"
"""How a peer's announcement begins: Link's protocol header, then the type "alive"."""
_INTERFACES_SECONDS = 5.0
_LONGEST_DATAGRAM = 2048


class LinkSearch:
    """A socket that receives the announcements of Link peers on every interface.

    It sends nothing.

    Raises:
        OSError: the port does not open.
    """

    def __init__(self) -> None:
        self._heard_seconds: float | None = None
        self._next_interfaces = 0.0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            # Link's programs share the port in the same way.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(("", PORT))
            self._socket.setblocking(False)
        except OSError:
            self._socket.close()
            raise

    def found(self) -> bool:
        """Whether a session is there that is older than one that would begin now."""
        now = time.perf_counter()
        if now >= self._next_interfaces:
            self._next_interfaces = now + _INTERFACES_SECONDS
            self._join_interfaces()
        # Windows reports errors of earlier datagrams here; a later one says the same.
        with suppress(OSError):
            while True:
                datagram = self._socket.recv(_LONGEST_DATAGRAM)
                if self._heard_seconds is None and datagram.startswith(_ANNOUNCEMENT):
                    self._heard_seconds = now
        return self._heard_seconds is not None and now >= self._heard_seconds + OLDER_SECONDS

    def close(self) -> None:
        """Free the port."""
        self._socket.close()

    def _join_interfaces(self) -> None:
        """Receive from every interface; again now and then, as interfaces come and go."""
        for index, _ in socket.if_nameindex():
            if sys.platform == "win32":
                # Windows takes 0.0.0.index for the interface of that index.
                interface = struct.pack("!I", index)
            else:
                interface = struct.pack("@4si", bytes(4), index)
            # It fails for an interface that is already joined, and for one without IPv4.
            with suppress(OSError):
                self._socket.setsockopt(
                    socket.IPPROTO_IP,
                    socket.IP_ADD_MEMBERSHIP,
                    socket.inet_aton(GROUP) + interface,
                )
