"""A strict reader of .amxd containers, to check what the device's build writes.

It shares no code with the writer and checks every field: a field that differs from the layout
raises ValueError, with the offset in the file and the value found there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

DeviceType = Literal["audio", "midi", "instrument"]

_DEVICE_TYPES: dict[bytes, DeviceType] = {b"aaaa": "audio", b"mmmm": "midi", b"iiii": "instrument"}
_FROZEN_BY_META = {0: False, 1: False, 7: True}
"""By the number in `meta`: unfrozen devices have 0 (older versions of Max) or 1, frozen ones 7."""
_PTCH_START = 24
_PAYLOAD_START = 32
_FIRST_FILE = 16
"""Offset of the first file from the payload's start: the size of the mx@c header."""
_DEVICE_FLAG = 17
_OTHER_FLAGS = (0, 8)
"""Sounds and scripts for Node have 8, all other files 0."""
_MAC_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)
_ENTRY_CHUNKS = (b"type", b"fnam", b"sz32", b"of32", b"vers", b"flag", b"mdat")


@dataclass(frozen=True)
class Entry:
    """A line of a frozen device's directory.

    Attributes:
        name: the file's name.
        type: four characters, such as "JSON" or "TEXT".
        offset: offset of its first byte from the payload's start.
        size: in bytes.
        version: 0 in every known device.
        flag: 17 for the device's own patcher, 0 or 8 for other files.
        modified: date of the file's last change.
    """

    name: str
    type: str
    offset: int
    size: int
    version: int
    flag: int
    modified: datetime


@dataclass(frozen=True)
class Amxd:
    """The content of an .amxd container.

    Attributes:
        device_type: one of Live's three types of device.
        frozen: whether it contains the files that it depends on.
        patcher: the device's own JSON, parsed.
        files: the contents of those files by name; empty if it is not frozen.
        entries: the directory, with the device's own entry first; empty if it is not frozen.
    """

    device_type: DeviceType
    frozen: bool
    patcher: dict[str, Any]
    files: dict[str, bytes]
    entries: tuple[Entry, ...]


def read_amxd(data: bytes) -> Amxd:
    """Parse a whole .amxd file.

    Raises:
        ValueError: a field differs from the layout; the message has the offset and the value.
    """
    device_type, frozen = _read_head(data)
    if not frozen:
        patcher = _parse_patcher(data, _PAYLOAD_START, len(data))
        _check_type_inside(data, patcher)
        return Amxd(device_type, False, patcher, {}, ())
    entries = _read_directory(data, _footer_start(data))
    device, *others = entries
    device_start = _PAYLOAD_START + device.offset
    patcher = _parse_patcher(data, device_start, device_start + device.size)
    _check_type_inside(data, patcher)
    return Amxd(
        device_type, True, patcher, {one.name: _content(data, one) for one in others}, entries
    )


def _read_head(data: bytes) -> tuple[DeviceType, bool]:
    _expect(data, 0, b"ampf")
    _expect_u32le(data, 4, 4)
    device_type = _DEVICE_TYPES.get(_take(data, 8, 4))
    if device_type is None:
        raise _unlike(8, "a device type (aaaa, mmmm or iiii)", _take(data, 8, 4))
    _expect(data, 12, b"meta")
    _expect_u32le(data, 16, 4)
    meta = _u32le(data, 20)
    if meta not in _FROZEN_BY_META:
        raise _unlike(20, "1 (unfrozen) or 7 (frozen)", meta)
    _expect(data, _PTCH_START, b"ptch")
    _expect_u32le(data, _PTCH_START + 4, len(data) - _PAYLOAD_START)
    return device_type, _FROZEN_BY_META[meta]


def _footer_start(data: bytes) -> int:
    _expect(data, _PAYLOAD_START, b"mx@c")
    _expect_u32be(data, _PAYLOAD_START + 4, _FIRST_FILE)
    footer_offset = int.from_bytes(_take(data, _PAYLOAD_START + 8, 8), "big")
    if not _FIRST_FILE < footer_offset < len(data) - _PAYLOAD_START:
        raise _unlike(_PAYLOAD_START + 8, "a footer's offset in the payload", footer_offset)
    return _PAYLOAD_START + footer_offset


def _read_directory(data: bytes, footer_start: int) -> tuple[Entry, ...]:
    _expect(data, footer_start, b"dlst")
    # Nothing may follow: the list reaches to the end of the file.
    _expect_u32be(data, footer_start + 4, len(data) - footer_start)
    places_and_entries = list(_read_entries(data, footer_start + 8))
    if not places_and_entries:
        raise _unlike(footer_start + 8, "at least one directory entry", b"")
    _check_contiguous(places_and_entries, footer_start - _PAYLOAD_START)
    _check_roles(places_and_entries)
    return tuple(entry for _, entry in places_and_entries)


def _read_entries(data: bytes, position: int) -> Iterator[tuple[int, Entry]]:
    while position < len(data):
        tag, body, after = _chunk(data, position, len(data))
        if tag != b"dire":
            raise _unlike(position, "dire", tag)
        yield position, _read_entry(data, body, after)
        position = after


