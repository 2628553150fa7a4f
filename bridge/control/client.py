"""A client of the daemon in another process: a socket, a subscription, and the events received."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bridge.control.packets import Argument, InvalidPacket, read_packet, write_message
from bridge.errors import BridgeError

HOST = "127.0.0.1"
HELLO = "/bridge/hello"
HELLO_SECONDS = 1.0
"""How long to wait for the hello, as docs/osc.md says; a daemon answers at once."""
RENEW_SECONDS = 5.0
"""How often to renew the subscription, which lasts 30 s."""
LOST_SECONDS = 3 * RENEW_SECONDS
"""A daemon that sends nothing for this long is gone."""
MOST_BYTES = 65_536
"""Longest datagram of UDP."""


class DaemonSilent(BridgeError):
    """No daemon answers on the port."""

    exit_status = 1


@dataclass(frozen=True)
class ReceivedEvent:
    """An event as it was received."""

    address: str
    arguments: tuple[Argument, ...]


class OscClient:
    """A client on a socket of its own; it blocks only in `events` and `subscribe`.

    Attributes:
        name: the client's name, by which the daemon knows its ids.
        socket: what the events arrive on.
    """

    def __init__(self, port: int, name: str) -> None:
        """Args:
        port: the daemon's.
        """
        self.name = name
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self._daemon = (HOST, port)
        self._port = int(self.socket.getsockname()[1])

    def close(self) -> None:
        """End the subscription, and free the socket."""
        self.unsubscribe()
        self.socket.close()

    def unsubscribe(self) -> None:
        """End the subscription."""
        self.send(write_message("/bridge/unsubscribe", [self._port]))

    def send(self, message: bytes) -> None:
        """Send a datagram; nothing happens if no daemon listens."""
        try:
            self.socket.sendto(message, self._daemon)
        except OSError:
            # A full buffer, or the answer to an earlier datagram that nobody received.
            return

    def subscribe(self) -> None:
        """Wait for the daemon's answer to a subscription.

        Raises:
            DaemonSilent: no daemon answers.
        """
        self.renew()
        for event in self.events(time.monotonic() + HELLO_SECONDS):
            if event.address == HELLO:
                return
        raise DaemonSilent(
            f"no daemon answers on {HOST}:{self._daemon[1]}: start one with `melody-bridge run`"
        )

    def renew(self) -> None:
        """Begin or renew the subscription; the daemon answers with a hello and its state."""
        self.send(write_message("/bridge/subscribe", [self._port, self.name]))

    def ping(self) -> None:
        """Renew the subscription; the daemon answers with a pong alone."""
        self.send(write_message("/bridge/ping", [self._port]))

    def events(self, deadline: float) -> Iterator[ReceivedEvent]:
        """The events that arrive before the deadline, on `time.monotonic`."""
        while (seconds_left := deadline - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], seconds_left)[0]:
                return
            try:
                datagram = self.socket.recv(MOST_BYTES)
            except ConnectionError:
                continue
            yield from read_events(datagram)


def read_events(datagram: bytes) -> Sequence[ReceivedEvent]:
    """The events of a datagram; none where it is not OSC."""
    try:
        messages = read_packet(datagram)
    except InvalidPacket:
        return ()
    return [ReceivedEvent(address, arguments) for address, arguments in messages]
