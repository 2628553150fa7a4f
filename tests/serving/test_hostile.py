"""A server among strangers: encrypted, half-open connections, bytes of any kind."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import ssl
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bridge.config.engine_token import Secret
from bridge.engine import Request
from bridge.engine.process.server_connection import Server
from bridge.engine.process.wire import Generate, to_bytes
from bridge.errors import BadArgument
from bridge.serving.application import ReplicaSettings
from bridge.serving.limits import Limits
from bridge.serving.token_changes import add_token
from tests.engine.recorder import PATIENCE_SECONDS
from tests.serving.certificates import certificate
from tests.serving.served import load_stand_in, remote_engine, served

CONNECTIONS = int(os.environ.get("MELODY_BRIDGE_HOSTILE_CONNECTIONS", "80"))
FRAMES = int(os.environ.get("MELODY_BRIDGE_HOSTILE_FRAMES", "300"))


async def answers(url: str, **options: object) -> None:
    """Let the server do one request."""
    async with remote_engine(url, **options) as (engine, _):
        result = await engine.submit(Request(seed=3)).result()
        assert result.waveforms[0].samples[0, 0] == pytest.approx(0.003)


def test_an_own_certificate_encrypts_and_another_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crt, key = certificate(tmp_path, "localhost")
    other, _ = certificate(tmp_path, "other")
    token, _ = add_token(tmp_path / "tokens.json", "laptop", Limits())
    settings = ReplicaSettings("stand-in", tokens=tmp_path / "tokens.json")

    async def test(url: str) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(crt))
        await answers(url, token=Secret(token))
        monkeypatch.setenv("SSL_CERT_FILE", str(other))
        async with remote_engine(url, token=Secret(token)) as (engine, recorder):
            await recorder.until(lambda: engine.state == "failed")
            assert isinstance(engine.failure, BadArgument)
            assert "does not trust" in str(engine.failure)
            assert token not in str(engine.failure)

    files: dict[str, Any] = {"ssl_certfile": str(crt), "ssl_keyfile": str(key)}
    with served(settings, load=load_stand_in, **files) as url:
        port = urlsplit(url).port
        asyncio.run(asyncio.wait_for(test(f"https://localhost:{port}"), PATIENCE_SECONDS))


def test_a_token_is_in_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    token, _ = add_token(tmp_path / "tokens.json", "laptop", Limits())
    wrong = token.swapcase()
    settings = ReplicaSettings("stand-in", tokens=tmp_path / "tokens.json")

    async def test(url: str) -> None:
        await answers(url, token=Secret(token))
        async with remote_engine(url, token=Secret(wrong)) as (engine, recorder):
            await recorder.until(lambda: engine.state == "failed")
            assert wrong not in str(engine.failure)

    with caplog.at_level(logging.INFO), served(settings, load=load_stand_in) as url:
        asyncio.run(asyncio.wait_for(test(url), PATIENCE_SECONDS))
    assert token not in caplog.text and wrong not in caplog.text


def test_half_open_connections_do_not_keep_others_out() -> None:
    begun = (
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost: engine\r\n",
        b"GET / HTTP/1.1\r\nHost: engine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    )

    async def test(url: str) -> None:
        address = urlsplit(url)
        async with AsyncExitStack() as stack:
            for number in range(CONNECTIONS):
                _, writer = await asyncio.open_connection(address.hostname, address.port)
                stack.callback(writer.close)
                writer.write(begun[number % len(begun)])
                await writer.drain()
            await answers(url)

    with served(load=load_stand_in) as url:
        asyncio.run(asyncio.wait_for(test(url), PATIENCE_SECONDS))


def test_any_bytes_end_their_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    draw = random.Random(20)
    whole = to_bytes(Generate(Request(prompt="keys", seconds=0.1), "a"))

    def hostile() -> bytes:
        kind, length = draw.randrange(3), draw.randrange(1, 400)
        if kind == 0:
            return draw.randbytes(length)
        at = draw.randrange(len(whole))
        if kind == 1:
            return whole[:at]
        return whole[:at] + draw.randbytes(length % 8 + 1) + whole[at:]

    async def test(url: str) -> None:
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        address = urlsplit(url)
        for number in range(FRAMES):
            if number % 2:
                reader, writer = await asyncio.open_connection(address.hostname, address.port)
                writer.write(hostile())
                if writer.can_write_eof():
                    writer.write_eof()
                with suppress(OSError):
                    await reader.read()
                writer.close()
                continue
            with suppress(WebSocketException, OSError):
                async with connect(url.replace("http", "ws"), proxy=None) as socket:
                    await socket.send(hostile())
                    async for _ in socket:
                        continue
        await answers(url)

    with caplog.at_level(logging.WARNING), served(load=load_stand_in) as url:
        asyncio.run(asyncio.wait_for(test(url), PATIENCE_SECONDS * max(1, FRAMES / 300)))
    assert not [record for record in caplog.records if record.exc_info]


def test_an_unencrypted_client_gets_nothing_from_an_encrypted_server(tmp_path: Path) -> None:
    crt, key = certificate(tmp_path, "localhost")

    async def test(url: str) -> None:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with suppress(OSError):
            assert b"HTTP" not in await reader.read()
        writer.close()
        trusting = ssl.create_default_context(cafile=str(crt))
        reader, writer = await asyncio.open_connection(
            address.hostname, address.port, ssl=trusting, server_hostname="localhost"
        )
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert b"200 OK" in await reader.read()
        writer.close()

    with served(load=load_stand_in, ssl_certfile=str(crt), ssl_keyfile=str(key)) as url:
        asyncio.run(asyncio.wait_for(test(url), PATIENCE_SECONDS))


@pytest.mark.parametrize(
    ("url", "warns"),
    [
        ("http://127.0.0.1:8000", False),
        ("http://[::1]:8000", False),
        ("http://localhost:8000", False),
        ("https://gpu-box:8000", False),
        ("http://gpu-box:8000", True),
        ("http://10.0.0.9:8000", True),
    ],
)
def test_a_token_that_would_travel_unencrypted_is_warned_of(
    caplog: pytest.LogCaptureFixture, url: str, warns: bool
) -> None:
    Server(url, Secret("mbt_" + "0" * 43))
    assert ("travels unencrypted" in caplog.text) is warns
    assert "mbt_" not in caplog.text
    caplog.clear()
    Server(url)
    assert not caplog.text
