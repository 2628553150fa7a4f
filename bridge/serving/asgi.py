"""What ASGI calls what it passes, and what both the proxies and the replicas read of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

POLICY_VIOLATION = 1008
"""The code that closes a websocket; before the handshake is accepted, it is the status 403."""


def bearer(headers: list[tuple[bytes, bytes]] | Mapping[bytes, bytes]) -> str | None:
    """The token in a handshake's headers; None where there is none."""
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        if name.lower() == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() == "bearer" else None
    return None
