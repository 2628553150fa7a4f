"""The daemon's OSC endpoint: it receives commands, and sends events to all subscribers.

It listens on 127.0.0.1 only, and sends only to ports of this machine that a client named. No input
stops it: a datagram that is not OSC is counted and dropped, a message that cannot be carried out is
answered by an error, and a flood gets at most `MAX_REFUSALS_A_SECOND` of these a second.

Events go to every subscriber; an answer goes to the client that asked, at the pace of `Replies`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bridge.commands import (
    Cancel,
    CaptureNotes,
    CaptureStop,
    Command,
    ListClips,
    ListPresets,
    LoopClear,
    LoopPlaying,
    LoopStop,
    Panic,
    Ping,
    SetDefaults,
    StopPlaying,
    Subscribe,
    Transport,
    Unsubscribe,
)
from bridge.control.addresses import NO_ID, event_message, read_command, request_id
from bridge.control.arguments import SHOWN_CHARACTERS
from bridge.control.packets import (
    BUNDLE,
    Argument,
    InvalidPacket,
    NotUnderstood,
    read_packet,
    write_message,
)
from bridge.control.ports import dropped, holder
from bridge.control.replies import Allowance, Replies
from bridge.errors import BadArgument, BridgeError, Internal, QueueFull, UnknownAddress
from bridge.events import ClipReady, Done, Event, Failed, Hello, Pong, PresetListed

HOST = "127.0.0.1"
SUBSCRIPTION_SECONDS = 30.0
MAX_SUBSCRIBERS = 64
MAX_REFUSALS_A_SECOND = 100
"""Limit of error answers. No client makes more mistakes; every subscriber gets each answer."""
RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
"""Holds 5,000 messages that arrive at once; Linux's default lost 95 % of them, as measured."""
REQUESTS_A_SECOND = 50
REQUESTS_AT_ONCE = 100
"""Requests that begin some work. No person and no set makes more; more are refused."""
SHORT_BYTES = 128
"""A single message up to this size takes a tenth of a millisecond, and is always read."""
READING_SHARE = 0.25
"""Share of a processor that reading longer datagrams may take; the rest are counted, unread."""
READING_SECONDS = 0.02
"""How long they may take in one go: the longest that a ping waits for them."""
MOST_LISTS = 256
"""Lists under way whose askers are remembered."""
MOST_NOTES_IDS = 64
"""Melodies of notes whose further messages are not counted; the daemon keeps fewer open."""
_HELLO = ""
"""The key of the answer to a subscription: no request's id is empty."""
_ERROR_ADDRESS, _ = event_message(Failed("", "", ""))
_UNLIMITED = (
    *(Transport, CaptureStop, Cancel, StopPlaying, LoopStop, LoopClear, LoopPlaying, Panic),
)
"""Commands that cost little, come often, or must not be refused because of somebody's flood."""

_COSTS: Mapping[type[Command], float] = {SetDefaults: 0.2}
"""Requests that count as less than one: a fader sends its value a hundred times a second."""

