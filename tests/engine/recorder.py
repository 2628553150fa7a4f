"""Records what a supervisor reports, in order, and waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bridge.engine import Request
from bridge.engine.process.job import Job
from bridge.engine.process.supervisor import Supervisor
from bridge.events import EngineState
from tests.engine.process.stand_in import stand_in

PATIENCE_SECONDS = 60.0


class Recorder:
    """What a supervisor has reported.

    Attributes:
        states: each state, with its sentence.
        shares: each share done that any job reported.
    """

    def __init__(self) -> None:
        self.states: list[tuple[EngineState, str]] = []
        self.shares: list[float] = []
        self._news = asyncio.Event()

    def state(self, state: EngineState, detail: str) -> None:
        self.states.append((state, detail))
        self._news.set()

    def share(self, share: float) -> None:
        self.shares.append(share)
        self._news.set()

    @property
    def names(self) -> list[str]:
        """The states without their sentences."""
        return [state for state, _ in self.states]

    async def until(
        self, condition: Callable[[], object], seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Wait for a condition, which is checked after each report.

        Raises:
            TimeoutError: the condition does not hold in that time.
        """
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def until_generating(self, supervisor: Supervisor, request: Request) -> Job:
        """Submit a request, and return once the engine has made a part of it."""
        before = len(self.shares)
        job = supervisor.submit(request, self.share)
        await self.until(lambda: len(self.shares) > before)
        return job


@asynccontextmanager
async def supervised(
    target: Callable[..., None] = stand_in,
    *,
    model: str = "stand-in",
    device: str | None = "cpu",
    **options: Any,
) -> AsyncIterator[tuple[Supervisor, Recorder]]:
    """A supervisor that is started, and stopped at the end."""
    recorder = Recorder()
    supervisor = Supervisor(model, device, recorder.state, target=target, **options)
    supervisor.start()
    try:
        yield supervisor, recorder
    finally:
        await supervisor.stop()
