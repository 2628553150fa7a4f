"""The daemon's OSC endpoint: it receives commands, and sends events to all subscribers.

It listens on 127.0.0.1 only, and sends only to ports of this machine that a client named. No input
stops it: a datagram that is not OSC is counted and dropped, a message that cannot be carried out is
answered by an error, and a flood gets at most `MAX_REFUSALS_A_SECOND` answers a second.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

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
from bridge.errors import BadArgument, BridgeError, Internal, UnknownAddress
from bridge.process.tasks import keep_running

HOST = "127.0.0.1"
SUBSCRIPTION_SECONDS = 30.0
MAX_SUBSCRIBERS = 64
MAX_REFUSALS_A_SECOND = 100
"""Limit of error answers. No client makes more mistakes; every subscriber gets each answer."""
RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
"""Holds 5,000 messages that arrive at once; Linux's default lost 95 % of them, as measured."""
WATCH_SECONDS = 0.5
"""How often the endpoint is checked for changed subscribers and dropped datagrams."""
_ERROR_ADDRESS, _ = event_message(Failed("", "", ""))

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subscriber:
    """A client that receives the events.

    Attributes:
        port: its port on this machine.
        client: its name; may be empty.
        expires_seconds: when the subscription ends, on `time.perf_counter`.
    """

    port: int
    client: str
    expires_seconds: float


@dataclass
class Stats:
    """Counters since the endpoint was opened.

    Attributes:
        received: datagrams received.
        invalid: received datagrams that were not OSC.
        refused: messages that were answered by an error, or only counted because of their number.
        sent: datagrams handed to the system.
        unsent: events, one for each port, that the system did not take at once or that fit no
            datagram.
        dropped: datagrams that the system dropped before they were received; None: not known.
    """

    received: int = 0
    invalid: int = 0
    refused: int = 0
    sent: int = 0
    unsent: int = 0
    dropped: int | None = None


class OscEndpoint(asyncio.DatagramProtocol):
    """Receives commands and sends events, in one event loop's thread. `open` makes it.

    Attributes:
        port: the UDP port that it listens on.
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
        """Take the arguments of `open`, and a bound socket that asyncio will read."""
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
            on_command: called with every command except `Subscribe`, `Unsubscribe` and `Ping`,
                which the endpoint handles. A `BridgeError` that it raises becomes the request's
                error event; any other exception too, after it is logged.
            hello: makes the answer to a subscription, given the client's name.
            pong: makes the answer to a ping.
            greeting: makes the events that bring a subscriber up to date, sent to its port alone
                after the hello.
            clock: returns seconds; it times subscriptions and stamps commands.

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
        """The clients whose subscriptions have not expired."""
        now = self._clock()
        for subscriber in tuple(self._subscribers.values()):
            if subscriber.expires_seconds <= now:
                _log.info(
                    "the subscription of client %r on port %d has expired",
                    subscriber.client,
                    subscriber.port,
                )
                del self._subscribers[subscriber.port]
        return tuple(self._subscribers.values())

    @property
    def stats(self) -> Stats:
        """The counters so far."""
        descriptor = self._socket.fileno()
        return replace(self._stats, dropped=None if descriptor < 0 else dropped(descriptor))

    def send(self, event: Event) -> None:
        """Send an event to every subscriber. It never waits or fails; unsent events are counted."""
        self._send_to([subscriber.port for subscriber in self.subscribers], event)

    async def close(self) -> None:
        """Stop listening and sending; the port is free when this returns."""
        if self._end_of_second is not None:
            self._end_of_second.cancel()
        self._transport.close()
        await self._closed.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; asyncio calls it when the socket is open."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """End `close`; asyncio calls it when the socket is closed."""
        self._closed.set()

    def error_received(self, exc: Exception) -> None:
        """Log that nobody listens on a subscriber's port; its subscription will expire."""
        _log.debug("sending failed: %s", exc)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Handle a datagram; asyncio calls it."""
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
            self._carry_out(read_command(address, arguments, now))
        except UnknownAddress as error:
            self._refuse(id, error.code, str(error))
        except BridgeError as error:
            # Without an id, a client can recognise its message by the address only.
            self._refuse(id, error.code, f"{address}: {error}" if id == NO_ID else str(error))
        except Exception:
            was_answered = self._refuse(
                id, Internal.code, f"the daemon failed at {address}: its log says why"
            )
            if was_answered:
                _log.exception("failed at %s %s", address, arguments)

    def _carry_out(self, command: Command) -> None:
        match command:
            case Subscribe(port, client):
                self._check_not_own(port)
                self._subscribe(port, client)
                for event in (self._hello(client), *self._greeting()):
                    self._send_to([port], event)
            case Unsubscribe(port):
                self._subscribers.pop(port, None)
            case Ping(port):
                self._check_not_own(port)
                for subscriber in self.subscribers:
                    if subscriber.port == port:
                        self._subscribe(port, subscriber.client)
                self._send_to([port], self._pong())
            case _:
                self._on_command(command)

    def _check_not_own(self, port: int) -> None:
        if port == self.port:
            raise BadArgument(f"port {port} is the daemon's own: listen on another and name that")

    def _subscribe(self, port: int, client: str) -> None:
        """Begin or renew a subscription; a port's newest name replaces the earlier one."""
        known = {subscriber.port: subscriber for subscriber in self.subscribers}
        if port not in known or known[port].client != client:
            _log.info("client %r listens on port %d", client, port)
        if port not in known and len(known) >= MAX_SUBSCRIBERS:
            # A refused client would not learn why, as it has no subscription: so make room. Live
            # clients renew their subscriptions; the one that expires first is likely abandoned.
            oldest = min(known.values(), key=lambda subscriber: subscriber.expires_seconds)
            del self._subscribers[oldest.port]
        expires_seconds = self._clock() + SUBSCRIPTION_SECONDS
        self._subscribers[port] = Subscriber(port, client, expires_seconds)

    def _refuse(self, id: str, code: str, message: str) -> bool:
        """Send an error event, unless too many were sent this second. Return whether it was."""
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
        unanswered = self._refused_this_second - MAX_REFUSALS_A_SECOND
        self._refused_this_second, self._end_of_second = 0, None
        if unanswered > 0:
            message = f"{unanswered} more messages were refused within a second: send fewer"
            _log.warning("%s", message)
            self.send(Failed(NO_ID, BadArgument.code, message))

    def _send_to(self, ports: Iterable[int], event: Event) -> None:
        try:
            datagram = write_message(*event_message(event))
        except (ValueError, OverflowError) as error:
            self._stats.unsent += 1
            _log.error("cannot send an event: %s", error)
            return
        for port in ports:
            # Not through asyncio: it would queue what the system does not take, without bound.
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
        self._watching = keep_running("watching OSC", partial(self._watch, self._endpoint))

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
                f"{subscriber.client or 'unnamed'} ({subscriber.port})"
                for subscriber in endpoint.subscribers
            )
            if clients != self._clients:
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
        # Linux grants as much as it can; macOS refuses a size over its limit.
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
            break
        except OSError:
            size //= 2
    return bound
