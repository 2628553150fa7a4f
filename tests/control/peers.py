"""A real endpoint in its own thread, and clients with sockets of their own."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from bridge.commands import PROTOCOL, Command
from bridge.control import OscEndpoint
from bridge.events import Event, Hello, Pong

TAKES = "/home/me/Music/Melody Bridge/Takes"
PATIENCE_SECONDS = 60.0
"""Time limit for what takes no time on an idle machine."""
T = TypeVar("T")


def message(address: str, *arguments: object) -> bytes:
    """Write a message with python-osc alone, not with the code under test."""
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)  # type: ignore[arg-type]
    return builder.build().dgram


class Served:
    """An endpoint that runs in a thread of its own inside a `with` block.

    Attributes:
        commands: the commands it received, in order.
        port: the port on which it listens.
    """

    def __init__(
        self,
        on_command: Callable[[Command], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        *,
        keep: bool = True,
    ) -> None:
        """Serve, call `on_command` with each command, and keep the commands if `keep` is set."""
        self._on_command, self._clock, self._keep = on_command, clock, keep
        self.commands: list[Command] = []
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._ready.wait(PATIENCE_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop_requested.set)
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self._loop, self._stop_requested = asyncio.get_running_loop(), asyncio.Event()
        self.endpoint = await OscEndpoint.open(
            0,
            on_command=self._record_command,
            hello=lambda client: Hello("0.1.0", PROTOCOL, "ready", "pocket", client, TAKES),
            pong=lambda: Pong("ready"),
            clock=self._clock,
        )
        self.port = self.endpoint.port
        self._ready.set()
        await self._stop_requested.wait()
        await self.endpoint.close()

    def _record_command(self, command: Command) -> None:
        if self._keep:
            with self._changed:
                self.commands.append(command)
                self._changed.notify()
        if self._on_command is not None:
            self._on_command(command)

    def call(self, function: Callable[[OscEndpoint], T]) -> T:
        """Run a function in the endpoint's thread, and return its result."""

        async def run() -> T:
            return function(self.endpoint)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(PATIENCE_SECONDS)

    def send(self, event: Event) -> None:
        """Send an event to every subscriber."""
        self.call(lambda endpoint: endpoint.send(event))

    def received(self, count: int) -> list[Command]:
        """Wait until it has received that many commands, and return them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.commands) >= count, PATIENCE_SECONDS)
            return list(self.commands)


class Client:
    """A socket on a free port, and the endpoint it talks to."""

    def __init__(self, served: Served, name: str | None = None) -> None:
        """Subscribe by that name and check the hello; with None, do not subscribe."""
        self._daemon = ("127.0.0.1", served.port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE_SECONDS)
        self.port: int = self._socket.getsockname()[1]
        if name is not None:
            self.send("/bridge/subscribe", self.port, name)
            hello = ("/bridge/hello", "0.1.0", PROTOCOL, "ready", "pocket", name, TAKES)
            assert self.receive() == hello

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def send(self, address: str, *arguments: object) -> None:
        """Send a message."""
        self.send_bytes(message(address, *arguments))

    def send_bytes(self, datagram: bytes) -> None:
        """Send any bytes."""
        self._socket.sendto(datagram, self._daemon)

    def receive(self) -> tuple[object, ...]:
        """Wait for the next event, and return its address and arguments."""
        received = OscMessage(self._socket.recv(65_536))
        return (received.address, *received.params)

    def ping(self) -> list[tuple[object, ...]]:
        """Ping, and return the events before the pong: by then the endpoint has read everything."""
        self.send("/bridge/ping", self.port)
        before = []
        while (event := self.receive())[0] != "/bridge/pong":
            before.append(event)
        return before
