"""A player for a test, with helpers that wait for it and place commands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
from numpy.typing import NDArray

from bridge.soundcard.clip_memory import ClipMemory
from bridge.soundcard.listener import Listener
from bridge.soundcard.output_report import OutputStatus
from bridge.soundcard.player import Player
from tests.peers.wait import PATIENCE_SECONDS


class ObservedPlayer:
    """A player and the states that it has reported.

    Attributes:
        states: in order, without repetitions.
        clips: that were loaded, by number; for a mixer that plays the same offline.
    """

    def __init__(self, selection: str | int | None) -> None:
        self.states: list[str] = []
        self.clips: dict[int, ClipMemory] = {}
        self.player = Player(selection, self._on_change)

    @property
    def status(self) -> OutputStatus:
        """The newest status."""
        status = self.player.status
        assert status is not None
        return status

    async def until(self, reached: Callable[[], object], what: str) -> None:
        """Wait until `reached` is true; after the patience, fail with `what` in the message."""
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while not reached():
            assert time.perf_counter() < deadline, f"no {what}; {self.states} {self.player.detail}"
            await asyncio.sleep(0.005)

    async def ready(self, times: int = 1) -> None:
        """Wait until it has become ready that many times."""
        await self.until(lambda: self.states.count("ready") >= times, f"ready {times} times")

    async def reaches(self, frame: int) -> None:
        """Wait until the output has come to that frame."""
        await self.until(lambda: self.status.frame > frame, f"frame {frame}")

    async def load(self, samples: NDArray[np.float32]) -> int:
        """Load a clip; return its number."""
        clip = self.player.new_clip(len(samples))
        clip.append(samples)
        self.player.load(clip)
        self.clips[clip.number] = clip
        return clip.number

    def _on_change(self) -> None:
        if self.states[-1:] != [self.player.state]:
            self.states.append(self.player.state)


@asynccontextmanager
async def observed_player(selection: str | int | None = None) -> AsyncIterator[ObservedPlayer]:
    """Start a player in a process of its own, and stop it at the end."""
    observed = ObservedPlayer(selection)
    observed.player.start()
    try:
        yield observed
    finally:
        await observed.player.stop()


@asynccontextmanager
async def observed_duplex(
    input_: str | int | None = None, output: str | int | None = None
) -> AsyncIterator[tuple[Listener, ObservedPlayer]]:
    """Start a listener with a player, and stop both at the end."""
    observed = ObservedPlayer(output)
    listener = Listener(input_, lambda change: None, output=observed.player)
    listener.start()
    try:
        yield listener, observed
    finally:
        await listener.stop()
        await observed.player.stop()
