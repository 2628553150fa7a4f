"""The messages between a daemon and a remote engine: frozen dataclasses, and their form in bytes.

A message is one binary frame: `MBE`, the version, the message's kind, the length of the header
(4 bytes, little-endian), the CRC-32 of what follows (likewise), the header (a JSON object in
UTF-8), and the arrays that the header names, one after the other, little-endian. No frame holds an
object to unpickle. Every size is checked before anything of that size is made, and each number
against its range.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from bridge import errors
from bridge.chroma import MOST_TOKENS
from bridge.commands import Precision
from bridge.config.readers import MAX_VARIATIONS
from bridge.engine.process.messages import EngineFacts
from bridge.engine.process.wire_fields import Fields, Written
from bridge.engine.process.wire_request import (
    LARGEST_SAMPLE_RATE,
    MOST_CODEBOOKS,
    read_request,
    write_request,
)
from bridge.engine.request import Request
from bridge.errors import BadArgument, BridgeError, EngineFailed, LimitReached, Unsupported

VERSION = 3
MOST_REQUEST_BYTES = 12 * 2**20
"""The largest frame from a client. The web server of Ray Serve takes 16 MiB."""
MOST_REPLY_BYTES = 2**28
"""The largest frame from a server: more than 8 variations come in one chunk."""
MOST_HEADER_BYTES = 2**16
MOST_CLIENT_LETTERS, MOST_SENTENCE_LETTERS, MOST_REMARKS = 80, 2000, 32
LONGEST_DEADLINE_SECONDS = 86_400.0

_MAGIC = b"MBE"
_START = struct.Struct("<3sBBII")
_ERRORS: Mapping[str, type[BridgeError]] = {
    each.__name__: each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, BridgeError)
}


class CorruptFrame(BadArgument):
    """A frame is not as it was sent."""


@dataclass(frozen=True, eq=False)
class Generate:
    """From the client: generate this. One message of a connection, after the server's `Facts`.

    Attributes:
        client: who asks; the server takes the clients' requests in turn. Where the server knows
            the client by a token, it takes that name.
        live: the request goes before those that are not live.
        deadline_seconds: the audio is wanted within this time; None: whenever it is made.
        received_steps: codec steps that the client has from another replica. Their codes come
            again, without audio.
        wanted_steps: the client waits for so many codec steps, as in `Wanted`.
    """

    request: Request
    client: str
    live: bool = True
    deadline_seconds: float | None = None
    received_steps: int = 0
    wanted_steps: int = 0


@dataclass(frozen=True)
class Received:
    """From the client: it has this many codec steps, so that the server may send more."""

    steps: int


@dataclass(frozen=True)
class Wanted:
    """From the client: it waits for this many codec steps, and takes them as soon as they are made.

    Other steps may come later, many in one message. 0: it waits for none.
    """

    steps: int


@dataclass(frozen=True)
class Facts:
    """From the server: its model, and how busy it is. The first message of every connection.

    Attributes:
        waiting: requests of all clients that wait at this replica.
    """

    engine: EngineFacts
    waiting: int


@dataclass(frozen=True)
class Queued:
    """From the server: the request waits.

    Attributes:
        ahead: how many requests go before it, as things are.
    """

    ahead: int


@dataclass(frozen=True)
class Progressed:
    """From the server: the share of the request that is done, 0…1."""

    share: float


@dataclass(frozen=True, eq=False)
class ChunkMade:
    """From the server: the next codec steps.

    Attributes:
        first_step: the number of its first step, from 0, in what the request makes.
        codes: int64 `[variations, K, S]`.
        audio: float32 `[variations, channels, S * hop]`; None: the client has it already.
    """

    first_step: int
    codes: NDArray[np.int64]
    audio: NDArray[np.float32] | None


@dataclass(frozen=True)
class Done:
    """From the server: every chunk has been sent."""


@dataclass(frozen=True)
class Failed:
    """From the server: the request ends with an error."""

    error: BridgeError


ClientMessage = Generate | Received | Wanted
ServerMessage = Facts | Queued | Progressed | ChunkMade | Done | Failed


def to_bytes(message: ClientMessage | ServerMessage) -> bytes:
    """A message's frame.

    Raises:
        Unsupported: the request is too large to travel.
    """
    kind = _KINDS[type(message)]
    header, arrays = kind.write(message)
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    if len(text) > MOST_HEADER_BYTES:
        raise Unsupported(
            f"a prompt of {len(text)} bytes: a remote engine takes {MOST_HEADER_BYTES}; shorten it"
        )
    content = b"".join([text, *(np.ascontiguousarray(array).tobytes() for array in arrays)])
    frame = _START.pack(_MAGIC, VERSION, kind.number, len(text), zlib.crc32(content)) + content
    if kind.from_client and len(frame) > MOST_REQUEST_BYTES:
        raise Unsupported(
            f"a request of {len(frame)} bytes: a remote engine takes {MOST_REQUEST_BYTES}; "
            "continue a shorter sound"
        )
    return frame


def read_client_message(frame: bytes) -> ClientMessage:
    """The message in a client's frame.

    Raises:
        BadArgument: it is none.
        CorruptFrame: the network has changed it.
        Unsupported: another version; or as `Request`.
    """
    message = _read(frame, MOST_REQUEST_BYTES, from_client=True)
    assert isinstance(message, ClientMessage)
    return message


def read_server_message(frame: bytes) -> ServerMessage:
    """The message in a server's frame.

    Raises:
        BadArgument: it is none.
        CorruptFrame: the network has changed it.
        Unsupported: another version.
    """
    message = _read(frame, MOST_REPLY_BYTES, from_client=False)
    assert isinstance(message, ServerMessage)
    return message


def _read(frame: bytes, most_bytes: int, *, from_client: bool) -> ClientMessage | ServerMessage:
    if len(frame) > most_bytes:
        raise BadArgument(f"a message of {len(frame)} bytes: send {most_bytes} at most")
    if len(frame) < _START.size:
        raise BadArgument(f"a message of {len(frame)} bytes is no message of Melody Bridge")
    magic, version, number, header_bytes, checksum = _START.unpack_from(frame)
    if magic != _MAGIC:
        raise BadArgument(f"{magic!r} does not begin a message of Melody Bridge")
    if version != VERSION:
        raise Unsupported(
            f"version {version} of the protocol of remote engines: this side has {VERSION}; "
            "install the same version of melody-bridge on both"
        )
    if zlib.crc32(memoryview(frame)[_START.size :]) != checksum:
        raise CorruptFrame("a message does not have its checksum: the network changed it")
    kind = _BY_NUMBER.get(number)
    if kind is None or kind.from_client is not from_client:
        raise BadArgument(f"kind {number} is no message of this direction")
    if header_bytes > MOST_HEADER_BYTES or _START.size + header_bytes > len(frame):
        raise BadArgument(f"a header of {header_bytes} bytes does not fit the message")
    end = _START.size + header_bytes
    fields = Fields(frame[_START.size : end], memoryview(frame)[end:])
    message: ClientMessage | ServerMessage = kind.read(fields)
    fields.check_end()
    return message


def _write_generate(message: Generate) -> Written:
    header, arrays = write_request(message.request)
    of_message = {name: value for name, value in vars(message).items() if name != "request"}
    return {**of_message, **header}, arrays


def _read_generate(fields: Fields) -> Generate:
    return Generate(
        read_request(fields, MOST_REQUEST_BYTES),
        client=fields.text("client", MOST_CLIENT_LETTERS),
        live=fields.boolean("live"),
        deadline_seconds=fields.optional(
            "deadline_seconds", fields.number, 0, LONGEST_DEADLINE_SECONDS
        ),
        received_steps=fields.integer("received_steps", 0, MOST_TOKENS),
        wanted_steps=fields.integer("wanted_steps", 0, MOST_TOKENS),
    )


def _write_facts(message: Facts) -> Written:
    facts = message.engine
    remarks = [remark[:MOST_SENTENCE_LETTERS] for remark in facts.remarks[:MOST_REMARKS]]
    return {**vars(facts), "remarks": remarks, "waiting": message.waiting}, []


def _read_facts(fields: Fields) -> Facts:
    engine = EngineFacts(
        model_name=fields.text("model_name", MOST_SENTENCE_LETTERS),
        revision=fields.optional("revision", fields.text, MOST_SENTENCE_LETTERS),
        device=fields.text("device", MOST_CLIENT_LETTERS),
        sample_rate=fields.integer("sample_rate", 1, LARGEST_SAMPLE_RATE),
        audio_channels=fields.integer("audio_channels", 1, 2),
        frame_rate=fields.integer("frame_rate", 1, LARGEST_SAMPLE_RATE),
        remarks=fields.texts("remarks", MOST_REMARKS, MOST_SENTENCE_LETTERS),
        longest_delay=fields.integer("longest_delay", 0, MOST_CODEBOOKS),
        precision=cast(Precision, fields.word("precision", *get_args(Precision))),
        decoder=fields.optional("decoder", fields.text, MOST_SENTENCE_LETTERS),
    )
    return Facts(engine, fields.integer("waiting", 0, MOST_REPLY_BYTES))


def _write_chunk(message: ChunkMade) -> Written:
    codes, audio = message.codes, message.audio
    header = {"first_step": message.first_step, "codes": list(codes.shape), "audio": None}
    arrays: list[NDArray[Any]] = [codes.astype("<u2")]
    if audio is not None:
        header["audio"] = list(audio.shape)
        arrays.append(audio.astype("<f4", copy=False))
    return header, arrays


def _read_chunk(fields: Fields) -> ChunkMade:
    shape = fields.shape("codes", (MAX_VARIATIONS, MOST_CODEBOOKS, MOST_TOKENS))
    codes = fields.array("<u2", shape).astype(np.int64)
    audio = None
    if fields.has("audio"):
        shape = fields.shape("audio", (MAX_VARIATIONS, 2, MOST_REPLY_BYTES))
        audio = fields.array("<f4", shape)
        if shape[0] != codes.shape[0] or shape[2] % codes.shape[2]:
            raise BadArgument(f"audio of {list(shape)} is not that of codes {list(codes.shape)}")
    return ChunkMade(fields.integer("first_step", 0, MOST_TOKENS), codes, audio)


def _write_failed(message: Failed) -> Written:
    error = message.error
    # JSON has no infinity.
    retry = error.retry_seconds if isinstance(error, LimitReached) else math.inf
    header = {"error": type(error).__name__, "message": str(error)[:MOST_SENTENCE_LETTERS]}
    return {**header, "retry_seconds": retry if math.isfinite(retry) else None}, []


def _read_failed(fields: Fields) -> Failed:
    # A later version may have errors that this one does not know.
    error = _ERRORS.get(fields.text("error", MOST_CLIENT_LETTERS), EngineFailed)
    message = fields.text("message", MOST_SENTENCE_LETTERS)
    retry = fields.optional("retry_seconds", fields.number, 0, LONGEST_DEADLINE_SECONDS)
    if issubclass(error, LimitReached):
        return Failed(error(message, math.inf if retry is None else retry))
    return Failed(error(message))


def _read_received(fields: Fields) -> Received:
    return Received(fields.integer("steps", 0, MOST_TOKENS))


def _read_wanted(fields: Fields) -> Wanted:
    return Wanted(fields.integer("steps", 0, MOST_TOKENS))


@dataclass(frozen=True)
class _Kind:
    """How one kind of message is written and read."""

    number: int
    message: type
    read: Callable[[Fields], Any]
    write: Callable[[Any], Written] = field(default=lambda message: (dict(vars(message)), []))
    from_client: bool = False


_BY_NUMBER = {
    kind.number: kind
    for kind in (
        _Kind(1, Generate, _read_generate, _write_generate, from_client=True),
        _Kind(2, Received, _read_received, from_client=True),
        _Kind(3, Wanted, _read_wanted, from_client=True),
        _Kind(11, Facts, _read_facts, _write_facts),
        _Kind(12, Queued, lambda fields: Queued(fields.integer("ahead", 0, MOST_REPLY_BYTES))),
        _Kind(13, Progressed, lambda fields: Progressed(fields.number("share", 0, 1))),
        _Kind(14, ChunkMade, _read_chunk, _write_chunk),
        _Kind(15, Done, lambda fields: Done()),
        _Kind(16, Failed, _read_failed, _write_failed),
    )
}
_KINDS = {kind.message: kind for kind in _BY_NUMBER.values()}
