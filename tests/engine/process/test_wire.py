"""The messages of remote engines: they come back as they were, and nothing else gets through."""

from __future__ import annotations

import json
import math
import random
import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.engine import Request
from bridge.engine.process.messages import EngineFacts
from bridge.engine.process.wire import (
    MOST_REQUEST_BYTES,
    VERSION,
    ChunkMade,
    ClientMessage,
    CorruptFrame,
    Done,
    Facts,
    Failed,
    Generate,
    Progressed,
    Queued,
    Received,
    ServerMessage,
    Wanted,
    read_client_message,
    read_server_message,
    to_bytes,
)
from bridge.errors import (
    BadArgument,
    BridgeError,
    EngineFailed,
    LimitReached,
    QueueFull,
    Unsupported,
)

MELODY = np.eye(12, dtype=np.float32)[[0, 4, 7, 11, 0]]
CODES = np.arange(24, dtype=np.int64).reshape(8, 3) * 89
SOUND = Waveform(np.linspace(-1, 1, 20, dtype=np.float32).reshape(10, 2), 44100)
REQUEST = Request(
    prompt="tape → warm keys",
    melody=MELODY,
    seconds=0.1 + 0.2,
    seed=2**63 - 5,
    guidance_scale=3.1,
    temperature=0.7,
    top_k=0,
    top_p=0.9,
    do_sample=True,
    variations=4,
)
FACTS = EngineFacts("pocket", None, "cpu", 32000, 2, 50, ("a remark",), 3, "int8", "a-decoder")
FROM_CLIENT: list[ClientMessage] = [
    Generate(REQUEST, "anna"),
    Generate(replace(REQUEST, continue_from=CODES, overlap_steps=2), "b", False, 1.5, 200, 350),
    Generate(Request(continue_from=SOUND, max_new_tokens=50), "c"),
    Received(17),
    Wanted(18),
]
FROM_SERVER: list[ServerMessage] = [
    Facts(FACTS, 3),
    Queued(2),
    Progressed(0.25),
    ChunkMade(8, CODES[None], np.linspace(-1, 1, 3840, dtype=np.float32).reshape(1, 2, -1)),
    ChunkMade(0, CODES[None], None),
    Done(),
    Failed(QueueFull("8 requests wait: wait for one")),
    Failed(LimitReached("wait 3 s", 3.0)),
    Failed(LimitReached("ask for less", math.inf)),
]


def plain(message: Any) -> Any:
    """A message as values that can be compared."""
    if isinstance(message, np.ndarray):
        return str(message.dtype), message.shape, message.tobytes()
    if isinstance(message, BridgeError):
        return type(message), str(message), vars(message)
    if hasattr(message, "__dataclass_fields__"):
        return type(message), {name: plain(value) for name, value in vars(message).items()}
    return message


@pytest.mark.parametrize("message", FROM_CLIENT, ids=lambda each: type(each).__name__)
def test_a_clients_message_comes_back_to_the_bit(message: ClientMessage) -> None:
    assert plain(read_client_message(to_bytes(message))) == plain(message)


@pytest.mark.parametrize("message", FROM_SERVER, ids=lambda each: type(each).__name__)
def test_a_servers_message_comes_back_to_the_bit(message: ServerMessage) -> None:
    assert plain(read_server_message(to_bytes(message))) == plain(message)


def test_no_message_goes_in_the_other_direction() -> None:
    for message in FROM_CLIENT:
        with pytest.raises(BadArgument, match="direction"):
            read_server_message(to_bytes(message))
    for reply in FROM_SERVER:
        with pytest.raises(BadArgument, match="direction"):
            read_client_message(to_bytes(reply))


def test_another_version_is_named_with_the_remedy() -> None:
    frame = bytearray(to_bytes(Received(1)))
    frame[3] = VERSION + 1
    with pytest.raises(Unsupported, match=rf"version {VERSION + 1} .* install the same version"):
        read_client_message(bytes(frame))


def test_an_error_of_a_later_version_is_still_an_error() -> None:
    frame = with_header({"error": "NotYetKnown", "message": "late", "retry_seconds": None}, kind=16)
    reply = read_server_message(frame)
    assert isinstance(reply, Failed)
    assert type(reply.error) is EngineFailed
    assert str(reply.error) == "late"