_Source = tuple[str, int]
"""The address and port that a datagram came from."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subscriber:
    """A client that receives the events.

    Attributes:
        port: its port on this machine.
        client: its name; may be empty.
        expires_seconds: when the subscription ends, on `time.perf_counter`.
        source: where its last subscribe or ping came from.
        is_renewed: whether it has been renewed since it began, as a client that lives does.
    """

    port: int
    client: str
    expires_seconds: float
    source: _Source
    is_renewed: bool


@dataclass
class Stats:
    """Counters since the endpoint was opened.

    Attributes:
        received: datagrams received.
        invalid: received datagrams that were not OSC.
        refused: messages that were answered by an error, or only counted because of their number.
        unread: long datagrams that were dropped because reading them all would take too long.
        sent: datagrams handed to the system.
        unsent: events, one for each port, that the system did not take at once or that fit no
            datagram.
        dropped: datagrams that the system dropped before they were received; None: not known.
    """

    received: int = 0
    invalid: int = 0
    refused: int = 0
    unread: int = 0
    sent: int = 0
    unsent: int = 0
    dropped: int | None = None


@dataclass
class _Datagram:
    """A datagram while it is handled. Each port gets one pong and one answer of a kind for it.

    Attributes:
        seconds: when it arrived, on the endpoint's clock.
        pinged: the ports that pings in it name.
        answers: what its commands are answered with, by port and request.
    """

    source: _Source
    seconds: float
    pinged: set[int] = field(default_factory=set)
    answers: dict[tuple[int, str], Sequence[Event]] = field(default_factory=dict)


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
        self._replies = Replies(lambda port, event: self._send_to([port], event))
        self._requests = Allowance(REQUESTS_A_SECOND, REQUESTS_AT_ONCE)
        self._reading = Allowance(READING_SHARE, READING_SECONDS)
        self._answers: list[Event] | None = None
        self._list_askers: dict[str, Sequence[int]] = {}
        self._begun_notes: deque[str] = deque(maxlen=MOST_NOTES_IDS)
        self._refused_this_second = self._unread_this_second = 0
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
                del self._subscribers[subscriber.port]
        return tuple(self._subscribers.values())

    @property
    def stats(self) -> Stats:
        """The counters so far."""
        descriptor = self._socket.fileno()
        return replace(self._stats, dropped=None if descriptor < 0 else dropped(descriptor))

    def send(self, event: Event) -> None:
        """Send an event to every subscriber; an entry or the end of a list to who asked for it.

        It never waits or fails; unsent events are counted.
        """
        if isinstance(event, PresetListed | ClipReady | Done | Failed):
            askers = self._list_askers.get(event.id)
            if askers is not None:
                for port in askers:
                    if not self._replies.append(port, event.id, event):
                        self._stats.unsent += 1
                if isinstance(event, Done | Failed):
                    del self._list_askers[event.id]
                return
        self._send_to_all(event)

    def answer(self, event: Event) -> None:
        """Send an event to the client whose command is being carried out.

        Outside of `on_command` there is no such client: the event is ignored.
        """
        if self._answers is not None:
            self._answers.append(event)

    async def close(self) -> None:
        """Stop listening and sending; the port is free when this returns."""
        self._replies.close()
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
        is_long = len(data) > SHORT_BYTES or data.startswith(BUNDLE)
        if is_long and self._reading.left <= 0:
            self._stats.unread += 1
            self._unread_this_second += 1
            self._await_end_of_second()
            return
        begun_seconds = time.thread_time()
        self._read(data, _Datagram(addr, now))
        if is_long:
            self._reading.charge(time.thread_time() - begun_seconds)

    def _read(self, data: bytes, datagram: _Datagram) -> None:
        try:
            messages = read_packet(data)
        except NotUnderstood as error:
            id = request_id(error.address, (error.first,))
            self._refuse(id, BadArgument.code, f"{error.address[:SHOWN_CHARACTERS]}: {error}")
            return
        except InvalidPacket as error:
            self._stats.invalid += 1
            _log.debug("dropped a datagram: %s", error)
            return
        for address, arguments in messages:
            self._handle(address, arguments, datagram)
        for port in datagram.pinged:
            self._send_to([port], self._pong())
        for (port, key), events in datagram.answers.items():
            if not self._replies.answer(port, key, events):
                message = "too many answers are waiting to be sent: ask less often"
                self._refuse(key or NO_ID, QueueFull.code, message)

    def _handle(self, address: str, arguments: Sequence[Argument], datagram: _Datagram) -> None:
        if address == _ERROR_ADDRESS:
            # Two programs that answer each other's errors would never stop.
            self._stats.refused += 1
            return
        id = request_id(address, arguments)
        try:
            self._carry_out(read_command(address, arguments, datagram.seconds), id, datagram)
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

    def _carry_out(self, command: Command, id: str, datagram: _Datagram) -> None:
        match command:
            case Subscribe(port, client):
                self._check_not_own(port)
                self._subscribe(port, client, datagram.source)
                datagram.answers[port, _HELLO] = (self._hello(client), *self._greeting())
            case Unsubscribe(port):
                self._subscribers.pop(port, None)
            case Ping(port):
                self._check_not_own(port)
                for subscriber in self.subscribers:
                    if subscriber.port == port:
                        self._subscribe(port, subscriber.client, datagram.source)
                datagram.pinged.add(port)
            case _:
                self._request(command, id, datagram)

    def _request(self, command: Command, id: str, datagram: _Datagram) -> None:
        """Hand a command to the session, and note its answer for the client that asked."""
        if not self._may_begin(command):
            raise QueueFull(f"more than {REQUESTS_A_SECOND} requests a second: send fewer")
        self._answers = []
        try:
            self._on_command(command)
            answers = self._answers
        finally:
            self._answers = None
        if answers:
            for port in self._asking_ports(id, datagram.source):
                datagram.answers[port, id] = answers
        elif isinstance(command, ListPresets | ListClips):
            while len(self._list_askers) >= MOST_LISTS:
                del self._list_askers[next(iter(self._list_askers))]
            self._list_askers[id] = self._asking_ports(id, datagram.source)

    def _may_begin(self, command: Command) -> bool:
        if isinstance(command, _UNLIMITED):
            return True
        if isinstance(command, CaptureNotes) and command.id in self._begun_notes:
            return True  # It adds notes to a melody; only the first message begins one.
        if not self._requests.take(_COSTS.get(type(command), 1.0)):
            return False
        if isinstance(command, CaptureNotes):
            self._begun_notes.append(command.id)
        return True

    def _asking_ports(self, id: str, source: _Source) -> Sequence[int]:
        """The ports of the client that asked.

        It is the subscriber whose last subscribe or ping came from the same socket; else, as some
        programs send from ever new ports, the client that the id names; else anyone may have asked.
        """
        subscribers = self.subscribers
        name = id.rpartition("-")[0]
        of_source = [one for one in subscribers if one.source == source]
        of_name = [one for one in subscribers if name and one.client == name]
        of_both = [one for one in of_source if one in of_name]
        return [one.port for one in of_both or of_source or of_name or subscribers]

    def _check_not_own(self, port: int) -> None:
        if port == self.port:
            raise BadArgument(f"port {port} is the daemon's own: listen on another and name that")

    def _subscribe(self, port: int, client: str, source: _Source) -> None:
        """Begin or renew a subscription; a port's newest name replaces the earlier one."""
        known = {subscriber.port: subscriber for subscriber in self.subscribers}
        if port not in known and len(known) >= MAX_SUBSCRIBERS:
            # A refused client would not learn why, as it has no subscription: so make room. Live
            # clients renew their subscriptions; one that never did, or expires first, is likely
            # abandoned.
            oldest = min(known.values(), key=lambda one: (one.is_renewed, one.expires_seconds))
            del self._subscribers[oldest.port]
        expires_seconds = self._clock() + SUBSCRIPTION_SECONDS
        self._subscribers[port] = Subscriber(port, client, expires_seconds, source, port in known)

    def _refuse(self, id: str, code: str, message: str) -> bool:
        """Send an error event, unless too many were sent this second. Return whether it was."""
        self._stats.refused += 1
        self._refused_this_second += 1
        self._await_end_of_second()
        if self._refused_this_second > MAX_REFUSALS_A_SECOND:
            return False
        _log.info("refused %s: %s", id, message)
        self._send_to_all(Failed(id, code, message))
        return True

    def _await_end_of_second(self) -> None:
        if self._end_of_second is None:
            self._end_of_second = asyncio.get_running_loop().call_later(1.0, self._sum_up)

    def _sum_up(self) -> None:
        unanswered = self._refused_this_second - MAX_REFUSALS_A_SECOND
        unread, self._unread_this_second = self._unread_this_second, 0
        self._refused_this_second, self._end_of_second = 0, None
        if unanswered > 0:
            self._warn(
                BadArgument.code,
                f"{unanswered} more messages were refused within a second: send fewer",
            )
        if unread > 0:
            self._warn(
                QueueFull.code,
                f"{unread} bundles or long messages of one second were not read: send fewer",
            )

    def _warn(self, code: str, message: str) -> None:
        _log.warning("%s", message)
        self._send_to_all(Failed(NO_ID, code, message))

    def _send_to_all(self, event: Event) -> None:
        self._send_to([subscriber.port for subscriber in self.subscribers], event)

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
