"""Complete MIDI messages out of bytes as ports deliver them.

mido's own tokenizer drops running status and keeps a sysex of any length, so this one is used.
Message lengths are those of the MIDI 1.0 specification, table 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

LONGEST_SYSEX_BYTES = 65_536
"""A longer sysex is dropped; no controller sends one that long."""
SYSEX_START, SYSEX_END = 0xF0, 0xF7
_FIRST_REAL_TIME = 0xF8
_FIRST_STATUS = 0x80
_LENGTHS = {
    **dict.fromkeys(range(0x80, 0xC0), 3),
    **dict.fromkeys(range(0xC0, 0xE0), 2),
    **dict.fromkeys(range(0xE0, 0xF0), 3),
    **{0xF1: 2, 0xF2: 3, 0xF3: 2, 0xF6: 1},
    **dict.fromkeys((0xF8, 0xFA, 0xFB, 0xFC, 0xFE, 0xFF), 1),
}
"""Bytes of a message by its status. A status that is missing here is undefined, and ignored."""


class MessageStream:
    """Splits the bytes of one port into messages.

    Running status is resolved, a sysex in pieces is joined, and a real-time message inside another
    message comes before it. Incomplete messages and stray data bytes are dropped, as the
    specification asks.
    """

    def __init__(self, on_dropped: Callable[[], None] = lambda: None) -> None:
        """Args:
        on_dropped: called for each sysex that is too long.
        """
        self._on_dropped = on_dropped
        self._partial = bytearray()
        self._running_status = 0
        self._too_long = False

    def feed(self, data: Iterable[int]) -> Iterator[bytes]:
        """Yield the messages that these bytes complete, in order."""
        for byte in data:
            message = self._byte(byte)
            if message is not None:
                yield message

    def _byte(self, byte: int) -> bytes | None:
        if byte >= _FIRST_REAL_TIME:
            return bytes((byte,)) if byte in _LENGTHS else None
        if byte == SYSEX_END:
            return self._end_sysex()
        if byte >= _FIRST_STATUS:
            return self._begin(byte)
        if not self._partial:
            if not self._running_status:
                return None
            self._partial.append(self._running_status)
        if self._partial[0] == SYSEX_START and len(self._partial) >= LONGEST_SYSEX_BYTES - 1:
            self._too_long = True
            return None
        self._partial.append(byte)
        return self._completed()

    def _begin(self, status: int) -> bytes | None:
        self._partial.clear()
        self._too_long = False
        # System messages end running status.
        self._running_status = status if status < SYSEX_START else 0
        if status == SYSEX_START or status in _LENGTHS:
            self._partial.append(status)
        return self._completed()

    def _completed(self) -> bytes | None:
        """The message that is under way, if this was its last byte."""
        if not self._partial or len(self._partial) != _LENGTHS.get(self._partial[0]):
            return None
        message = bytes(self._partial)
        self._partial.clear()
        return message

    def _end_sysex(self) -> bytes | None:
        message = None
        if self._partial[:1] == bytes((SYSEX_START,)):
            if self._too_long:
                self._on_dropped()
            else:
                message = bytes((*self._partial, SYSEX_END))
        self._partial.clear()
        self._running_status, self._too_long = 0, False
        return message
