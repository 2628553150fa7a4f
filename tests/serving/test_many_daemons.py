"""Eight players at one server: each request ends once, and none has more than another."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import cast

import numpy as np
import pytest

from bridge.engine import Chunk, Engine, Request
from tests.engine.process.stand_in import StandIn
from tests.peers.daemon import Client, Received, running
from tests.serving.served import served

DAEMONS = 8
PLAYED_SECONDS = 60.0
REQUEST_SECONDS = 0.5
"""How long the engine takes for one request: the queue is never empty."""
OUTSTANDING = 2
"""Requests of each daemon at a time."""
ENDS = ("/bridge/done", "/bridge/error")


class Paced(StandIn):
    """An engine that takes as long for each request."""

    def _chunks(
        self, request: Request, progress: Callable[[float], None], cancelled: Event
    ) -> Generator[Chunk, None, None]:
        time.sleep(REQUEST_SECONDS)
        yield from super()._chunks(request, progress, cancelled)


class Player:
    """A client of a daemon that always has some requests under way."""

    def __init__(self, client: Client) -> None:
        self._client, self._sent = client, 0
        self._sent_seconds: dict[str, float] = {}

    def warm_up(self) -> None:
        """Have a first clip made: a daemon that has just started loads its libraries meanwhile."""
        self.play()
        self.finish()

    def play(self) -> None:
        """Ask again for what has ended."""
        while self._sent - len(self.ends()) < OUTSTANDING:
            id = f"me-{self._sent}"
            self._sent += 1
            self._sent_seconds[id] = time.perf_counter()
            settings = ("melody", "none", "prompt", "keys", "bars", 1, "tempo_bpm", 240)
            self._client.send("/bridge/generate", id, *settings, "seed", 7)

    def ends(self) -> list[str]:
        """The ids of the requests that have ended, in their order."""
        return [str(each.arguments[0]) for each in self._events()]

    def finish(self) -> None:
        """Wait for the end of all requests, and check that each has ended once, with a clip."""
        for id in self._sent_seconds:
            assert self._client.done(id), id
        self._client.sync()
        assert sorted(self.ends()) == sorted(self._sent_seconds)

    def seconds(self) -> list[float]:
        """How long each request took."""
        return [
            each.seconds - self._sent_seconds[str(each.arguments[0])] for each in self._events()
        ]

    def _events(self) -> list[Received]:
        return [each for each in list(self._client.events) if each.address in ENDS]


@pytest.mark.slow
@pytest.mark.exclusive
def test_eight_daemons_have_equal_shares_of_an_engine(tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(served(load=lambda: cast(Engine, Paced("paced", "cpu"))))
        players = []
        for number in range(DAEMONS):
            folder = tmp_path / str(number)
            daemon = stack.enter_context(running(folder, "--engine", url)).ready()
            players.append(Player(stack.enter_context(Client(daemon.port))))
        for player in players:
            player.warm_up()
        before = [len(player.ends()) for player in players]
        until_seconds = time.perf_counter() + PLAYED_SECONDS
        while time.perf_counter() < until_seconds:
            for player in players:
                player.play()
            time.sleep(0.02)
        counts = [len(player.ends()) - count for player, count in zip(players, before, strict=True)]
        for player in players:
            player.finish()
        seconds = [each for player in players for each in player.seconds()]
    p50, p95 = np.percentile(seconds, [50, 95])
    print(f"{counts} requests; {p50:.2f} s p50, {p95:.2f} s p95")
    assert min(counts) >= 1
    assert max(counts) - min(counts) <= max(0.2 * float(np.mean(counts)), 1), counts
