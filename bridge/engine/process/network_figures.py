"""Figures of the network between the daemon and a remote engine, measured on real requests."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.events import NetworkChanged

LEAST_BYTES = 2**16
"""The rate of fewer bytes is not measured: they come in one piece."""


@dataclass(frozen=True)
class NetworkFigures:
    """How far away a remote engine is.

    Attributes:
        round_trip_seconds: from a request to its first answer.
        bytes_per_second: while a message arrives; the network's rate, not the engine's. None: no
            request has brought enough audio yet.
    """

    round_trip_seconds: float
    bytes_per_second: float | None = None

    def as_event(self) -> NetworkChanged:
        """The figures as they are published: more digits are noise."""
        rate = float(f"{(self.bytes_per_second or 0.0) / 1e6:.3g}")
        return NetworkChanged(round(1000 * self.round_trip_seconds, 1), rate)


class TransferMeter:
    """Measures how fast the bytes of messages arrive.

    A message's first piece begins its measurement, so that the time in which the engine makes the
    message does not count.

    Attributes:
        bytes_received: how many have arrived.
    """

    def __init__(self) -> None:
        self.bytes_received = 0
        self._is_within_message = False
        self._last_seconds = 0.0
        self._bytes, self._seconds = 0, 0.0

    def received(self, count: int, now_seconds: float) -> None:
        """Take in that so many bytes arrived at a time, on any clock that never runs back."""
        self.bytes_received += count
        if self._is_within_message:
            self._bytes += count
            self._seconds += now_seconds - self._last_seconds
        self._is_within_message, self._last_seconds = True, now_seconds

    def message_ended(self) -> None:
        """Take in that the bytes so far complete a message."""
        self._is_within_message = False

    @property
    def bytes_per_second(self) -> float | None:
        """The rate so far; None: not measured yet."""
        is_enough = self._bytes >= LEAST_BYTES and self._seconds > 0
        return self._bytes / self._seconds if is_enough else None
