"""What a person does with a MIDI controller: the messages that a map can name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bridge.midi import MidiMessage

Kind = Literal["note", "cc", "program", "bend", "pressure"]

HIGHEST_VALUE = 127
LOWEST_BEND, HIGHEST_BEND = -8192, 8191
FIRST_MODE_CC = 120
"""CC 120 to 127 are channel modes (all sound off, all notes off); REAPER sends them at play."""
SELECTING_CCS = frozenset({98, 99, 100, 101})
"""They select a parameter (NRPN and RPN)."""
DATA_CCS = frozenset({6, 38, 96, 97})
"""They set the parameter that was selected: data entry, increment and decrement."""
SEQUENCE_SECONDS = 0.5
"""Data this long after the last message of its parameter is a control of its own."""

_KINDS: Mapping[int, Kind] = {
    0x80: "note",
    0x90: "note",
    0xB0: "cc",
    0xC0: "program",
    0xD0: "pressure",
    0xE0: "bend",
}
_NOTE_OFF = 0x80


@dataclass(frozen=True)
class Span:
    """The values of a kind of control.

    Attributes:
        low, high: the lowest and the highest value.
        pressed: the lowest value that counts as pressed, where a map names none.
    """

    low: int
    high: int
    pressed: int


SPANS: Mapping[Kind, Span] = {
    "note": Span(1, HIGHEST_VALUE, 1),
    "cc": Span(0, HIGHEST_VALUE, 64),
    "program": Span(0, HIGHEST_VALUE, 0),
    "bend": Span(LOWEST_BEND, HIGHEST_BEND, 4096),
    "pressure": Span(0, HIGHEST_VALUE, 64),
}
"""The values by kind. A note's value is its velocity, and 0 when it is released."""


class Touch(NamedTuple):
    """One message of a control.

    Attributes:
        kind: what was touched.
        channel: 1 to 16.
        number: of the note, the CC or the program; None for bend and pressure.
        value: as `SPANS` says; of a program change its number, as in `number`.
    """

    kind: Kind
    channel: int
    number: int | None
    value: int

    def text(self) -> str:
        """What was touched, such as `"cc 20, channel 1"`."""
        number = "" if self.number is None else f" {self.number}"
        return f"{self.kind}{number}, channel {self.channel}"


def read_touch(data: bytes) -> Touch | None:
    """The touch of one complete message; None for any other message, valid or not.

    Pressure of single keys, clock and system messages are no touches.
    """
    kind = _KINDS.get(data[0] & 0xF0) if data else None
    length = 2 if kind in ("program", "pressure") else 3
    if kind is None or len(data) != length or max(data[1:]) > HIGHEST_VALUE:
        return None
    channel, first, last = (data[0] & 0x0F) + 1, data[1], data[-1]
    match kind:
        case "note":
            return Touch(kind, channel, first, 0 if data[0] & 0xF0 == _NOTE_OFF else last)
        case "cc" | "program":
            return Touch(kind, channel, first, last)
        case "bend":
            return Touch(kind, channel, None, (last << 7 | first) + LOWEST_BEND)
        case "pressure":
            return Touch(kind, channel, None, last)


class ParameterSequences:
    """Finds the CCs that are parts of an NRPN or RPN: no control of their own."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, int], float] = {}

    def is_part(self, message: MidiMessage, touch: Touch) -> bool:
        """Whether a message selects a parameter, or sets the one that was selected just before."""
        if touch.kind != "cc":
            return False
        place = message.port, touch.channel
        selects = touch.number in SELECTING_CCS
        if not selects and (
            touch.number not in DATA_CCS
            or message.seconds - self._seconds.get(place, float("-inf")) > SEQUENCE_SECONDS
        ):
            return False
        self._seconds[place] = message.seconds
        return True
