"""A web server's connections whose request has not come yet: few at a time, and not for long.

uvicorn waits for ever for the rest of a request's head, on as many connections as there are. Here
the oldest of too many is closed for the newest: a client that means it sends its head at once.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any, ClassVar

HEAD_SECONDS = 10.0
"""How long a connection may take to send the head of its request."""
MOST_HEADS = 4096
"""Connections of one process whose head has not come."""

# uvicorn has one class for each parser of HTTP that may be installed.
_Protocol: Any = import_module("uvicorn.protocols.http.auto").AutoHTTPProtocol


class HeadsProtocol(_Protocol):  # type: ignore[misc]
    """uvicorn's protocol of one connection, with a limit on its head."""

    _waiting: ClassVar[dict[HeadsProtocol, asyncio.TimerHandle]] = {}
    """The connections of this process whose head has not come, the oldest first."""

    def connection_made(self, transport: Any) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        if len(self._waiting) >= MOST_HEADS:
            next(iter(self._waiting))._give_up()
        self._waiting[self] = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        super().data_received(data)
        # A request has begun, or the connection has become a websocket's.
        if self.cycle is not None or self.transport.get_protocol() is not self:
            self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        super().connection_lost(exc)
        self._forget()

    def _forget(self) -> None:
        if (timer := self._waiting.pop(self, None)) is not None:
            timer.cancel()

    def _give_up(self) -> None:
        self._forget()
        self.transport.abort()
