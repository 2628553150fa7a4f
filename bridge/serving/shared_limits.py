"""A replica's side of the limits of tokens: counted with all other replicas, or alone.

The replica always keeps its own count. While the ledger cannot be reached it goes by that, so the
server as a whole may then admit as many times the limits as it has replicas; the next ledger begins
with what the replicas have counted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from typing import Any, Protocol

from bridge.errors import LimitReached
from bridge.process.tasks import keep_running
from bridge.serving.ledger import RENEW_SECONDS, Entry
from bridge.serving.limits import Admission, Limiter, Limits

_log = logging.getLogger(__name__)


class LedgerGone(Exception):
    """The ledger does not answer."""


class LedgerLine(Protocol):
    """The way to a `Ledger` in another process."""

    async def connect(self) -> None:
        """Find the ledger, or make one where there is none; raises `LedgerGone`."""

    async def call(self, method: str, *arguments: Any) -> Any:
        """The result of a method of `Ledger`; raises `LedgerGone`."""

    def post(self, method: str, *arguments: Any) -> None:
        """Call a method and wait for nothing. Calls arrive in the order in which they are made."""


class SharedLimiter:
    """Admits requests under the limits of their tokens. It belongs to one event loop."""

    def __init__(self, line: LedgerLine | None = None) -> None:
        """Args:
        line: None: this replica is the only one.
        """
        self._line, self._own = line, Limiter()
        self._name = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._at_work: dict[int, Admission] = {}
        self._has_joined = False
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Join the ledger, and stay joined until `stop`."""
        if self._line is not None:
            await self._join(self._line)
            line = self._line
            self._keeper = keep_running("counting with other replicas", lambda: self._keep(line))

    def stop(self) -> None:
        """Give no more signs of life: the ledger soon takes this replica for gone."""
        if self._keeper is not None:
            self._keeper.cancel()

    async def admit(self, name: str, limits: Limits, seconds: float) -> Admission:
        """Admit a request, which counts as at work until `close`.

        Args:
            name, limits, seconds: as for `Limiter.admit`.

        Raises:
            LimitReached: the token has no room for it now, or never.
        """
        admission = self._own.admit(name, limits, seconds)
        self._at_work[admission.number] = admission
        if self._line is None or not self._has_joined:
            return admission
        try:
            refusal = await self._line.call(
                "admit", self._name, admission.number, name, limits, admission.seconds
            )
        except LedgerGone as error:
            self._lose(error)
            return admission
        except asyncio.CancelledError:
            self.close(admission, 0.0)
            raise
        if isinstance(refusal, LimitReached):
            del self._at_work[admission.number]
            self._own.withdraw(admission)
            raise refusal
        return admission

    def close(self, admission: Admission, made_seconds: float) -> None:
        """End a request, as `Admission.close`."""
        admission.close(made_seconds)
        self._at_work.pop(admission.number, None)
        if self._line is not None and self._has_joined:
            self._line.post("close", self._name, admission.number, made_seconds)

    def withdraw(self, admission: Admission) -> None:
        """Count a request that the replica has refused as if it had never been admitted."""
        self._own.withdraw(admission)
        self._at_work.pop(admission.number, None)
        if self._line is not None and self._has_joined:
            self._line.post("withdraw", self._name, admission.number)

    async def _keep(self, line: LedgerLine) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            if self._has_joined:
                try:
                    self._has_joined = await line.call("renew", self._name, set(self._at_work))
                except LedgerGone as error:
                    self._lose(error)
            if not self._has_joined:
                await self._join(line)

    async def _join(self, line: LedgerLine) -> None:
        try:
            await line.connect()
            # From here on calls follow the entries, which say what was counted before.
            self._has_joined = True
            await line.call("join", self._name, self._entries())
        except LedgerGone as error:
            self._lose(error)

    def _entries(self) -> list[Entry]:
        return [
            Entry(each.number, each.name, self._own.age_seconds(each), each.seconds, each.is_open)
            for each in self._own.counted()
        ]

    def _lose(self, error: LedgerGone) -> None:
        if self._has_joined:
            _log.warning("the replicas do not count together for now: %s", error)
        self._has_joined = False
