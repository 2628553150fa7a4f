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

from bridge.commands import PROTOCOL, Command, Event, Hello, Pong
from bridge.control import OscEndpoint

TAKES = "/home/me/Music/Melody Bridge/Takes"
PATIENCE_SECONDS = 20.0
"""For what comes at once when the machine is idle."""
T = TypeVar("T")


def message(address: str, *arguments: object) -> bytes:
    """A message as python-osc writes it: not by the code under test."""
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)  # type: ignore[arg-type]
    return builder.build().dgram


class Served:
    """An endpoint while it is open.

    Attributes:
        commands: what it was asked, in order.
        port: where it listens.
    """

    def __init__(
        self,
        on_command: Callable[[Command], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        *,
        keep: bool = True,
    ) -> None:
        """Serve, and call that with each command too; without `keep` they are not kept."""
        self._on_command, self._clock, self._keep = on_command, clock, keep
        self.commands: list[Command] = []
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

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
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self.endpoint = await OscEndpoint.open(
            0,
            on_command=self._hear,
            hello=lambda client: Hello("0.1.0", PROTOCOL, "ready", "pocket", client, TAKES),
            pong=lambda: Pong("ready"),
            clock=self._clock,
        )
        self.port = self.endpoint.port
        self._ready.set()
        await self._over.wait()
        await self.endpoint.close()

    def _hear(self, command: Command) -> None:
        if self._keep:
            with self._changed:
                self.commands.append(command)
                self._changed.notify()
        if self._on_command is not None:
            self._on_command(command)

    def call(self, function: Callable[[OscEndpoint], T]) -> T:
        """What the function gives, run in the endpoint's own thread."""

        async def run() -> T:
            return function(self.endpoint)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(PATIENCE_SECONDS)

    def send(self, event: Event) -> None:
        """Tell every subscriber."""
        self.call(lambda endpoint: endpoint.send(event))

    def heard(self, count: int) -> list[Command]:
        """The commands, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.commands) >= count, PATIENCE_SECONDS)
            return list(self.commands)


class Client:
    """A socket on a free port, and the endpoint it talks to."""

    def __init__(self, served: Served, name: str | None = None) -> None:
        """Subscribe by that name, and hear the hello; None: do not subscribe."""
        self._daemon = ("127.0.0.1", served.port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE_SECONDS)
        self.port: int = self._socket.getsockname()[1]
        if name is not None:
            self.say("/bridge/subscribe", self.port, name)
            hello = ("/bridge/hello", "0.1.0", PROTOCOL, "ready", "pocket", name, TAKES)
            assert self.hear() == hello

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def say(self, address: str, *arguments: object) -> None:
        """Send a message."""
        self.throw(message(address, *arguments))

    def throw(self, datagram: bytes) -> None:
        """Send any bytes."""
        self._socket.sendto(datagram, self._daemon)

    def hear(self) -> tuple[object, ...]:
        """The next event: its address and arguments."""
        received = OscMessage(self._socket.recv(65_536))
        return (received.address, *received.params)

    def ping(self) -> list[tuple[object, ...]]:
        """Ping, and give what was heard before the pong; then all that was sent has been read."""
        self.say("/bridge/ping", self.port)
        before = []
        while (event := self.hear())[0] != "/bridge/pong":
            before.append(event)
        return before
