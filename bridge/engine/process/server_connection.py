"""Connections to `melody-bridge serve`: websockets that carry the messages of `wire.py`."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bridge.config.engine_token import Secret
from bridge.engine.process.messages import EngineFacts
from bridge.engine.process.wire import (
    MOST_REPLY_BYTES,
    ClientMessage,
    Facts,
    Generate,
    ServerMessage,
    read_server_message,
    to_bytes,
)
from bridge.errors import BadArgument, EngineHung, NotAuthorized, QueueFull, Unsupported

if TYPE_CHECKING:
    from bridge.engine.process.metered_socket import MeteredSocket

CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 1.0
SILENT_SECONDS = 10.0
"""A server sends a sign of life each second."""
SLOWEST_BYTES = 2**15
"""A message may take longer than that while so many bytes of it arrive in that time. It is more
than the signs of life have: where a byte of a message's length was changed, they fill it for ever.
"""
WITHOUT_ACCESS = (401, 403)
WITHOUT_ROOM = 503


_log = logging.getLogger(__name__)


class Lost(Exception):
    """The server cannot be reached, or the connection to it was lost."""


class Connection:
    """One connection, whose server has said what it is.

    Attributes:
        facts: the model and the device of this connection's replica.
    """

    def __init__(self, socket: MeteredSocket, url: str, facts: EngineFacts) -> None:
        """`Server.connected` makes it."""
        self._socket, self._url, self.facts = socket, url, facts

    async def send(self, message: ClientMessage) -> None:
        """Send a message. Where the connection is lost, `next` says so: the last messages of the
        server may be there still.

        Raises:
            Unsupported: it is too large to travel.
        """
        from websockets.exceptions import ConnectionClosed

        if isinstance(message, Generate):
            frame = await asyncio.to_thread(to_bytes, message)
        else:
            frame = to_bytes(message)
        with suppress(ConnectionClosed):
            await self._socket.send(frame)

    async def next(self) -> ServerMessage:
        """The server's next message.

        Raises:
            EngineHung: nothing came for too long.
            Lost: what came is no message.
        """
        return await _next(self._socket, self._url)

    @property
    def bytes_per_second(self) -> float | None:
        """How fast messages have arrived; None: too few bytes came for that."""
        return self._socket.meter.bytes_per_second

    async def round_trip_seconds(self) -> float:
        """The time of a ping to the web server and back."""
        return float(await (await self._socket.ping()))


class Server:
    """A server's address, and the token that it is shown."""

    def __init__(self, url: str, token: Secret | None = None) -> None:
        """Connect to nothing yet.

        Args:
            url: `http://host:port`, or `https://` where the server has TLS.

        Raises:
            BadArgument: the address has another form.
        """
        self._url, self._token = url, token
        self._address = _websocket_address(url)
        if token is not None and travels_openly(self._address):
            _log.warning(
                "engine %s: its token travels unencrypted, and whoever listens in that network can "
                "use it: serve with TLS, and give an address with https://",
                url,
            )

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """A new connection; leaving the block closes it, which ends its request.

        Raises:
            Lost: the server cannot be reached, or the connection was lost inside the block.
            EngineHung: the server accepts connections, and says nothing.
            NotAuthorized: it does not know the token.
            QueueFull: it has no room.
            BadArgument: it is no engine of Melody Bridge, or its certificate is not trusted.
            Unsupported: it has another version, or websockets are not installed.
        """
        socket = await self._connect()
        from websockets.exceptions import ConnectionClosed

        try:
            facts = await _next(socket, self._url)
            if not isinstance(facts, Facts):
                raise BadArgument(f"{self._url} does not begin as an engine of Melody Bridge does")
            yield Connection(socket, self._url, facts.engine)
        except (OSError, ConnectionClosed) as error:
            raise Lost(f"the connection to {self._url} was lost ({error})") from error
        finally:
            try:
                await socket.close()
            except asyncio.CancelledError:
                # A second cancel, as of a request that is cancelled and whose host then stops.
                socket.transport.abort()
                raise

    async def _connect(self) -> MeteredSocket:
        try:
            from websockets.asyncio.client import connect
            from websockets.exceptions import InvalidStatus, WebSocketException

            from bridge.engine.process.metered_socket import MeteredSocket
        except ImportError as error:
            raise Unsupported(
                f"engine {self._url!r} needs websockets: pip install 'melody-bridge[remote]'"
            ) from error
        headers = {}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        try:
            socket = await connect(
                self._address,
                create_connection=MeteredSocket,
                additional_headers=headers,
                # Audio and codes do not shrink, and the engine's machine has better to do.
                compression=None,
                max_size=MOST_REPLY_BYTES,
                open_timeout=CONNECT_SECONDS,
                close_timeout=CLOSE_SECONDS,
                # A pong would wait behind the audio: on a slow network longer than any limit.
                ping_interval=None,
                proxy=None,
            )
        except InvalidStatus as error:
            raise _refusal(self._url, error.response.status_code) from error
        except ssl.SSLCertVerificationError as error:
            raise BadArgument(
                f"{self._url} has a certificate that this machine does not trust "
                f"({error.verify_message}): set SSL_CERT_FILE to the file of its authority"
            ) from error
        except (OSError, WebSocketException) as error:
            reason = str(error) or type(error).__name__
            raise Lost(f"{self._url} cannot be reached ({reason})") from error
        assert isinstance(socket, MeteredSocket)
        return socket


def travels_openly(address: str) -> bool:
    """Whether what is sent to the address of a websocket can be read on its way.

    A name other than `localhost` counts as another machine: asking for its address takes time.
    """
    parts = urlsplit(address)
    if parts.scheme == "wss" or parts.hostname == "localhost":
        return False
    try:
        return not ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return True


async def _next(socket: MeteredSocket, url: str) -> ServerMessage:
    while True:
        before = socket.meter.bytes_received
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                frame = await socket.recv(decode=False)
            break
        except TimeoutError as error:
            if socket.meter.bytes_received < before + SLOWEST_BYTES:
                raise EngineHung(
                    f"the engine at {url} sent nothing for {SILENT_SECONDS:g} s"
                ) from error
    socket.meter.message_ended()
    try:
        return read_server_message(frame)
    except BadArgument as error:
        raise Lost(f"the connection to {url} is disturbed ({error})") from error


def _refusal(url: str, status: int) -> Exception:
    """The error for a handshake that was answered with a status of HTTP."""
    if status in WITHOUT_ACCESS:
        return NotAuthorized(
            f"{url} does not know this machine's token: ask for one, and name its file with "
            "--engine-token-file"
        )
    if status == WITHOUT_ROOM:
        return QueueFull(f"{url} has no room for another request: ask later")
    if status >= 500:
        return Lost(f"{url} failed with the status {status}")
    return BadArgument(f"{url} is no engine of Melody Bridge (status {status}): check the address")


def _websocket_address(url: str) -> str:
    """The address of the websocket at a server's address.

    Raises:
        BadArgument: the address has another form.
    """
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or parts.scheme not in ("http", "https") or parts.username or parts.query:
        raise BadArgument(f"engine {url!r}: give local, or an address such as http://gpu-box:8000")
    scheme = "wss" if parts.scheme == "https" else "ws"
    return f"{scheme}://{parts.netloc}{parts.path or '/'}"
