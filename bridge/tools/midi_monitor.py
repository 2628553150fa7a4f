"""Lines that show MIDI messages and the commands that a map makes of them."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from bridge.commands import ClipSettings, Command, value_text
from bridge.control.midi_touch import read_touch
from bridge.events import Event, Failed
from bridge.midi import MidiMessage

CLOCK, ACTIVE_SENSING = 0xF8, 0xFE
"""Messages that come all the time, and are not shown."""
LONGEST_SHOWN = 16
"""Bytes of a sysex that are shown."""


class Lines:
    """Lines for people."""

    def message(self, message: MidiMessage) -> None:
        """Show a message, unless it is one that comes all the time."""
        if message.data[:1] not in (bytes([CLOCK]), bytes([ACTIVE_SENSING])):
            print(f"{message.port}: {message_text(message.data)}", flush=True)

    def command(self, command: Command) -> None:
        """Show a command."""
        print(f"    → {_command_text(command)}", flush=True)

    def event(self, event: Event) -> None:
        """Show why a message makes no command."""
        if isinstance(event, Failed):
            print(f"    → {event.code}: {event.message}", flush=True)


class JsonLines(Lines):
    """A JSON object a line, each message included."""

    def message(self, message: MidiMessage) -> None:
        """Show a message."""
        touch = read_touch(message.data)
        self._print(
            seconds=message.seconds,
            port=message.port,
            data=message.data.hex(" "),
            touch=None if touch is None else touch._asdict(),
        )

    def command(self, command: Command) -> None:
        """Show a command."""
        self._print(command=type(command).__name__, **dict(_values(command)))

    def event(self, event: Event) -> None:
        """Show why a message makes no command."""
        if isinstance(event, Failed):
            self._print(error=event.code, message=event.message)

    def _print(self, **values: Any) -> None:
        print(json.dumps(values, default=str, ensure_ascii=False), flush=True)


def message_text(data: bytes) -> str:
    """A message for people: what was touched, else its bytes."""
    touch = read_touch(data)
    if touch is None:
        return f"{data[:LONGEST_SHOWN].hex(' ')}{' …' if len(data) > LONGEST_SHOWN else ''}"
    return touch.text() if touch.kind == "program" else f"{touch.text()}, value {touch.value}"


def _command_text(command: Command) -> str:
    values = " ".join(f"{name} {value_text(value)}" for name, value in _values(command))
    return f"{type(command).__name__} {values}".rstrip()


def _values(command: Command) -> list[tuple[str, Any]]:
    """A command's fields that are set; settings by their own names."""
    values: list[tuple[str, Any]] = []
    for field in fields(command):
        value = getattr(command, field.name)
        if isinstance(value, ClipSettings):
            values += value.values.items()
        elif value is not None:
            values.append((field.name, value))
    return values
