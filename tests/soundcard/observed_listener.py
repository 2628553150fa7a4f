"""A listener for a test, with the changes that it reports and helpers that wait for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bridge.events import InputChanged
from bridge.soundcard.channels import Channels
from bridge.soundcard.listener import Listener
from bridge.soundcard.ring import Ring
from tests.peers.wait import PATIENCE_SECONDS


class ObservedListener:
    """A listener and all changes that it has reported.

    Attributes:
        changes: each with the time of the report.
    """

    def __init__(self, selection: str | int | None, channels: Channels = None) -> None:
        self.changes: list[tuple[float, InputChanged]] = []
        self.listener = Listener(
            selection,
            lambda change: self.changes.append((time.perf_counter(), change)),
            channels=channels,
        )

    @property
    def ring(self) -> Ring:
        """The current ring."""
        assert self.listener.ring is not None
        return self.listener.ring

    @property
    def states(self) -> list[str]:
        """The reported states in order, without repetitions."""
        states = [change.state for _, change in self.changes]
        return [state for last, state in zip(["", *states], states, strict=False) if state != last]

    async def until(self, reached: Callable[[], object], what: str) -> None:
        """Wait until `reached` is true; after the patience, fail with `what` in the message."""
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while not reached():
            assert time.perf_counter() < deadline, f"no {what}; {self.changes}"
            await asyncio.sleep(0.005)

    async def ready(self, times: int = 1) -> None:
        """Wait until it has become ready that many times."""
        await self.until(lambda: self.states.count("ready") >= times, f"ready {times} times")

    async def seconds_until_lost(self, seconds: float) -> float:
        """Wait until it reports the input as lost; return how long after `seconds` that was."""
        await self.until(lambda: self.states[-1:] == ["lost"], "lost")
        return [reported for reported, change in self.changes if change.state == "lost"][
            -1
        ] - seconds

    async def receives_audio(self) -> None:
        """Wait until more audio has come."""
        ring, start = self.ring, self.ring.frames_written
        await self.until(lambda: ring.frames_written > start, "more audio")


@asynccontextmanager
async def observed_listener(
    selection: str | int | None = None, channels: Channels = None
) -> AsyncIterator[ObservedListener]:
    """Start a listener, and stop it at the end."""
    observed = ObservedListener(selection, channels)
    observed.listener.start()
    try:
        yield observed
    finally:
        await observed.listener.stop()
