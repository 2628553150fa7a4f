"""OSC 1.0 datagrams to messages and back, in bounded time for whatever a network sends.

Reading only ever goes forward, so the datagram's size bounds its time. python-osc 1.10 does not
keep to that: a bundle element of size −4 loops for ever in it, and blobs of negative size that lead
back over a long text take it 65 ms for 5 KiB. Bundles are taken apart at once, whatever time they
are for: when a thing is to happen is the beat clock's to say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

MAX_RECEIVED_BYTES = 8192
MAX_SENT_BYTES = 4092
"""Under 4096, and a multiple of four as every OSC packet is."""
MAX_DEPTH = 4
"""Bundles within bundles."""
MAX_ARGUMENTS = 1024
"""Of one message."""

Argument = int | float | str | None
"""One value off the wire; None stands for a type that the protocol has no use for."""

_BUNDLE = b"#bundle\0"
_BUNDLE_HEADER_BYTES = 16
"""`#bundle`, its NUL, and the time tag."""
_SIZE = struct.Struct(">i")
_TEXTS = "sS"
_NUMBERS = {tag: struct.Struct(f">{layout}") for tag, layout in ("ii", "hq", "ff", "dd")}
_CONSTANTS = {"T": 1, "F": 0, "N": None, "I": None}
_BYTES_WITHOUT_USE = {"t": 8, "c": 4, "r": 4, "m": 4}
"""Time tags, characters, colors and MIDI messages."""
_BLOB = "b"


class InvalidPacket(ValueError):
    """The datagram is not OSC, or is larger or deeper than anything the protocol has."""


class Uncut(str):
    """Text that is never cut to make a message fit: an id, or a path."""

    __slots__ = ()


def read_packet(datagram: bytes) -> list[tuple[str, tuple[Argument, ...]]]:
    """The messages of a datagram, in order: each an address and its arguments.

    Takes well under 5 ms, whatever the bytes are. `T` and `F` are read as 1 and 0, a symbol as
    text. Floats are as they came, NaN included.

    Raises:
        InvalidPacket: any part of it is not valid; then none of it counts.
    """
    if len(datagram) > MAX_RECEIVED_BYTES:
        raise InvalidPacket(f"{len(datagram)} bytes: the limit is {MAX_RECEIVED_BYTES}")
    return [_read_message(message) for message in _messages(datagram, MAX_DEPTH)]


def _messages(packet: bytes, depth: int) -> Iterator[bytes]:
    """Datagrams of one message each, out of bundles that may lie `depth` deep."""
    if len(packet) % 4 or not packet:
        raise InvalidPacket(f"{len(packet)} bytes: a packet is a multiple of four")
    if not packet.startswith(_BUNDLE):
        yield packet
        return
    if depth == 0:
        raise InvalidPacket(f"bundles lie more than {MAX_DEPTH} deep")
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
    try:
        address, at = _read_text(datagram, 0)
        tags, at = _read_text(datagram, at) if at < len(datagram) else (",", at)
        if not (address.startswith("/") and tags.startswith(",")):
            raise InvalidPacket("an address begins with a slash, and type tags with a comma")
        if len(tags) > MAX_ARGUMENTS + 1:
            raise InvalidPacket(f"{len(tags) - 1} arguments: the limit is {MAX_ARGUMENTS}")
        arguments = []
        for tag in tags[1:]:
            value, at = _read_argument(tag, datagram, at)
            arguments.append(value)
    except (ValueError, struct.error) as error:
        raise InvalidPacket(str(error)) from error
    if at != len(datagram):
        raise InvalidPacket(f"{len(datagram)} bytes, of which the message takes {at}")
    return address, tuple(arguments)


def _read_text(datagram: bytes, start: int) -> tuple[str, int]:
    """The text there, without its NULs, and where the next thing begins."""
    end = datagram.index(0, start)
    return datagram[start:end].decode(), end + 4 - end % 4


def _read_argument(tag: str, datagram: bytes, start: int) -> tuple[Argument, int]:
    """The argument there, and where the next one begins: always further on, or past the end."""
    if tag in _TEXTS:
        return _read_text(datagram, start)
    if tag in _NUMBERS:
        number = _NUMBERS[tag]
        return number.unpack_from(datagram, start)[0], start + number.size
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], start
    if tag in _BYTES_WITHOUT_USE:
        return None, start + _BYTES_WITHOUT_USE[tag]
    if tag == _BLOB:
        (size,) = _SIZE.unpack_from(datagram, start)
        if size < 0:
            raise InvalidPacket(f"a blob of {size} bytes")
        return None, start + _SIZE.size + size + -size % 4
    raise InvalidPacket(f"type tag {tag!r}: only those of OSC 1.0, and no arrays")


def write_message(address: str, arguments: Sequence[int | float | str]) -> bytes:
    """One message as a datagram of at most `MAX_SENT_BYTES`, of the types `i`, `f` and `s`.

    While it does not fit, the longest text that is not `Uncut` is cut between two characters. A NUL
    cannot be sent and is left out; what UTF-8 cannot hold (a lone surrogate, from a file name that
    is not UTF-8) becomes a question mark.

    Raises:
        ValueError: it does not fit with everything cut.
        struct.error, OverflowError: a number does not fit 32 bits.
    """
    values = list(arguments)
    while (excess := len(datagram := _datagram(address, values)) - MAX_SENT_BYTES) > 0:
        cuttable = [
            (len(_encoded(value)), at)
            for at, value in enumerate(values)
            if isinstance(value, str) and value and not isinstance(value, Uncut)
        ]
        if not cuttable:
            raise ValueError(f"{address}: {excess} bytes too many, and no text left to cut")
        length, longest = max(cuttable)
        kept = _encoded(str(values[longest]))[: max(length - excess, 0)]
        values[longest] = kept.decode("utf-8", "ignore")
    return datagram


def _datagram(address: str, values: Sequence[int | float | str]) -> bytes:
    tags, data = ",", b""
    for value in values:
        if isinstance(value, str):
            tags, data = tags + "s", data + _padded(_encoded(value))
        elif isinstance(value, float):
            tags, data = tags + "f", data + struct.pack(">f", value)
        else:
            tags, data = tags + "i", data + struct.pack(">i", value)
    return _padded(address.encode()) + _padded(tags.encode()) + data


def _encoded(text: str) -> bytes:
    return text.replace("\0", "").encode("utf-8", "replace")


def _padded(text: bytes) -> bytes:
    """With one to four NULs, to a multiple of four bytes."""
    return text + bytes(4 - len(text) % 4)
