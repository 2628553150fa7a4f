"""OSC 1.0 datagrams to messages and back, in bounded time for whatever a network sends.

python-osc reads and writes single messages. It must not see a datagram that nobody has checked: in
python-osc 1.10 a bundle element of size −4 loops for ever, a bundle for a later time sleeps until
then, blobs of negative size that lead back over a long text take 65 ms for 5 KiB, 31 % of mutated
packets raise UnicodeDecodeError, and a wildcard address of 56 bytes hangs its dispatcher. So this
module takes bundles apart itself, whatever their time tag says (the beat clock decides when things
happen), and checks that each argument is within its message before python-osc reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from pythonosc.osc_message import OscMessage, ParseError
from pythonosc.osc_message_builder import BuildError, OscMessageBuilder

MAX_RECEIVED_BYTES = 8192
MAX_SENT_BYTES = 4092
"""Below 4096, and a multiple of four as every OSC packet is."""
MAX_DEPTH = 4
"""Levels of nested bundles."""
MAX_ARGUMENTS = 1024
"""Arguments of one message."""

Argument = int | float | str | None
"""One received value; None is a type that the protocol does not use."""

_BUNDLE = b"#bundle\0"
_BUNDLE_HEADER_BYTES = 16
"""`#bundle`, its NUL, and the time tag."""
_SIZE = struct.Struct(">i")
_TEXT_TAGS = b"sS"
_BLOB_TAG = ord("b")
_ARGUMENT_BYTES = {
    ord(tag): size for tags, size in (("TFNI", 0), ("ifcrm", 4), ("hdt", 8)) for tag in tags
}
_UNUSED_TAGS = b"NIbtcrm"
"""Nil, infinitum, blobs, time tags, characters, colors and MIDI messages."""
_TAGS_FOR_PYTHON_OSC = bytes.maketrans(b"ScI", b"srN")
"""python-osc skips symbols, characters and infinitum: it gets a type of the same size instead."""


class InvalidPacket(ValueError):
    """The datagram is not OSC, or is larger or deeper than anything the protocol has."""


class Uncut(str):
    """Text that is never cut to make a message fit: an id, or a path."""

    __slots__ = ()


def read_packet(datagram: bytes) -> list[tuple[str, tuple[Argument, ...]]]:
    """Read the messages of a datagram, in order: each an address and its arguments.

    Takes under 5 ms for any bytes; the slowest known packet, a bundle of 1,022 messages, takes
    2.2 ms. `T` and `F` are read as 1 and 0, a symbol as text. Floats keep their value, even NaN.

    Raises:
        InvalidPacket: a part of the datagram is not valid; then none of its messages counts.
    """
    if len(datagram) > MAX_RECEIVED_BYTES:
        raise InvalidPacket(f"{len(datagram)} bytes: the limit is {MAX_RECEIVED_BYTES}")
    return [_read_message(message) for message in _messages(datagram, MAX_DEPTH)]


def _messages(packet: bytes, depth: int) -> Iterator[bytes]:
    """Split a packet into datagrams of one message each; `depth` levels of bundles are allowed."""
    if len(packet) % 4 or not packet:
        raise InvalidPacket(f"{len(packet)} bytes: a packet is a multiple of four")
    if not packet.startswith(_BUNDLE):
        yield packet
        return
    if depth == 0:
        raise InvalidPacket(f"bundles are nested more than {MAX_DEPTH} deep")
    if len(packet) < _BUNDLE_HEADER_BYTES:
        raise InvalidPacket("a bundle without its time tag")
    start = _BUNDLE_HEADER_BYTES
    while start < len(packet):
        (size,) = _SIZE.unpack_from(packet, start)
        start += _SIZE.size
        if size <= 0 or size > len(packet) - start:
            raise InvalidPacket(
                f"a bundle element of {size} bytes, with {len(packet) - start} left"
            )
        yield from _messages(packet[start : start + size], depth - 1)
        start += size


def _read_message(datagram: bytes) -> tuple[str, tuple[Argument, ...]]:
    start, tags = _checked_tags(datagram)
    end = start + len(tags)
    try:
        message = OscMessage(
            datagram[:start] + tags.translate(_TAGS_FOR_PYTHON_OSC) + datagram[end:]
        )
    except (ParseError, UnicodeDecodeError) as error:
        raise InvalidPacket(str(error)) from error
    values = zip(tags[1:], message.params, strict=True)
    return message.address, tuple(_argument(tag, value) for tag, value in values)


def _checked_tags(datagram: bytes) -> tuple[int, bytes]:
    """Check the structure of a message; return the position of its type tags, and the tags.

    Reading only ever goes forward, so the datagram's size bounds the time.
    """
    if not datagram.startswith(b"/"):
        raise InvalidPacket("an address begins with a slash")
    start = _after_text(datagram, 0)
    if start == len(datagram):
        return start, b""
    position = _after_text(datagram, start)
    tags = datagram[start : datagram.index(0, start)]
    if not tags.startswith(b","):
        raise InvalidPacket("type tags begin with a comma")
    if len(tags) > MAX_ARGUMENTS + 1:
        raise InvalidPacket(f"{len(tags) - 1} arguments: the limit is {MAX_ARGUMENTS}")
    for tag in tags[1:]:
        position = _after_argument(tag, datagram, position)
    if position != len(datagram):
        raise InvalidPacket(f"{len(datagram)} bytes, but the message takes {position}")
    return start, tags


def _after_text(datagram: bytes, start: int) -> int:
    """Return the position after the text that begins at `start`, its NULs included."""
    end = datagram.find(0, start)
    if end < 0:
        raise InvalidPacket("a text without its NUL")
    return end + 4 - end % 4


def _after_argument(tag: int, datagram: bytes, start: int) -> int:
    """Return the position after an argument: never before `start`, maybe past the end."""
    if tag in _TEXT_TAGS:
        return _after_text(datagram, start)
    if tag in _ARGUMENT_BYTES:
        return start + _ARGUMENT_BYTES[tag]
    if tag != _BLOB_TAG:
        raise InvalidPacket(f"type tag {chr(tag)!r}: only those of OSC 1.0, and no arrays")
    if start + _SIZE.size > len(datagram):
        raise InvalidPacket("a blob without its size")
    size: int = _SIZE.unpack_from(datagram, start)[0]
    if size < 0:
        raise InvalidPacket(f"a blob of {size} bytes")
    return start + _SIZE.size + size + -size % 4


def _argument(tag: int, value: int | float | str) -> Argument:
    """Return a value of python-osc's as the protocol has it."""
    if tag in _UNUSED_TAGS:
        return None
    return int(value) if isinstance(value, bool) else value


