"""A kept child is replaced when it ends or is blocked, and stops in good order."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from bridge.process import kept
from bridge.process.kept import KeptChild
from tests.children import is_blocked, steps
from tests.peers.wait import PATIENCE_SECONDS
from tests.processes import KILL


class Observed:
    """A kept child, its messages and its faults.

    Attributes:
        ended: how many of its processes have been reported as ended.
        watched: what its owner finds of the process; a fault once.
    """

    def __init__(self, target: Callable[..., None], *arguments: Any) -> None:
        self.messages: list[object] = []
        self.faults: list[str] = []
        self.ended = 0
        self.watched: str | None = None
        self.kept = KeptChild(
            target,
            lambda: arguments,
            name="test process",
            on_message=self.messages.append,
            on_fault=self.faults.append,
            on_ended=self._count_end,
            watch=self._watch,
        )

    def _watch(self) -> str | None:
        found = self.watched
        if found:
            self.watched = None
        return found

    def _count_end(self) -> None:
        self.ended += 1

    async def until(self, reached: Callable[[], object]) -> None:
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while not reached():
            assert time.perf_counter() < deadline, (self.messages, self.faults)
            await asyncio.sleep(0.01)


def test_a_process_that_ends_is_started_again_and_stops_in_good_order() -> None:
    async def run() -> None:
        observed = Observed(steps, "here")
        observed.kept.start()
        await observed.until(lambda: observed.messages == ["here"])
        pid = observed.kept.pid
        assert pid is not None
        os.kill(pid, KILL)
        await observed.until(lambda: observed.messages == ["here", "here"])
        (fault,) = observed.faults
        assert fault.startswith("the test process ended (")
        assert observed.kept.pid not in (pid, None)
        await observed.kept.stop()
        assert observed.kept.pid is None
        assert observed.messages == ["here", "here", "stopped"]
        assert len(observed.faults) == 1

    asyncio.run(run())


def test_a_process_that_a_driver_blocks_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "STUCK_SECONDS", 1.0)

    async def run() -> None:
        observed = Observed(is_blocked)
        observed.kept.start()
        await observed.until(lambda: observed.kept.pid)
        pid = observed.kept.pid
        await observed.until(lambda: observed.kept.pid not in (pid, None))
        assert "a driver blocks the test process, which is replaced" in observed.faults
        await observed.kept.stop()

    asyncio.run(run())


def test_a_process_whose_owner_finds_a_fault_is_replaced_after_its_things_are_freed() -> None:
    async def run() -> None:
        observed = Observed(steps, "here")
        observed.kept.start()
        await observed.until(lambda: observed.messages == ["here"])
        pid = observed.kept.pid
        observed.watched = "it gives no more audio"
        await observed.until(lambda: observed.messages == ["here", "here"])
        assert observed.faults == ["it gives no more audio"]
        assert observed.ended == 1 and observed.kept.pid not in (pid, None)
        await observed.kept.stop()
        assert observed.ended == 2

    asyncio.run(run())


def test_a_process_whose_owner_sees_it_work_is_not_judged_by_its_main_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept, "STUCK_SECONDS", 0.5)

    async def run() -> None:
        observed = Observed(is_blocked)
        observed.watched = kept.NO_FAULT
        observed.kept.start()
        await observed.until(lambda: observed.kept.pid)
        # Longer than the limit that is not to count.
        await asyncio.sleep(1.5)
        assert observed.faults == []
        observed.watched = None
        await observed.until(lambda: observed.faults)
        await observed.kept.stop()

    asyncio.run(run())
