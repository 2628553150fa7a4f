"""The engine as an ASGI application: one replica, whatever server runs it.

Ray Serve runs it in production; nothing here needs Ray.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.commands import Precision
from bridge.engine import Engine
from bridge.errors import BridgeError
from bridge.process.tasks import keep_running
from bridge.serving.asgi import Receive, Scope, Send
from bridge.serving.conversation import Conversation
from bridge.serving.replica import Replica
from bridge.serving.shared_limits import LedgerLine, SharedLimiter
from bridge.serving.tokens import TokenWatch

BROKEN_STATUS = 70
"""The exit status of a replica whose device has failed."""
LAST_WORDS_SECONDS = 1.0
"""How long a replica whose device has failed goes on, so that the error reaches its client."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReplicaSettings:
    """What each replica runs.

    Attributes:
        model, device, decoder, precision: as for `bridge.engine.load`.
        tokens: the file of the tokens that are accepted, on the replica's machine; None: everyone
            who reaches the server may use it.
    """

    model: str
    device: str | None = None
    decoder: str | None = None
    precision: Precision = "exact"
    tokens: Path | None = None

    def load(self) -> Engine:
        """Load the model."""
        from bridge.engine import load
        from bridge.engine.threads import let_idle_threads_sleep

        let_idle_threads_sleep()
        return load(self.model, device=self.device, decoder=self.decoder, precision=self.precision)


class Application:
    """The ASGI application of one replica."""

    def __init__(
        self,
        settings: ReplicaSettings,
        load: Callable[[], Engine] | None = None,
        line: LedgerLine | None = None,
    ) -> None:
        """Load nothing yet.

        Args:
            load: replaces `settings.load`.
            line: to what all replicas count for the tokens; None: this is the only replica.
        """
        self._load = load or settings.load
        self._tokens = TokenWatch(settings.tokens) if settings.tokens is not None else None
        self._limiter = SharedLimiter(line)
        self._replica: Replica | None = None
        self._refresher: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            assert self._replica is not None
            conversation = Conversation(
                self._replica, receive, send, tokens=self._tokens, limiter=self._limiter
            )
            await conversation.run(scope)
        else:
            await _explain(send)

    async def start(self) -> None:
        """Load the model. Its lifespan does that too, where it has not been done.

        Raises:
            BridgeError: the model or the device cannot be used.
        """
        loop = asyncio.get_running_loop()

        def end_soon() -> None:
            loop.call_soon_threadsafe(loop.call_later, LAST_WORDS_SECONDS, os._exit, BROKEN_STATUS)

        replica = Replica(self._load, end_soon)
        await replica.start()
        self._replica = replica
        if self._tokens is not None:
            self._refresher = keep_running("watching the tokens", self._tokens.follow)
            await self._limiter.start()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        if self._replica is None:
            try:
                await self.start()
            except BridgeError as error:
                _log.error("%s", error)
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._refresher is not None:
            self._refresher.cancel()
        self._limiter.stop()
        if self._replica is not None:
            await self._replica.stop()
        await send({"type": "lifespan.shutdown.complete"})


async def _explain(send: Send) -> None:
    """Answer HTTP: a person with a browser, or a probe for a sign of life."""
    body = b"An engine of Melody Bridge: run the daemon with --engine and this address.\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
