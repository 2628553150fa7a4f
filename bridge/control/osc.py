"""The daemon's OSC endpoint: commands in, events out to whoever subscribed.

It listens on 127.0.0.1 only, and sends only to ports of this machine that a client named. Whatever
comes in, it goes on: a datagram that is not OSC is counted and dropped, what cannot be done is
answered by an error, and a flood is answered no more than `MAX_REFUSALS_A_SECOND` times a second.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bridge.commands import (
    ClientsChanged,
    Command,
    Event,
    Failed,
    Hello,
    Listening,
    Ping,
    Pong,
    Subscribe,
    Unsubscribe,
)
from bridge.control.addresses import NO_ID, event_message, is_carried, read_command, request_id
from bridge.control.control import OnCommand
from bridge.control.packets import Argument, InvalidPacket, read_packet, write_message
from bridge.control.ports import dropped, holder
from bridge.errors import BadArgument, BridgeError, UnknownAddress, Unsupported

HOST = "127.0.0.1"
SUBSCRIPTION_SECONDS = 30.0
MAX_SUBSCRIBERS = 64
MAX_REFUSALS_A_SECOND = 100
"""More than any client makes by mistake; each goes to every subscriber."""
RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
"""Holds 5,000 messages that come at once; Linux's own default lost 95 % of them, as measured."""
WATCH_SECONDS = 0.5
"""How often subscribers that have gone and datagrams that were dropped are looked for."""
_ERROR_ADDRESS, _ = event_message(Failed("", "", ""))

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subscriber:
    """Who gets the events.

    Attributes:
        port: of this machine.
        client: what it calls itself; may be empty.
        expires_seconds: when it is forgotten, on `time.perf_counter`.
    """

    port: int
    client: str
    expires_seconds: float


@dataclass
class Stats:
    """What has passed since the endpoint was opened.

    Attributes:
        received: datagrams.
        invalid: of those, the ones that were not OSC.
        refused: messages that were answered by an error, or would have been but for their number.
        sent: datagrams handed to the system.
        unsent: events, one for each port, that the system would not take at once or that fit no
            datagram.
        dropped: datagrams that the system threw away before they were received; None: not told.
    """

    received: int = 0
    invalid: int = 0
    refused: int = 0
    sent: int = 0
    unsent: int = 0
    dropped: int | None = None


