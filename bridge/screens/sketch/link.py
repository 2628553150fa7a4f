"""The line to the daemon: messages to it, and its events folded into a `Snapshot`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from bridge.control.addresses import read_event
from bridge.control.client import HELLO, OscClient, read_events
from bridge.control.packets import Uncut, write_message
from bridge.daemon.snapshot import Snapshot
from bridge.events import Event, LayerChanged, LoopChanged, RequestBegun

RENEW_SECONDS = 2.0
"""How often the subscription is renewed; a daemon that was started anew knows nothing of it."""
LOST_SECONDS = 5.0
"""A daemon that sent nothing for so long is gone, or hangs."""
SEARCH_SECONDS = 0.05
"""How often a daemon that is not there yet is asked for its hello."""


class Link(asyncio.DatagramProtocol):
    """A client of the daemon, in a running event loop.

    Attributes:
        snapshot: the daemon's state, as its events say.
        is_connected: whether the daemon answers.
    """

    def __init__(
        self,
        client: OscClient,
        on_event: Callable[[Event | None], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        on_event: called with each event, after the snapshot, and with None when the daemon
            answers, or answers no more.
        clock: returns seconds.
        """
        self.snapshot = Snapshot()
        self.is_connected = False
        self._client, self._on_event, self._clock = client, on_event, clock
        self._heard_seconds = 0.0
        # What was published since the last hello: the name of a mapping of the snapshot, and a key.
        self._announced: set[tuple[str, str | int]] = set()

    async def open(self) -> None:
        """Receive events from now on, until cancelled."""
        self._client.socket.setblocking(False)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, sock=self._client.socket
        )
        try:
            while True:
                self._ask()
                await asyncio.sleep(RENEW_SECONDS if self.is_connected else SEARCH_SECONDS)
        finally:
            self._client.unsubscribe()
            transport.close()

    def send(self, address: str, *arguments: int | float | str) -> None:
        """Send a message; the address without `/bridge/`.

        Raises:
            ValueError: it does not fit a datagram.
        """
        words = [Uncut(word) if isinstance(word, str) else word for word in arguments]
        self._client.send(write_message(f"/bridge/{address}", words))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Fold the events of a datagram; asyncio calls it."""
        for received in read_events(data):
            self._heard_seconds = self._clock()
            if received.address == HELLO:
                self._greeted()
            event = read_event(received.address, received.arguments)
            if event is not None:
                self.snapshot.apply(event)
                self._note(event)
                self._on_event(event)

    def error_received(self, exc: Exception) -> None:
        """Ignore that nobody listens yet; asyncio calls it."""

    def _ask(self) -> None:
        if self.is_connected and self._clock() - self._heard_seconds > LOST_SECONDS:
            self.is_connected = False
            self._forget()
            self._on_event(None)
        self._client.renew()

    def _greeted(self) -> None:
        """Drop what the state after the last hello did not name: an earlier daemon's, or over.

        The state comes in datagrams of its own, so the snapshot stays as it is until the next
        hello: a key that is pressed between them must find the recording that it ends.
        """
        if self.is_connected:
            for name in ("requests", "layers", "loops"):
                known = getattr(self.snapshot, name)
                kept = {key: known[key] for key in known if (name, key) in self._announced}
                setattr(self.snapshot, name, kept)
        else:
            self._forget()
        self._announced.clear()
        if not self.is_connected:
            self.is_connected = True
            self._on_event(None)

    def _note(self, event: Event) -> None:
        match event:
            case RequestBegun(id):
                self._announced.add(("requests", id))
            case LoopChanged(id):
                self._announced.add(("loops", id))
            case LayerChanged(layer):
                self._announced.add(("layers", layer))

    def _forget(self) -> None:
        self.snapshot.requests, self.snapshot.layers, self.snapshot.loops = {}, {}, {}
