"""Pace for what the OSC endpoint does and sends, so that nobody's flood drowns anybody else."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

from bridge.events import Event

SENT_A_SECOND = 4000.0
"""Datagrams of all answers together. A client in Python reads 20,000 a second."""
SENT_AT_ONCE = 64
"""A socket's usual receive buffer holds 250 datagrams: clients lose nothing."""
MOST_WAITING = 512
"""Answers that wait. The last of them, of four datagrams each, waits half a second."""
_STEP_SECONDS = 0.01


class Allowance:
    """So much a second on average, and so much at once (a token bucket).

    Args:
        a_second: how fast the allowance grows.
        at_once: how large it becomes.
        clock: returns seconds.
    """

    def __init__(
        self, a_second: float, at_once: float, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._a_second, self._at_once, self._clock = a_second, at_once, clock
        self._left, self._counted_seconds = at_once, clock()

    @property
    def left(self) -> float:
        """What may be taken now; below zero after `charge` took more than there was."""
        now = self._clock()
        grown = max(now - self._counted_seconds, 0.0) * self._a_second
        self._left, self._counted_seconds = min(self._left + grown, self._at_once), now
        return self._left

    def take(self, amount: float = 1.0) -> bool:
        """Take an amount, if there is as much. Return whether there was."""
        if self.left < amount:
            return False
        self._left -= amount
        return True

    def charge(self, amount: float) -> None:
        """Take an amount that was used already."""
        self._left = self.left - amount


class Replies:
    """Answers to single clients: each goes to one port, and all of them share one pace.

    An answer has a key, such as its request's id. While it waits, the same question is not answered
    twice. Answers take turns, so a long one delays a short one by a few datagrams only.

    Args:
        send: sends an event to a port; never waits or fails.
    """

    def __init__(self, send: Callable[[int, Event], None]) -> None:
        self._send = send
        self._allowance = Allowance(SENT_A_SECOND, SENT_AT_ONCE)
        self._waiting: dict[tuple[int, str], deque[Event]] = {}
        self._whole: dict[tuple[int, str], Sequence[Event]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def answer(self, port: int, key: str, events: Sequence[Event]) -> bool:
        """Send an answer in place of one with this key that waits for this port.

        Returns:
            Whether there was room for it.
        """
        place = (port, key)
        if self._whole.get(place) == events:
            return True
        if not self._has_room(place):
            return False
        self._waiting[place], self._whole[place] = deque(events), events
        self._send_some()
        return True

    def append(self, port: int, key: str, event: Event) -> bool:
        """Send an event after those with this key that wait for this port.

        Returns:
            Whether there was room for it.
        """
        place = (port, key)
        if not self._has_room(place):
            return False
        self._waiting.setdefault(place, deque()).append(event)
        self._send_some()
        return True

    def close(self) -> None:
        """Send nothing more."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _has_room(self, place: tuple[int, str]) -> bool:
        return place in self._waiting or len(self._waiting) < MOST_WAITING

    def _send_some(self) -> None:
        if self._timer is None:
            self._continue()

    def _continue(self) -> None:
        self._timer = None
        while self._waiting:
            if not self._allowance.take():
                self._timer = asyncio.get_running_loop().call_later(_STEP_SECONDS, self._continue)
                return
            place = next(iter(self._waiting))
            events = self._waiting.pop(place)
            self._send(place[0], events.popleft())
            if events:
                self._waiting[place] = events
            else:
                self._whole.pop(place, None)