def with_header(header: object, *, kind: int = 1, body: bytes = b"") -> bytes:
    """A frame with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    checksum = zlib.crc32(text + body)
    return struct.pack("<3sBBII", b"MBE", VERSION, kind, len(text), checksum) + text + body


def header_of(message: ClientMessage) -> dict[str, Any]:
    """The header of a message."""
    frame = to_bytes(message)
    length = struct.unpack_from("<I", frame, 5)[0]
    header: dict[str, Any] = json.loads(frame[13 : 13 + length])
    return header


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seconds": 1e9}, "seconds"),
        ({"seconds": "8"}, "seconds"),
        ({"seed": -1}, "seed"),
        ({"seed": True}, "seed"),
        ({"variations": 10**6}, "variations"),
        ({"temperature": 10**400}, "temperature"),
        ({"prompt": ["warm"]}, "prompt"),
        ({"prompt": "\ud800"}, "prompt"),
        ({"client": "x" * 81}, "client"),
        ({"melody": [10**9]}, "melody"),
        ({"melody": [4]}, "ends within"),
        ({"codes": [8]}, "codes"),
        ({"codes": [8, 30000]}, "ends within"),
        ({"audio": [10**6, 2], "audio_sample_rate": 48000}, "ends within"),
        ({"audio": [1, 2], "audio_sample_rate": 0}, "audio_sample_rate"),
        ({"audio": [1, 2], "audio_sample_rate": 1}, "audio_sample_rate"),
        ({"max_new_tokens": 10**7}, "max_new_tokens"),
        ({"deadline_seconds": -1}, "deadline_seconds"),
    ],
)
def test_a_value_out_of_its_range_is_named(change: dict[str, Any], reason: str) -> None:
    header = header_of(Generate(Request(), "anna"))
    with pytest.raises(BadArgument, match=reason):
        read_client_message(with_header({**header, **change}))


@pytest.mark.parametrize("name", header_of(Generate(Request(), "anna")))
def test_a_field_that_lacks_is_named(name: str) -> None:
    header = header_of(Generate(Request(), "anna"))
    del header[name]
    with pytest.raises(BadArgument, match=f"lacks its field '{name}'"):
        read_client_message(with_header(header))


@pytest.mark.parametrize(
    "header", [b"", b"[]", b"{", b"[" * 60_000, b'{"a": NaN}', b"\xff", b"9" * 5000]
)
def test_a_header_that_is_no_object_is_refused(header: bytes) -> None:
    with pytest.raises(BadArgument, match="no JSON object"):
        read_client_message(with_header(header))


def test_what_follows_the_message_is_refused() -> None:
    with pytest.raises(BadArgument, match="1 bytes too many"):
        read_client_message(with_header(header_of(Received(1)), kind=2, body=b"x"))


def test_a_frame_that_the_network_changed_is_known() -> None:
    frame = bytearray(to_bytes(FROM_SERVER[3]))
    frame[-1] ^= 1
    with pytest.raises(CorruptFrame, match="checksum"):
        read_server_message(bytes(frame))


def test_a_request_that_is_too_large_is_refused_before_it_travels() -> None:
    frames = MOST_REQUEST_BYTES // 8 + 1
    sound = Waveform(np.zeros((frames, 2), dtype=np.float32), 48000)
    with pytest.raises(Unsupported, match="continue a shorter sound"):
        to_bytes(Generate(Request(continue_from=sound), "anna"))
    with pytest.raises(BadArgument, match="send 12582912 at most"):
        read_client_message(bytes(MOST_REQUEST_BYTES + 1))


def test_no_changed_frame_escapes_with_another_error() -> None:
    seeded = random.Random(20)
    frames = [to_bytes(message) for message in (*FROM_CLIENT, *FROM_SERVER)]
    refused = 0
    for _ in range(10_000):
        frame = bytearray(seeded.choice(frames))
        for _ in range(seeded.randint(1, 4)):
            frame[seeded.randrange(len(frame))] = seeded.randrange(256)
        del frame[seeded.choice([len(frame), seeded.randrange(len(frame) + 1)]) :]
        if len(frame) > 13:
            # As if it had been sent like this.
            frame[9:13] = struct.pack("<I", zlib.crc32(frame[13:]))
        changed = bytes(frame)
        for read in (read_client_message, read_server_message):
            try:
                read(changed)
            except BridgeError:
                refused += 1
    assert refused > 15_000
