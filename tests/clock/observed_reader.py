"""A clock reader for a test, with what it hands over and helpers that wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bridge.clock.reader import ClockReader, ReadSource, SourceState
from bridge.clock.source import SessionTempo
from bridge.commands import Transport
from tests.peers.wait import PATIENCE_SECONDS


class ObservedReader:
    """A reader, and all that it has handed over.

    Attributes:
        readings, states: in order.
    """

    def __init__(self, source: ReadSource, session: SessionTempo) -> None:
        self.readings: list[Transport] = []
        self.states: list[SourceState] = []
        self.reader = ClockReader(
            source,
            lambda _, reading: self.readings.append(reading),
            lambda _, state: self.states.append(state),
            session,
        )

    async def until(self, reached: Callable[[], object], what: str) -> None:
        """Wait until `reached` is true; after the patience, fail with `what` in the message."""
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while not reached():
            assert time.perf_counter() < deadline, f"no {what}; {self.states}; {self.readings[-3:]}"
            await asyncio.sleep(0.005)

    async def reading(self, fits: Callable[[Transport], object], what: str) -> Transport:
        """Wait for a reading from now on that fits."""
        first = len(self.readings)
        await self.until(lambda: any(map(fits, self.readings[first:])), what)
        return next(filter(fits, self.readings[first:]))

    async def more(self, count: int) -> list[Transport]:
        """Wait for that many readings from now on."""
        first = len(self.readings)
        await self.until(lambda: len(self.readings) >= first + count, f"{count} readings")
        return self.readings[first : first + count]

    async def state(self, fits: Callable[[SourceState], object], what: str) -> SourceState:
        """Wait until the newest state fits."""
        await self.until(lambda: fits(self.reader.state), what)
        return self.reader.state


@asynccontextmanager
async def observed_reader(
    source: ReadSource, session: SessionTempo | None = None
) -> AsyncIterator[ObservedReader]:
    """Start a reader, and stop it at the end."""
    observed = ObservedReader(source, session or SessionTempo())
    observed.reader.start()
    try:
        yield observed
    finally:
        await observed.reader.stop()
