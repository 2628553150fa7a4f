"""One connection to a server, which sends and receives what a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bridge.engine.process.wire import (
    ChunkMade,
    Done,
    Facts,
    Failed,
    Generate,
    Received,
    ServerMessage,
    read_server_message,
    to_bytes,
)
from bridge.errors import BridgeError


class Client:
    """A connection that has received the facts.

    Attributes:
        facts: what the replica said of itself.
    """

    def __init__(self, socket: Any, facts: Facts) -> None:
        self.socket, self.facts = socket, facts

    async def send(self, message: Generate | Received | bytes) -> None:
        await self.socket.send(message if isinstance(message, bytes) else to_bytes(message))

    async def next(self) -> ServerMessage:
        return read_server_message(await self.socket.recv(decode=False))

    async def chunk(self) -> ChunkMade | Failed:
        """The next audio, or why none comes."""
        while not isinstance(message := await self.next(), (ChunkMade, Failed)):
            assert not isinstance(message, Done)
        return message

    async def failure(self) -> BridgeError:
        """The error that the request ends with."""
        while not isinstance(message := await self.next(), Failed):
            assert not isinstance(message, Done)
        return message.error


@asynccontextmanager
async def connected(url: str, token: str | None = None) -> AsyncIterator[Client]:
    """A connection, with a token where one is given."""
    from websockets.asyncio.client import connect

    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    address = url.replace("http", "ws", 1)
    async with connect(
        address, proxy=None, compression=None, max_size=None, additional_headers=headers
    ) as socket:
        facts = read_server_message(await socket.recv(decode=False))
        assert isinstance(facts, Facts)
        yield Client(socket, facts)