class OscEndpoint(asyncio.DatagramProtocol):
    """Hears commands and tells events, in one event loop's thread. `open` makes it.

    Attributes:
        port: where it listens.
    """

    def __init__(
        self,
        bound: socket.socket,
        on_command: Callable[[Command], None],
        hello: Callable[[str], Hello],
        pong: Callable[[], Pong],
        greeting: Callable[[], Iterable[Event]],
        clock: Callable[[], float],
    ) -> None:
        """As `open` says, on a socket that asyncio will read."""
        self._socket = bound
        self.port: int = bound.getsockname()[1]
        self._on_command, self._hello, self._pong = on_command, hello, pong
        self._greeting, self._clock = greeting, clock
        self._stats = Stats()
        self._subscribers: dict[int, Subscriber] = {}
        self._refused_this_second = 0
        self._end_of_second: asyncio.TimerHandle | None = None
        self._closed = asyncio.Event()

    @classmethod
    async def open(
        cls,
        port: int,
        *,
        on_command: Callable[[Command], None],
        hello: Callable[[str], Hello],
        pong: Callable[[], Pong],
        greeting: Callable[[], Iterable[Event]] = tuple,
        clock: Callable[[], float] = time.perf_counter,
    ) -> OscEndpoint:
        """Listen on a port of 127.0.0.1.

        Args:
            port: 0 takes a free one.
            on_command: gets every command but `Subscribe`, `Unsubscribe` and `Ping`, which end
                here. A `BridgeError` that it raises is answered as the request's error; so is
                anything else, after it was logged.
            hello: makes the answer to a subscription, given the client's name.
            pong: makes the answer to a ping.
            greeting: makes the events that bring a subscriber up to date, sent to its port alone
                after the hello.
            clock: seconds; subscriptions expire by it, and commands are stamped with it.

        Raises:
            BadArgument: the port is taken, or this user may not listen on it.
        """
        bound = _bind(port)
        _, endpoint = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: cls(bound, on_command, hello, pong, greeting, clock), sock=bound
        )
        return endpoint

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        """Who gets the events now."""
        now = self._clock()
        for one in [one for one in self._subscribers.values() if one.expires_seconds <= now]:
            _log.info("client %r on port %d has gone quiet", one.client, one.port)
            del self._subscribers[one.port]
        return tuple(self._subscribers.values())

    @property
    def stats(self) -> Stats:
        """What has passed so far."""
        descriptor = self._socket.fileno()
        return replace(self._stats, dropped=None if descriptor < 0 else dropped(descriptor))

    def send(self, event: Event) -> None:
        """Tell every subscriber. Never waits, and never fails: what cannot be sent is counted."""
        self._send_to([one.port for one in self.subscribers], event)

    async def close(self) -> None:
        """Stop listening and sending; the port is free when this returns."""
        if self._end_of_second is not None:
            self._end_of_second.cancel()
        self._transport.close()
        await self._closed.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """For asyncio: the socket is open."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """For asyncio: the socket is closed."""
        self._closed.set()

    def error_received(self, exc: Exception) -> None:
        """For asyncio: nobody listens on a port that was sent to; its subscription will expire."""
        _log.debug("sending failed: %s", exc)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """For asyncio: a datagram has come."""
        now = self._clock()
        self._stats.received += 1
        try:
            messages = read_packet(data)
        except InvalidPacket as error:
            self._stats.invalid += 1
            _log.debug("dropped a datagram: %s", error)
            return
        for address, arguments in messages:
            self._handle(address, arguments, now)

    def _handle(self, address: str, arguments: Sequence[Argument], now: float) -> None:
        if address == _ERROR_ADDRESS:
            # Two programs that answer each other's errors would never stop.
            self._stats.refused += 1
            return
        id = request_id(address, arguments)
        try:
            self._do(read_command(address, arguments, now))
        except UnknownAddress as error:
            self._refuse(id, error.code, str(error))
        except BridgeError as error:
            # Without an id, the address is all that a client can know its message by.
            self._refuse(id, error.code, f"{address}: {error}" if id == NO_ID else str(error))
        except Exception:
            answered = self._refuse(
                id, Unsupported.code, f"the daemon failed at {address}: its log says why"
            )
            if answered:
                _log.exception("failed at %s %s", address, arguments)

    def _do(self, command: Command) -> None:
        match command:
            case Subscribe(port, client):
                self._check_foreign(port)
                self._subscribe(port, client)
                for event in (self._hello(client), *self._greeting()):
                    self._send_to([port], event)
            case Unsubscribe(port):
                self._subscribers.pop(port, None)
            case Ping(port):
                self._check_foreign(port)
                for one in self.subscribers:
                    if one.port == port:
                        self._subscribe(port, one.client)
                self._send_to([port], self._pong())
            case _:
                self._on_command(command)

    def _check_foreign(self, port: int) -> None:
        if port == self.port:
            raise BadArgument(f"port {port} is the daemon's own: listen on another and name that")

    def _subscribe(self, port: int, client: str) -> None:
        """Begin a subscription, or go on with it; the newest name of a port is its client's."""
        known = {one.port: one for one in self.subscribers}
        if port not in known or known[port].client != client:
            _log.info("client %r listens on port %d", client, port)
        if port not in known and len(known) >= MAX_SUBSCRIBERS:
            # Room is made, for one that is refused could not even be told: it has no subscription.
            # Clients that are there renew theirs, so what expires first is likeliest abandoned.
            del self._subscribers[min(known.values(), key=lambda one: one.expires_seconds).port]
        expires_seconds = self._clock() + SUBSCRIPTION_SECONDS
        self._subscribers[port] = Subscriber(port, client, expires_seconds)

    def _refuse(self, id: str, code: str, message: str) -> bool:
        """Answer by an error, if not too many were this second; returns whether it was."""
        self._stats.refused += 1
        self._refused_this_second += 1
        if self._end_of_second is None:
            self._end_of_second = asyncio.get_running_loop().call_later(1.0, self._sum_up)
        if self._refused_this_second > MAX_REFUSALS_A_SECOND:
            return False
        _log.info("refused %s: %s", id, message)
        self.send(Failed(id, code, message))
        return True

    def _sum_up(self) -> None:
        unsaid = self._refused_this_second - MAX_REFUSALS_A_SECOND
        self._refused_this_second, self._end_of_second = 0, None
        if unsaid > 0:
            message = f"{unsaid} more messages were refused within a second: send fewer"
            _log.warning("%s", message)
            self.send(Failed(NO_ID, BadArgument.code, message))

    def _send_to(self, ports: Iterable[int], event: Event) -> None:
        try:
            datagram = write_message(*event_message(event))
        except (ValueError, OverflowError, struct.error) as error:
            self._stats.unsent += 1
            _log.error("cannot tell an event: %s", error)
            return
        for port in ports:
            # Past asyncio, which would keep what the system does not take: without bound, and late.
            try:
                self._socket.sendto(datagram, (HOST, port))
            except OSError:
                self._stats.unsent += 1
            else:
                self._stats.sent += 1


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
        self._watching = asyncio.create_task(self._watch(self._endpoint))

    def publish(self, event: Event) -> None:
        """Send an event to every subscriber, if the protocol has an address for it."""
        if self._endpoint is not None and is_carried(event):
            self._endpoint.send(event)

    async def close(self) -> None:
        """Free the port."""
        if self._watching is not None:
            self._watching.cancel()
        if self._endpoint is not None:
            await self._endpoint.close()

    async def _watch(self, endpoint: OscEndpoint) -> None:
        while True:
            clients = tuple(
                f"{one.client or 'unnamed'} ({one.port})" for one in endpoint.subscribers
            )
            if clients != self._clients:
                self._clients = clients
                self._on_event(ClientsChanged(clients))
            dropped = endpoint.stats.dropped or 0
            if dropped > self._dropped:
                _log.warning(
                    "%d messages came faster than they could be read, and were dropped: send fewer",
                    dropped - self._dropped,
                    extra={"fields": {"event": "dropped", "dropped": dropped}},
                )
                self._dropped = dropped
            await asyncio.sleep(WATCH_SECONDS)


def _bind(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.bind((HOST, port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise BadArgument(
                f"UDP port {port} is taken by {holder(port) or 'another program'}: "
                "end that, or choose another port with --osc-port"
            ) from error
        raise BadArgument(
            f"cannot listen on UDP port {port} ({error.strerror}): "
            "choose another port with --osc-port"
        ) from error
    size = RECEIVE_BUFFER_BYTES
    while size > bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF):
        # Linux gives what it can; macOS refuses what is over its limit.
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
            break
        except OSError:
            size //= 2
    return bound