def write_message(address: str, arguments: Sequence[int | float | str]) -> bytes:
    """Write one message as a datagram of at most `MAX_SENT_BYTES`, of the types `i`, `f` and `s`.

    While it does not fit, the longest text that is not `Uncut` is cut between two characters. A NUL
    cannot be sent and is left out; what UTF-8 cannot hold (a lone surrogate, from a file name that
    is not UTF-8) becomes a question mark.

    Raises:
        ValueError: the message does not fit with everything cut, or an integer does not fit 32
            bits.
        OverflowError: a float does not fit 32 bits.
    """
    values = [
        _sendable(argument) if isinstance(argument, str) else argument for argument in arguments
    ]
    while (excess := len(datagram := _datagram(address, values)) - MAX_SENT_BYTES) > 0:
        cuttable = [
            (len(value.encode()), index)
            for index, (value, argument) in enumerate(zip(values, arguments, strict=True))
            if isinstance(value, str) and value and not isinstance(argument, Uncut)
        ]
        if not cuttable:
            raise ValueError(f"{address}: {excess} bytes too many, and no text left to cut")
        length, longest = max(cuttable)
        kept = str(values[longest]).encode()[: max(length - excess, 0)]
        values[longest] = kept.decode("utf-8", "ignore")
    return datagram


def _datagram(address: str, values: Sequence[int | float | str]) -> bytes:
    builder = OscMessageBuilder(address)
    for value in values:
        if isinstance(value, str):
            builder.add_arg(value, OscMessageBuilder.ARG_TYPE_STRING)
        elif isinstance(value, float):
            builder.add_arg(value, OscMessageBuilder.ARG_TYPE_FLOAT)
        else:
            # Its type is not left to python-osc, which would send more than 32 bits or a bool.
            builder.add_arg(value, OscMessageBuilder.ARG_TYPE_INT)
    try:
        return builder.build().dgram
    except (BuildError, ParseError) as error:
        raise ValueError(f"{address}: {error}") from error


def _sendable(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()
