"""A listener that runs for as long as a test needs it, and waiting for what it tells."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bridge.commands import InputChanged
from bridge.soundcard.listener import Listener
from bridge.soundcard.ring import Ring
from tests.peers.wait import PATIENCE_SECONDS


class Listening:
    """A listener and all that it has told.

    Attributes:
        changes: what it told, each with the time it was told at.
    """

    def __init__(self, selection: str | int | None) -> None:
        self.changes: list[tuple[float, InputChanged]] = []
        self.listener = Listener(
            selection, lambda change: self.changes.append((time.perf_counter(), change))
        )

    @property
    def ring(self) -> Ring:
        """The ring that there is now."""
        assert self.listener.ring is not None
        return self.listener.ring

    @property
    def states(self) -> list[str]:
        """The states told so far, one for each change of them."""
        states = [change.state for _, change in self.changes]
        return [state for last, state in zip(["", *states], states, strict=False) if state != last]

    async def until(self, reached: Callable[[], object], what: str) -> None:
        """Wait until it is true; an AssertionError that names it if it never is."""
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while not reached():
            assert time.perf_counter() < deadline, f"no {what}; {self.changes}"
            await asyncio.sleep(0.005)

    async def ready(self, times: int = 1) -> None:
        """Wait until it has become ready so often."""
        await self.until(lambda: self.states.count("ready") >= times, f"ready {times} times")

    async def lost_after(self, seconds: float) -> float:
        """Wait until it is told as lost; how long after that instant that was."""
        await self.until(lambda: self.states[-1:] == ["lost"], "lost")
        return [states for states, change in self.changes if change.state == "lost"][-1] - seconds

    async def goes_on(self) -> None:
        """Wait until more audio has come."""
        ring, start = self.ring, self.ring.frames_written
        await self.until(lambda: ring.frames_written > start, "more audio")


@asynccontextmanager
async def listening(selection: str | int | None = None) -> AsyncIterator[Listening]:
    """A listener, started; stopped in the end."""
    listening = Listening(selection)
    listening.listener.start()
    try:
        yield listening
    finally:
        await listening.listener.stop()
