"""A map from MIDI controls to commands: its entries, and the actions that they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bridge.control.addresses import takes_id
from bridge.control.midi_touch import SPANS, Kind, Touch
from bridge.control.midi_values import VALUE, Scale
from bridge.control.packets import Argument

Mode = Literal["press", "momentary", "toggle", "follow"]
PEDAL = "pedal"
"""The action of the one button of a looper."""
LedState = Literal["off", "ready", "playing", "recording", "rendering"]

_NEWEST: Mapping[str, tuple[str, ...]] = {
    "/bridge/capture/stop": ("/bridge/capture/start",),
    "/bridge/cancel": ("/bridge/generate",),
    "/bridge/discard": ("/bridge/generate",),
    "/bridge/restore": ("/bridge/generate",),
    "/bridge/keep": ("/bridge/generate",),
    "/bridge/unkeep": ("/bridge/generate",),
}
"""Addresses that concern an earlier request, and the addresses that began it."""


@dataclass(frozen=True)
class Action:
    """A message to the daemon, or the pedal.

    Attributes:
        address: an OSC address, or `PEDAL`.
        arguments: without the id; `VALUE` among them is replaced by the control's value.
        scale: what the value becomes; None where no argument is `VALUE`.
    """

    address: str
    arguments: tuple[Argument, ...] = ()
    scale: Scale | None = None

    @property
    def takes_id(self) -> bool:
        """Whether the message has an id in front of its arguments."""
        return self.address != PEDAL and takes_id(self.address)

    @property
    def begun_by(self) -> tuple[str, ...]:
        """The addresses that began the request it concerns; empty: it begins one itself."""
        return _NEWEST.get(self.address, ())

    def with_value(self, value: Argument) -> tuple[Argument, ...]:
        """The arguments with a value in its place."""
        return tuple(value if argument == VALUE else argument for argument in self.arguments)

    def text(self) -> str:
        """The action as people write it."""
        return " ".join([self.address, *map(str, self.arguments)])


@dataclass(frozen=True)
class Trigger:
    """The control of an entry.

    Attributes:
        kind: what it is.
        number: of the note or CC; of a program, or None for any; None for bend and pressure.
        channel: 1 to 16; None: all.
        low, high: the values that count, both included.
        port: part of the port's name; empty: all ports.
    """

    kind: Kind
    number: int | None
    channel: int | None
    low: int
    high: int
    port: str = ""

    def is_at(self, touch: Touch, port: str) -> bool:
        """Whether a touch is of this control, whatever its value."""
        return (
            touch.kind == self.kind
            and self.number in (None, touch.number)
            and self.channel in (None, touch.channel)
            and self.port.casefold() in port.casefold()
        )

    def has(self, value: int) -> bool:
        """Whether a value counts."""
        return self.low <= value <= self.high

    def share(self, value: int) -> float:
        """Where a value is between the lowest and the highest, 0 to 1."""
        if self.high == self.low:
            return 1.0
        return (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)

    def text(self) -> str:
        """The control as people write it, such as `"cc 20, channel 1"`."""
        number = "any" if self.kind == "program" and self.number is None else self.number
        parts = [self.kind if number is None else f"{self.kind} {number}"]
        parts += [f"channel {self.channel}"] if self.channel is not None else []
        span = SPANS[self.kind]
        if self.high < span.high or self.low not in (span.low, span.pressed):
            parts.append(f"value {self.low} to {self.high}")
        return ", ".join([*parts, *([self.port] if self.port else [])])


@dataclass(frozen=True)
class Entry:
    """One entry of a map.

    Attributes:
        on: what a press does, or each value where the mode is `follow`.
        off: what the release does (`momentary`), or every second press (`toggle`); None in other
            modes.
        led: the number of the note or CC that lights; None: no light.
        is_default: it is of the default map.
    """

    trigger: Trigger
    mode: Mode
    on: Action
    off: Action | None = None
    led: int | None = None
    is_default: bool = False


@dataclass(frozen=True)
class PedalSettings:
    """How the pedal is wired.

    Attributes:
        inverted: it sends its low value when it is pressed.
        latching: it sends one value with each press, and nothing when it is released.
    """

    inverted: bool = False
    latching: bool = False


@dataclass(frozen=True)
class LedSettings:
    """The lights of a controller.

    Attributes:
        values: the velocity or CC value for each state that has one.
        channel: for entries of all channels, 1 to 16.
        blink: whether the light is switched on and off while it renders.
        init: a sysex that is sent before the first light; may be empty.
    """

    values: Mapping[LedState, int] = field(default_factory=dict)
    channel: int = 1
    blink: bool = True
    init: bytes = b""


@dataclass(frozen=True)
class MidiMap:
    """A map.

    Attributes:
        entries: those that apply, the default map's first.
    """

    entries: Sequence[Entry] = ()
    pedal: PedalSettings = field(default_factory=PedalSettings)
    led: LedSettings = field(default_factory=LedSettings)
