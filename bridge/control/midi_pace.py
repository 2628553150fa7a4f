"""Pace for the commands of one MIDI control: a sweep of a fader becomes a few of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

COMMANDS_A_SECOND = 30
"""Of one control. A fader sends some hundred values a second, and nobody hears so many."""

Value = TypeVar("Value")


class Pace(Generic[Value]):
    """Passes values on, at most `COMMANDS_A_SECOND`: of those that come faster only the last.

    The first value passes at once, and the last one always does. For the event loop's thread.

    Args:
        send: called with each value that passes.
    """

    def __init__(self, send: Callable[[Value], None]) -> None:
        self._send = send
        self._next_seconds = float("-inf")
        self._waiting: tuple[Value] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def offer(self, value: Value) -> None:
        """Pass a value on, now or a little later, unless another comes before that."""
        wait_seconds = self._next_seconds - time.perf_counter()
        if self._timer is None and wait_seconds <= 0:
            self._pass(value)
            return
        self._waiting = (value,)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait_seconds, self._on_time)

    def close(self) -> None:
        """Pass nothing more."""
        self._waiting = None
        if self._timer is not None:
            self._timer.cancel()

    def _on_time(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._pass(waiting[0])

    def _pass(self, value: Value) -> None:
        self._next_seconds = time.perf_counter() + 1 / COMMANDS_A_SECOND
        self._send(value)
