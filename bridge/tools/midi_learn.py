"""Learning a MIDI control: what was touched and what it should do become an entry of midi.toml."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from bridge.config.files import read_text
from bridge.control.midi_map import PEDAL
from bridge.control.midi_map_file import ANY, MOST_BYTES, parse_map
from bridge.control.midi_touch import FIRST_MODE_CC, ParameterSequences, Touch, read_touch
from bridge.errors import BadArgument, NotWritable, UnreadableFile
from bridge.midi import MidiMessage
from bridge.process import signals
from bridge.tools.send import full_address, read_argument

LEAST_BEND = 1000
"""A bend wheel trembles by less than this when nobody touches it."""
_HEAD = """\
# What MIDI controls do: docs/midi.md describes this file. `melody-bridge midi learn` adds entries
# at its end; of two entries for the same control the last counts.
"""


class FirstTouch:
    """Finds the first touch of a control in a stream of messages."""

    def __init__(self) -> None:
        self._sequences = ParameterSequences()

    def of(self, message: MidiMessage) -> Touch | None:
        """The touch that a message is; None: nothing that a person means to map.

        Releases, channel modes, the parts of an NRPN, and a wheel that trembles are not meant.
        """
        touch = read_touch(message.data)
        if touch is None or self._sequences.is_part(message, touch):
            return None
        match touch.kind:
            case "cc" if touch.number is not None and touch.number >= FIRST_MODE_CC:
                return None
            case "bend" if abs(touch.value) < LEAST_BEND:
                return None
            case "note" | "pressure" if touch.value == 0:
                return None
        return touch


def entry_text(touch: Touch, words: Sequence[str]) -> str:
    """The lines of an entry.

    Args:
        words: the action: `pedal`, or an address (`panic` is short for `/bridge/panic`) and its
            arguments, an id left out.

    Raises:
        UnknownAddress, BadArgument: the first word is no address.
    """
    if not words:
        raise BadArgument(f"no action: name {PEDAL}, or a message such as generate")
    control = json.dumps(ANY if touch.number is None else touch.number)
    lines = ["[[map]]", f"{touch.kind} = {control}", f"channel = {touch.channel}"]
    if words[0] == PEDAL:
        lines.append(f'do = "{PEDAL}"')
    else:
        lines.append(f"do = {_toml(full_address(words[0]))}")
    if len(words) > 1:
        values = ", ".join(_toml(read_argument(word)) for word in words[1:])
        lines.append(f"arguments = [{values}]")
    return "\n".join(lines) + "\n"


def with_entry(path: Path, entry: str, preset_names: Sequence[str]) -> str:
    """The text of a map with an entry more; what was there is kept, comments included.

    Args:
        path: the map's file, which need not exist.

    Raises:
        UnreadableFile: the file, or the entry, holds a mistake.
    """
    text = read_text(path, MOST_BYTES) if path.exists() else _HEAD
    parse_map(text, path, preset_names)
    line_end = "\r\n" if "\r\n" in text else "\n"
    text = f"{text}{'' if text.endswith(line_end) or not text else line_end}{line_end}"
    text += entry.replace("\n", line_end)
    if len(text.encode()) > MOST_BYTES:
        raise UnreadableFile(f"MIDI map {str(path)!r}: full; it may have {MOST_BYTES >> 10} kB")
    parse_map(text, path, preset_names)
    return text


def write_map(path: Path, text: str) -> None:
    """Write a map: the file has its old text or the new one, whatever happens.

    Raises:
        NotWritable: the file cannot be written.
    """
    path = Path(os.path.realpath(path))  # A link to a file stays a link.
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with signals.held():
            try:
                with part.open("w", encoding="utf-8", newline="") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                if path.exists():
                    shutil.copymode(path, part)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise NotWritable(f"MIDI map {str(path)!r} cannot be written: {error.strerror}") from error


def _toml(value: int | float | str) -> str:
    """A value as TOML writes it: JSON's strings and numbers are TOML's too."""
    return json.dumps(value, ensure_ascii=False)