def _read_entry(data: bytes, position: int, end: int) -> Entry:
    bodies: dict[bytes, tuple[int, int]] = {}
    for expected in _ENTRY_CHUNKS:
        tag, body, after = _chunk(data, position, end)
        if tag != expected:
            raise _unlike(position, expected.decode(), tag)
        if tag != b"fnam" and after - body != 4:
            raise _unlike(position + 4, "a chunk of 12 bytes", after - position)
        bodies[tag] = body, after
        position = after
    if position != end:
        raise _unlike(position, "the entry's end", data[position:end])

    def number(tag: bytes) -> int:
        return _u32be(data, bodies[tag][0])

    if number(b"vers") != 0:
        raise _unlike(bodies[b"vers"][0], "version 0", number(b"vers"))
    return Entry(
        name=_read_name(data, *bodies[b"fnam"]),
        type=_read_type(data, bodies[b"type"][0]),
        offset=number(b"of32"),
        size=number(b"sz32"),
        version=number(b"vers"),
        flag=number(b"flag"),
        modified=_MAC_EPOCH + timedelta(seconds=number(b"mdat")),
    )


def _read_type(data: bytes, position: int) -> str:
    code = _take(data, position, 4)
    if not (code.isascii() and code.decode().isprintable()):
        raise _unlike(position, "a type of four characters", code)
    return code.decode()


def _read_name(data: bytes, position: int, end: int) -> str:
    raw = data[position:end]
    name, nul, padding = raw.partition(b"\0")
    if not nul:
        raise _unlike(position, "a name that ends with NUL", raw)
    if padding.strip(b"\0"):
        raise _unlike(position + len(name) + 1, "NULs as padding", padding)
    if len(raw) != 4 * (len(name) // 4 + 1):
        raise _unlike(position, "a name padded to the next multiple of 4, no further", raw)
    try:
        text = name.decode()
    except UnicodeDecodeError as error:
        raise _unlike(position, "a name in UTF-8", name) from error
    if not text:
        raise _unlike(position, "a name", raw)
    return text


def _check_contiguous(places_and_entries: list[tuple[int, Entry]], footer_offset: int) -> None:
    expected = _FIRST_FILE
    for place, entry in places_and_entries:
        if entry.offset != expected:
            raise _unlike(place, f"{entry.name!r} at {expected} in the payload", entry.offset)
        expected += entry.size
    if expected != footer_offset:
        last_place, last = places_and_entries[-1]
        raise _unlike(last_place, f"{last.name!r} up to {footer_offset} in the payload", expected)


def _check_roles(places_and_entries: list[tuple[int, Entry]]) -> None:
    names: set[str] = set()
    for index, (place, entry) in enumerate(places_and_entries):
        flags = _OTHER_FLAGS if index else (_DEVICE_FLAG,)
        if entry.flag not in flags:
            raise _unlike(place, f"a flag of {flags} for {entry.name!r}", entry.flag)
        if entry.name in names:
            raise _unlike(place, "a name of its own", entry.name)
        names.add(entry.name)
    place, device = places_and_entries[0]
    if device.type != "JSON":
        raise _unlike(place, f"type JSON for {device.name!r}", device.type)


def _content(data: bytes, entry: Entry) -> bytes:
    return _take(data, _PAYLOAD_START + entry.offset, entry.size)


def _parse_patcher(data: bytes, start: int, end: int) -> dict[str, Any]:
    if end - start < 2 or data[end - 2 : end] != b"\n\0":
        raise _unlike(max(start, end - 2), "a line feed and NUL", data[max(start, end - 2) : end])
    raw = data[start : end - 1]
    if b"\0" in raw:
        raise _unlike(start + raw.index(b"\0"), "no NUL inside the JSON", b"\0")
    try:
        parsed = json.loads(raw.decode())
    except ValueError as error:
        raise ValueError(f"offset {start}: expected JSON in UTF-8: {error}") from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get("patcher"), dict):
        raise _unlike(start, 'an object with "patcher"', raw[:40])
    return parsed


def _check_type_inside(data: bytes, patcher: dict[str, Any]) -> None:
    """Check the type in the patcher: the same four characters as one number."""
    project = patcher["patcher"].get("project")
    inside = project.get("amxdtype") if isinstance(project, dict) else None
    if inside != _u32be(data, 8):
        raise _unlike(8, f"the patcher's amxdtype, {inside}", _u32be(data, 8))


def _chunk(data: bytes, position: int, end: int) -> tuple[bytes, int, int]:
    """A chunk's tag, and the offsets of its body's beginning and end."""
    tag = _take(data, position, 4)
    size = _u32be(data, position + 4)
    if size < 8 or position + size > end:
        raise _unlike(position + 4, f"a chunk's size, 8 to {end - position}", size)
    return tag, position + 8, position + size


def _take(data: bytes, position: int, size: int) -> bytes:
    taken = data[position : position + size]
    if len(taken) != size:
        raise _unlike(position, f"{size} bytes", taken)
    return taken


def _u32le(data: bytes, position: int) -> int:
    return int.from_bytes(_take(data, position, 4), "little")


def _u32be(data: bytes, position: int) -> int:
    return int.from_bytes(_take(data, position, 4), "big")


def _expect(data: bytes, position: int, tag: bytes) -> None:
    if _take(data, position, len(tag)) != tag:
        raise _unlike(position, tag.decode(), _take(data, position, len(tag)))


def _expect_u32le(data: bytes, position: int, value: int) -> None:
    if _u32le(data, position) != value:
        raise _unlike(position, f"{value}", _u32le(data, position))


def _expect_u32be(data: bytes, position: int, value: int) -> None:
    if _u32be(data, position) != value:
        raise _unlike(position, f"{value}", _u32be(data, position))


def _unlike(offset: int, expected: str, found: object) -> ValueError:
    return ValueError(f"offset {offset}: expected {expected}, found {found!r}")
