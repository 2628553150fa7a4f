"""What strangers meet first: a layer before Serve's router, in each of its proxies.

Without it, connections that are refused later or send nothing take the places of those that are
wanted: a replica and its proxies take a bounded number.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from pathlib import Path
from typing import Any

from bridge.errors import BridgeError, NotAuthorized
from bridge.process.tasks import keep_running
from bridge.serving.asgi import POLICY_VIOLATION, Receive, Scope, Send, bearer
from bridge.serving.tokens import Token, TokenWatch

SPARE_CONNECTIONS = 8
"""Connections of a token beside the requests that it may have: those that are refused, and those
that ask whether the engine is there."""
WITHOUT_ROOM = 503
CALLBACK_VARIABLE = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"
TOKENS_VARIABLE = "MELODY_BRIDGE_SERVE_TOKENS"

_log = logging.getLogger(__name__)


class Gate:
    """An ASGI application before another: it refuses unknown tokens, and too many connections.

    The replicas check the tokens too: a proxy may run on a machine without the file.
    """

    def __init__(self, app: Any, tokens: Path | None = None) -> None:
        """Args:
        app: what is behind it.
        tokens: the file of the tokens that are accepted; None: everyone may pass.
        """
        self._app = app
        self._tokens: TokenWatch | None = None
        self._refresher: asyncio.Task[None] | None = None
        self._connections: Counter[str] = Counter()
        if tokens is not None:
            try:
                self._tokens = TokenWatch(tokens)
            except BridgeError as error:
                _log.warning("the replicas alone check the tokens: %s", error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http":
            await self._app(scope, receive, _closing(send))
        elif scope["type"] == "websocket" and self._tokens is not None:
            await self._check(self._tokens, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _check(self, tokens: TokenWatch, scope: Scope, receive: Receive, send: Send) -> None:
        if self._refresher is None:
            self._refresher = keep_running("watching the tokens", tokens.follow)
        try:
            token = tokens.find(bearer(scope["headers"]))
        except NotAuthorized:
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        if self._connections[token.name] >= _most_connections(token):
            await send(
                {"type": "websocket.http.response.start", "status": WITHOUT_ROOM, "headers": []}
            )
            await send({"type": "websocket.http.response.body", "body": b""})
            return
        self._connections[token.name] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._connections[token.name] -= 1
            if not self._connections[token.name]:
                del self._connections[token.name]


def _most_connections(token: Token) -> int:
    return token.limits.requests + SPARE_CONNECTIONS


def _closing(send: Send) -> Send:
    """Close a connection after its answer: a second request could take for ever to come."""

    async def send_and_close(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"connection", b"close")]
            message = {**message, "headers": headers}
        await send(message)

    return send_and_close


def proxy_environment(tokens: Path | None) -> dict[str, str]:
    """The environment of Ray in which Serve's proxies have the gate.

    Args:
        tokens: the file of the tokens that are accepted; None: everyone may pass.
    """
    return {
        CALLBACK_VARIABLE: f"{__name__}:{proxy_layers.__name__}",
        TOKENS_VARIABLE: "" if tokens is None else str(tokens.resolve()),
    }


def proxy_layers() -> list[Any]:
    """The layers for Serve's proxies, which call this by its path in the environment."""
    from starlette.middleware import Middleware

    tokens = os.environ.get(TOKENS_VARIABLE)
    return [Middleware(ProxyGate, tokens=Path(tokens) if tokens else None)]


class ProxyGate(Gate):
    """The gate in a proxy of Serve, whose web server then closes connections that are half-open."""

    def __init__(self, app: Any, tokens: Path | None = None) -> None:
        from uvicorn import config

        # Serve makes its layers before its web server, and has no setting for the protocol.
        config.HTTP_PROTOCOLS["auto"] = "bridge.serving.heads:HeadsProtocol"
        super().__init__(app, tokens)
