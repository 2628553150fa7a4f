"""OSC as a `Control`: an endpoint, and a watch over its subscribers and lost datagrams."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial

from bridge.control.addresses import is_carried
from bridge.control.control import OnCommand
from bridge.control.osc import OscEndpoint
from bridge.events import ClientsChanged, Event, Hello, Listening, Pong
from bridge.process.tasks import keep_running

WATCH_SECONDS = 0.5
"""How often the endpoint is checked for changed subscribers and dropped datagrams."""

_log = logging.getLogger(__name__)


class OscControl:
    """OSC as a `Control`."""

    def __init__(
        self,
        port: int,
        *,
        hello: Callable[[str], Hello],
        pong: Callable[[], Pong],
        greeting: Callable[[], Iterable[Event]],
        on_event: Callable[[Event], None],
    ) -> None:
        """Open nothing before `start`.

        Args:
            port, hello, pong, greeting: as in `OscEndpoint.open`.
            on_event: called with `Listening`, and with `ClientsChanged` on every change.
        """
        self._port, self._hello, self._pong, self._greeting = port, hello, pong, greeting
        self._on_event = on_event
        self._endpoint: OscEndpoint | None = None
        self._watching: asyncio.Task[None] | None = None
        self._clients: tuple[str, ...] = ()
        self._dropped = 0

    async def start(self, on_command: OnCommand) -> None:
        """Listen on the port.

        Raises:
            BadArgument: the port is taken, or this user may not listen on it.
        """
        self._endpoint = await OscEndpoint.open(
            self._port,
            on_command=on_command,
            hello=self._hello,
            pong=self._pong,
            greeting=self._greeting,
        )
        self._on_event(Listening(self._endpoint.port))
        self._watching = keep_running("watching OSC", partial(self._watch, self._endpoint))

    def publish(self, event: Event) -> None:
        """Send an event to every subscriber, if the protocol has an address for it."""
        if self._endpoint is not None and is_carried(event):
            self._endpoint.send(event)

    def answer(self, event: Event) -> None:
        """Send an event to the client whose command is being carried out."""
        if self._endpoint is not None and is_carried(event):
            self._endpoint.answer(event)

    async def close(self) -> None:
        """Free the port."""
        if self._watching is not None:
            self._watching.cancel()
        if self._endpoint is not None:
            await self._endpoint.close()

    async def _watch(self, endpoint: OscEndpoint) -> None:
        while True:
            clients = tuple(
                f"{subscriber.client or 'unnamed'} ({subscriber.port})"
                for subscriber in endpoint.subscribers
            )
            if clients != self._clients:
                # Here, and not at each subscription: a flood of these would flood the log.
                for sentence, changed in (
                    ("client %s listens", set(clients) - set(self._clients)),
                    ("client %s listens no more", set(self._clients) - set(clients)),
                ):
                    for client in sorted(changed):
                        _log.info(sentence, client)
                self._clients = clients
                self._on_event(ClientsChanged(clients))
            dropped = endpoint.stats.dropped or 0
            if dropped > self._dropped:
                _log.warning(
                    "%d messages arrived faster than they could be read, and were dropped: "
                    "send fewer",
                    dropped - self._dropped,
                    extra={"fields": {"event": "dropped", "dropped": dropped}},
                )
                self._dropped = dropped
            await asyncio.sleep(WATCH_SECONDS)
