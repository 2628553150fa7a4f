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
from contextlib import suppress

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

BUNDLE = b"#bundle\0"
"""How a bundle begins."""
_BUNDLE_ADDRESS = "#bundle"
_BUNDLE_HEADER_BYTES = 16
"""`#bundle`, its NUL, and the time tag."""
_SIZE = struct.Struct(">i")
_TEXT_TAGS = b"sS"
_BLOB_TAG = ord("b")
_ARGUMENT_BYTES = {
    ord(tag): size for tags, size in (("TFNI", 0), ("ifcrm", 4), ("hdt", 8)) for tag in tags
}
_KNOWN_TAGS = frozenset((*_TEXT_TAGS, _BLOB_TAG, *_ARGUMENT_BYTES))
_BRACKETS = b"[]"
_OPENING = ord("[")
_UNUSED_TAGS = b"NIbtcrm"
"""Nil, infinitum, blobs, time tags, characters, colors and MIDI messages."""
_TAGS_FOR_PYTHON_OSC = bytes.maketrans(b"ScI", b"srN")
"""python-osc skips symbols, characters and infinitum: it gets a type of the same size instead."""


class InvalidPacket(ValueError):
    """The datagram is not OSC, or is larger or deeper than anything the protocol has."""


class NotUnderstood(InvalidPacket):
    """A message with a valid address that asks for more than the protocol has: it gets an error.

    Attributes:
        address: the message's, or `#bundle`.
        first: its first argument, if that is text: often the id.
    """

    def __init__(self, address: str, first: str | None, reason: str) -> None:
        super().__init__(reason)
        self.address, self.first = address, first


class Uncut(str):
    """Text that is never cut to make a message fit: an id, or a path."""

    __slots__ = ()


def read_packet(datagram: bytes) -> list[tuple[str, tuple[Argument, ...]]]:
    """Read the messages of a datagram, in order: each an address and its arguments.

    Takes under 5 ms for any bytes; the slowest known packet, a bundle of 1,022 messages, takes
    2.2 ms. `T` and `F` are read as 1 and 0, a symbol as text, and the elements of an array as
    arguments. Floats keep their value, even NaN.

    Raises:
        NotUnderstood: the datagram is too large, or a message has nested arrays, an unknown type or
            too many arguments, or bundles are nested too deeply.
        InvalidPacket: a part of the datagram is not valid. In both cases none of its messages
            counts.
    """
    if len(datagram) > MAX_RECEIVED_BYTES:
        # The text that is looked at is bounded, whatever the datagram's size.
        raise _not_understood(
            datagram[:MAX_RECEIVED_BYTES],
            f"{len(datagram)} bytes: the limit is {MAX_RECEIVED_BYTES}",
        )
    return [_read_message(message) for message in _messages(datagram, MAX_DEPTH)]


def _messages(packet: bytes, depth: int) -> Iterator[bytes]:
    """Split a packet into datagrams of one message each; `depth` levels of bundles are allowed."""
    if len(packet) % 4 or not packet:
        raise InvalidPacket(f"{len(packet)} bytes: a packet is a multiple of four")
    if not packet.startswith(BUNDLE):
        yield packet
        return
    if depth == 0:
        raise NotUnderstood(_BUNDLE_ADDRESS, None, f"bundles are nested more than {MAX_DEPTH} deep")
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
    arguments_start = _after_text(datagram, start) if tags else start
    # Without its brackets: python-osc would return an array as one list.
    tags = tags.translate(None, _BRACKETS)
    python_osc_tags = tags.translate(_TAGS_FOR_PYTHON_OSC)
    padded = python_osc_tags + bytes(4 - len(tags) % 4) if tags else b""
    try:
        message = OscMessage(datagram[:start] + padded + datagram[arguments_start:])
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
        raise _not_understood(datagram, f"{len(tags) - 1} arguments: the limit is {MAX_ARGUMENTS}")
    in_array = False
    for tag in tags[1:]:
        if tag in _BRACKETS:
            if (tag == _OPENING) == in_array:
                if in_array:
                    raise _not_understood(datagram, "arrays within arrays: send one level only")
                raise InvalidPacket("an array that ends without a beginning")
            in_array = not in_array
        else:
            if tag not in _KNOWN_TAGS:
                raise _not_understood(
                    datagram, f"type tag {chr(tag)!r}: only those of OSC 1.0 are read"
                )
            position = _after_argument(tag, datagram, position)
    if in_array:
        raise InvalidPacket("an array without its end")
    if position != len(datagram):
        raise InvalidPacket(f"{len(datagram)} bytes, but the message takes {position}")
    return start, tags


def _not_understood(datagram: bytes, reason: str) -> InvalidPacket:
    """The error for a datagram of which at least the address is valid OSC; else `InvalidPacket`."""
    if datagram.startswith(BUNDLE):
        return NotUnderstood(_BUNDLE_ADDRESS, None, reason)
    try:
        address, start = _text(datagram, 0)
        tags, start = _text(datagram, start)
    except InvalidPacket:
        return InvalidPacket(reason)
    if not address.startswith("/") or not address.isprintable() or not tags.startswith(","):
        return InvalidPacket(reason)
    first = None
    if tags.startswith((",s", ",S")):
        with suppress(InvalidPacket):
            first, _ = _text(datagram, start)
    return NotUnderstood(address, first, reason)


def _text(datagram: bytes, start: int) -> tuple[str, int]:
    """The text that begins at `start`, and the position after it."""
    after = _after_text(datagram, start)
    try:
        return datagram[start:after].rstrip(b"\0").decode(), after
    except UnicodeDecodeError as error:
        raise InvalidPacket(str(error)) from error


def _after_text(datagram: bytes, start: int) -> int:
    """Return the position after the text that begins at `start`, its NULs included."""
    end = datagram.find(0, start)
    if end < 0:
        raise InvalidPacket("a text without its NUL")
    return end + 4 - end % 4


def _after_argument(tag: int, datagram: bytes, start: int) -> int:
    """Return the position after an argument of a known type: not before `start`, maybe too far."""
    if tag in _TEXT_TAGS:
        return _after_text(datagram, start)
    if tag in _ARGUMENT_BYTES:
        return start + _ARGUMENT_BYTES[tag]
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
