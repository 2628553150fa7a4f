"""OSC as a `Control`: the whole life of one, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from bridge.commands import PROTOCOL, Command, ListPresets
from bridge.control import Control, OscControl
from bridge.control.packets import read_packet
from bridge.events import (
    BeatReached,
    ClientsChanged,
    EngineChanged,
    Event,
    Hello,
    Level,
    Listening,
    Pong,
)
from tests.control.peers import PATIENCE_SECONDS, message

READY = EngineChanged("ready", "pocket on cpu")


def control(on_event: Callable[[Event], None]) -> Control:
    """An OSC control on a free port; the type says that it is a `Control`."""
    return OscControl(
        0,
        hello=lambda client: Hello("0.1.0", PROTOCOL, "ready", "pocket", client, ""),
        pong=lambda: Pong("ready"),
        greeting=lambda: (READY,),
        on_event=on_event,
    )


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


def test_it_listens_takes_commands_publishes_and_frees_its_port() -> None:
    events: list[Event] = []
    commands: list[Command] = []

    async def main() -> None:
        one = control(events.append)
        one.publish(READY)  # Before the start there is nobody to hear it, which is no error.
        await one.start(commands.append)
        (listening,) = events
        assert isinstance(listening, Listening)
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.bind(("127.0.0.1", 0))
        client.setblocking(False)
        port = client.getsockname()[1]
        loop = asyncio.get_running_loop()

        async def received() -> tuple[str, tuple[Any, ...]]:
            async with asyncio.timeout(PATIENCE_SECONDS):
                (event,) = read_packet(await loop.sock_recv(client, 65_536))
            return event

        daemon = ("127.0.0.1", listening.port)
        client.sendto(message("/bridge/subscribe", port, "me"), daemon)
        assert (await received())[0] == "/bridge/hello"
        assert await received() == ("/bridge/engine", ("ready", "pocket on cpu"))
        await until(lambda: ClientsChanged((f"me ({port})",)) in events)
        client.sendto(message("/bridge/presets", "me-1"), daemon)
        await until(lambda: commands)
        assert commands == [ListPresets("me-1")]
        one.publish(BeatReached(7))
        assert await received() == ("/bridge/beat", (7,))
        one.publish(Level(-6.0, -20.0))
        assert await received() == ("/bridge/level", (-6.0, -20.0))
        await one.close()
        client.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(daemon)

    asyncio.run(main())
