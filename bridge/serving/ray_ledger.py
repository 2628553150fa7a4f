"""The ledger of tokens as an actor of Ray: one for all replicas of a cluster.

The replica that comes first makes it, and it ends with that replica. Another replica then makes the
next, so that nothing is left on the cluster after the last one.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from typing import Any

from bridge.serving.ledger import Ledger
from bridge.serving.shared_limits import LedgerGone

NAME, NAMESPACE = "token-ledger", "melody-bridge"
CALL_SECONDS = 2.0
"""How long a request waits for the ledger, before its replica counts alone."""
CONNECT_SECONDS = 60.0
"""How long the ledger's process may take to start, on a busy machine."""
MOST_PENDING = 1000
"""Calls of one replica that may wait for the ledger."""


class RayLedgerLine:
    """The `LedgerLine` of a replica on Ray."""

    def __init__(self) -> None:
        self._actor: Any = None
        # Ray waits for its control store here, however long that takes; nothing else may wait too.
        self._thread = ThreadPoolExecutor(1, "ledger")

    async def connect(self) -> None:
        """See `LedgerLine`."""
        errors = import_module("ray.exceptions")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                self._actor = await loop.run_in_executor(self._thread, _found_or_made)
                await self._actor.__ray_ready__.remote()
        except (TimeoutError, ValueError, errors.RayError) as error:
            raise LedgerGone(_reason(error)) from error

    async def call(self, method: str, *arguments: Any) -> Any:
        """See `LedgerLine`."""
        errors = import_module("ray.exceptions")
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await getattr(self._actor, method).remote(*arguments)
        except (TimeoutError, errors.RayError) as error:
            raise LedgerGone(_reason(error)) from error

    def post(self, method: str, *arguments: Any) -> None:
        """See `LedgerLine`."""
        with suppress(import_module("ray.exceptions").RayError):
            getattr(self._actor, method).remote(*arguments)


def _found_or_made() -> Any:
    ray = import_module("ray")
    return (
        ray.remote(Ledger)
        .options(
            name=NAME,
            namespace=NAMESPACE,
            get_if_exists=True,
            num_cpus=0,
            max_pending_calls=MOST_PENDING,
        )
        .remote()
    )


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
