"""The container of a Max for Live device: an .amxd file, frozen with the files that it needs.

The format is not documented. Devices that Max has written have this layout: chunks with
little-endian sizes outside, a frozen payload with big-endian sizes inside.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

AUDIO_EFFECT = b"aaaa"
FROZEN = 7
DEVICE_FLAG = 17
"""Flag of the device's own entry; the others have 0."""
_MODIFIED_SECONDS = 3_845_923_200
"""Date of every entry, in seconds since 1904: fixed, so that each build gives the same bytes."""
_PAYLOAD_HEAD_BYTES = 16


def pack_frozen(name: str, patcher: str, texts: Mapping[str, str]) -> bytes:
    """The content of a frozen audio effect.

    Args:
        name: file name of the device's own entry.
        patcher: the patcher's JSON.
        texts: the scripts that the patcher loads, by file name.
    """
    files = [(name, b"JSON", _text(patcher) + b"\0", DEVICE_FLAG)]
    files += [(other, b"TEXT", _text(content), 0) for other, content in texts.items()]
    entries = b""
    offset = _PAYLOAD_HEAD_BYTES
    for filename, kind, content, flag in files:
        entries += _entry(filename, kind, len(content), offset, flag)
        offset += len(content)
    head = b"mx@c" + struct.pack(">IQ", _PAYLOAD_HEAD_BYTES, offset)
    contents = b"".join(content for _, _, content, _ in files)
    payload = head + contents + _chunk(b"dlst", entries)
    return b"".join(
        (
            b"ampf" + struct.pack("<I", 4) + AUDIO_EFFECT,
            b"meta" + struct.pack("<II", 4, FROZEN),
            b"ptch" + struct.pack("<I", len(payload)) + payload,
        )
    )


def _text(content: str) -> bytes:
    return content.encode()


def _entry(name: str, kind: bytes, size: int, offset: int, flag: int) -> bytes:
    filename = name.encode() + b"\0"
    filename += b"\0" * (-len(filename) % 4)
    fields = _chunk(b"type", kind) + _chunk(b"fnam", filename)
    for tag, value in (
        (b"sz32", size),
        (b"of32", offset),
        (b"vers", 0),
        (b"flag", flag),
        (b"mdat", _MODIFIED_SECONDS),
    ):
        fields += _chunk(tag, struct.pack(">I", value))
    return _chunk(b"dire", fields)


def _chunk(tag: bytes, content: bytes) -> bytes:
    """A chunk of the footer; its size includes the eight bytes of its head."""
    return tag + struct.pack(">I", 8 + len(content)) + content
