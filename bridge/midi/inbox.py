"""What the ports of the MIDI process have received, until it is sent to the daemon."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from bridge.midi.stream import MessageStream

MOST_BYTES = 4 << 20
"""Limit of what waits, at `OVERHEAD_BYTES` for each delivery and its data."""
OVERHEAD_BYTES = 200
MOST_TAKEN = 256
"""Deliveries in one batch."""


@dataclass(frozen=True)
class Source:
    """An open input.

    Attributes:
        name: the port's.
        stream: splits its data into messages; used by the inbox's reader alone.
    """

    name: str
    stream: MessageStream


class Delivery(NamedTuple):
    """Bytes that came together.

    Attributes:
        seconds: when they were played, on `time.perf_counter`.
        source: the input.
        data: may hold several messages, or part of one.
    """

    seconds: float
    source: Source
    data: bytes


class Inbox:
    """A bounded queue from the drivers' threads to one reader.

    Attributes:
        dropped: messages that found no room, here or in an output's queue.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._deliveries: deque[Delivery] = deque()
        self._bytes = 0
        self._arrived = threading.Condition()

    def source(self, name: str) -> Source:
        """Make the source for an input that was opened."""
        return Source(name, MessageStream(self.count_dropped))

    def put(self, delivery: Delivery) -> None:
        """Add a delivery; drop and count it when the queue is full."""
        with self._arrived:
            if self._bytes + _size(delivery) > MOST_BYTES:
                self.dropped += 1
                return
            self._bytes += _size(delivery)
            self._deliveries.append(delivery)
            self._arrived.notify()

    def count_dropped(self) -> None:
        """Count a message that was dropped elsewhere."""
        with self._arrived:
            self.dropped += 1

    def take(self) -> list[Delivery]:
        """Wait for deliveries; return those that are there, `MOST_TAKEN` at most."""
        with self._arrived:
            while not self._deliveries:
                self._arrived.wait()
            count = min(len(self._deliveries), MOST_TAKEN)
            taken = [self._deliveries.popleft() for _ in range(count)]
            self._bytes -= sum(map(_size, taken))
            return taken


def _size(delivery: Delivery) -> int:
    return len(delivery.data) + OVERHEAD_BYTES
