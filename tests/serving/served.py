"""An engine served on this machine: the real application behind a real web server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

import pytest

from bridge.engine import Engine
from bridge.engine.process.remote import RemoteEngine
from bridge.serving.application import Application, ReplicaSettings
from tests.engine.process.stand_in import StandIn
from tests.engine.recorder import Recorder

POCKET = ReplicaSettings("pocket", "cpu")
MOST_DELAYED_PIECES = 64
THROTTLED_BYTES = 4096
"""Size of the pieces in which a network with a limit carries."""


def load_stand_in() -> Engine:
    """An engine without a model, that does what its prompts say."""
    return cast(Engine, StandIn("stand-in", "cpu"))


@contextmanager
def served(
    settings: ReplicaSettings = POCKET,
    load: Callable[[], Engine] | None = None,
    layer: Callable[[Any], Any] = lambda application: application,
    **options: Any,
) -> Iterator[str]:
    """A replica behind uvicorn, in a thread with an event loop of its own; its address.

    Args:
        load: replaces the settings' model.
        layer: puts something before the application.
        options: uvicorn's.
    """
    uvicorn = pytest.importorskip("uvicorn", reason="needs the extra `ray`")
    pytest.importorskip("websockets", reason="needs the extra `remote`")
    config = uvicorn.Config(
        layer(Application(settings, load)),
        port=options.pop("port", 0),
        lifespan="on",
        log_level="warning",
        timeout_graceful_shutdown=1,
        ws="websockets-sansio",
        **options,
    )
    server = uvicorn.Server(config)
    started = threading.Event()
    startup = server.startup

    async def start(sockets: Any = None) -> None:
        await startup(sockets)
        started.set()

    server.startup = start
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    try:
        assert started.wait(60)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


@asynccontextmanager
async def remote_engine(url: str, **options: Any) -> AsyncIterator[tuple[RemoteEngine, Recorder]]:
    """A remote engine that is started, and stopped at the end."""
    recorder = Recorder()
    engine = RemoteEngine(url, recorder.state, **{"client": "test", **options})
    engine.start()
    try:
        yield engine, recorder
    finally:
        await engine.stop()
        await asyncio.sleep(0)


async def free_port() -> int:
    """A port of this machine that nothing listens on."""
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


class Network:
    """A TCP proxy that disturbs connections to a server.

    Attributes:
        cut_after: bytes from the server after which each new connection is cut; None: never.
        flip_at: the byte from the server that is changed; None: none is.
        flip_request_at: the same of the bytes to the server.
        silent_after: bytes from the server after which nothing more comes, though the connection
            stays; None: never.
        half_closed_after: bytes from the server after which its direction ends, and the other one
            stays; None: never.
        faulty_connections: how many new connections are cut, silent or half-closed; None: all.
        delay_seconds: by which each byte comes later, in both directions.
        bytes_per_second: of the server's direction; None: no limit.
        cuts: how many connections were cut.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.cut_after: int | None = None
        self.flip_at: int | None = None
        self.flip_request_at: int | None = None
        self.silent_after: int | None = None
        self.half_closed_after: int | None = None
        self.faulty_connections: int | None = None
        self.delay_seconds = 0.0
        self.bytes_per_second: float | None = None
        self.cuts = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        requests = asyncio.create_task(self._carry_requests(reader, back))
        try:
            if await self._carry_replies(there, writer):
                # Until the client gives the connection up.
                await asyncio.wait([requests])
        except ConnectionError:
            pass
        finally:
            requests.cancel()
            writer.transport.abort()
            back.transport.abort()

    async def _carry_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        carried = 0
        async for piece in self._pieces(reader):
            data, flip_at = bytearray(piece), self.flip_request_at
            if flip_at is not None and carried <= flip_at < carried + len(data):
                data[flip_at - carried] ^= 0x10
                self.flip_request_at = None
            carried += len(data)
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _carry_replies(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Carry the server's direction; return whether the other one goes on."""
        carried, flip_at = 0, self.flip_at
        cut_after, silent_after, half_closed_after = self._faults()
        async for piece in self._pieces(reader):
            data = bytearray(piece)
            if flip_at is not None and carried <= flip_at < carried + len(data):
                data[flip_at - carried] ^= 0x10
                self.flip_at = None
            carried += len(data)
            if cut_after is not None and carried > cut_after:
                self.cuts += 1
                return False
            if silent_after is not None and carried > silent_after:
                self.cuts += 1
                return True
            if half_closed_after is not None and carried > half_closed_after:
                self.cuts += 1
                writer.write_eof()
                return True
            writer.write(data)
            await writer.drain()
            if self.bytes_per_second is not None:
                await asyncio.sleep(len(data) / self.bytes_per_second)
        return False

    def _faults(self) -> tuple[int | None, int | None, int | None]:
        """What a new connection suffers."""
        if self.faulty_connections == 0:
            return None, None, None
        if self.faulty_connections is not None:
            self.faulty_connections -= 1
        return self.cut_after, self.silent_after, self.half_closed_after

    async def _pieces(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        """What a reader gives, each piece after the delay."""
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MOST_DELAYED_PIECES)

        async def read() -> None:
            data = b"more"
            while data:
                size = 65536 if self.bytes_per_second is None else THROTTLED_BYTES
                try:
                    data = await reader.read(size)
                except ConnectionError:
                    data = b""
                await pieces.put((loop.time() + self.delay_seconds, data))

        reading = asyncio.create_task(read())
        try:
            while True:
                due, data = await pieces.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not data:
                    return
                yield data
        finally:
            reading.cancel()


@asynccontextmanager
async def network(url: str) -> AsyncIterator[tuple[str, Network]]:
    """The address of a proxy before a server, and the proxy."""
    proxy = Network(int(url.rpartition(":")[2]))
    server = await asyncio.start_server(proxy.carry, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", proxy
