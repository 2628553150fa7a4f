"""midi.toml: the user's map, over the default one. docs/midi.md describes the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from bridge.commands import Ping, Subscribe, Unsubscribe
from bridge.config.files import parse_toml, read_text, user_folder
from bridge.control.addresses import argument_names, known_address, read_command
from bridge.control.midi_map import (
    PEDAL,
    Action,
    Entry,
    LedSettings,
    LedState,
    MidiMap,
    Mode,
    PedalSettings,
    Trigger,
)
from bridge.control.midi_touch import HIGHEST_VALUE, SPANS, Kind
from bridge.control.midi_values import VALUE, scale_of
from bridge.control.packets import Argument
from bridge.errors import BadArgument, BridgeError, UnreadableFile

MOST_BYTES = 64 << 10
ANY = "any"
"""In place of a number: any program, and the one control that bend or pressure is."""
DEFAULT_MAP = """\
# The sustain pedal is the button of a looper.
[[map]]
cc = 64
do = "pedal"

# A program change chooses the preset of that number.
[[map]]
program = "any"
do = "/bridge/set"
arguments = ["preset", "{value}"]
"""

_KINDS: tuple[Kind, ...] = get_args(Kind)
_MODES: tuple[Mode, ...] = get_args(Mode)
_LED_STATES: tuple[LedState, ...] = get_args(LedState)
_ENTRY_KEYS = (
    *_KINDS,
    *("channel", "port", "value", "mode", "do", "arguments", "off", "off_arguments", "to", "led"),
)
_TRIAL_ID = "midi-0"
_SYSEX = re.compile(r"F0( ?[0-7][0-9A-F])* ?F7", re.IGNORECASE)
_LONGEST_SYSEX_BYTES = 1024


def user_map_path() -> Path:
    """The path of the user's own map, whether or not the file exists."""
    return user_folder() / "midi.toml"


def load_map(path: Path | None, preset_names: Sequence[str]) -> MidiMap:
    """The map of a file.

    Args:
        path: a file that must exist; None: the user's own, which may be missing.
        preset_names: what `{value}` chooses a preset from.

    Raises:
        UnreadableFile: the file cannot be read, is over 64 kB, is not TOML, or holds a mistake.
    """
    if path is None:
        path = user_map_path()
        if not path.exists():
            return default_map(preset_names)
    return parse_map(read_text(path, MOST_BYTES), path, preset_names)


def default_map(preset_names: Sequence[str]) -> MidiMap:
    """The map of those who have written none."""
    return parse_map("", Path(), preset_names)


def parse_map(text: str, path: Path, preset_names: Sequence[str]) -> MidiMap:
    """The map of a file's text, as `load_map` reads it.

    Raises:
        UnreadableFile: the text is not TOML, or holds a mistake; the message names the path.
    """
    table = parse_toml(text, path)
    reader = _TableReader(preset_names)
    try:
        own = [*_numbered(reader, table.pop("map", []))]
        has_defaults = _switch("defaults", table.pop("defaults", True))
        pedal = _pedal(_table("pedal", table.pop("pedal", {})))
        led = _led(_table("led", table.pop("led", {})))
        _check_keys(table, ("map", "defaults", "pedal", "led"))
    except BridgeError as error:
        raise UnreadableFile(f"MIDI map {str(path)!r}: {error}") from error
    mapped = {(entry.trigger.kind, entry.trigger.number) for entry in own}
    defaults = [
        replace(entry, is_default=True)
        for entry in _numbered(reader, parse_toml(DEFAULT_MAP, path)["map"])
        if has_defaults and (entry.trigger.kind, entry.trigger.number) not in mapped
    ]
    # Of two entries for the same control the last counts: learning a control again needs no edit.
    last = {entry.trigger: entry for entry in own}
    return MidiMap((*defaults, *last.values()), pedal, led)


def _numbered(reader: _TableReader, tables: object) -> Iterator[Entry]:
    """The entries; a mistake names its entry's number and control."""
    if not isinstance(tables, list):
        raise BadArgument("map: write each entry under a line [[map]]")
    for number, table in enumerate(tables, start=1):
        try:
            yield reader.entry(_table("map", table))
        except BridgeError as error:
            control = _control_text(table)
            raise BadArgument(f"entry {number}{control}: {error}") from error


def _control_text(table: object) -> str:
    named = [kind for kind in _KINDS if isinstance(table, dict) and kind in table]
    return f" ({named[0]} {table[named[0]]!r})" if named and isinstance(table, dict) else ""


@dataclass(frozen=True)
class _TableReader:
    """Reads the tables of entries."""

    preset_names: Sequence[str]

    def entry(self, table: Mapping[str, Any]) -> Entry:
        """One entry.

        Raises:
            BridgeError: the table holds a mistake.
        """
        _check_keys(table, _ENTRY_KEYS)
        to = _range("to", table["to"]) if "to" in table else None
        on = self._action(table, "do", "arguments", to)
        mode = _mode(table, on)
        trigger = _trigger(table, mode)
        off = None
        if mode in ("momentary", "toggle"):
            off = self._action({"off": table.get("do"), **table}, "off", "off_arguments", to, on)
        elif "off" in table or "off_arguments" in table:
            raise BadArgument(f"mode {mode} has no off: write mode = 'momentary' or 'toggle'")
        if to is not None and on.scale is None and (off is None or off.scale is None):
            raise BadArgument(
                f"to scales a value, and there is none: write {VALUE} among arguments"
            )
        if on.address == PEDAL and mode != "press":
            raise BadArgument(f"mode {mode!r}: the pedal knows press and release by itself")
        return Entry(trigger, mode, on, off, _led_number(table, trigger))

    def _action(
        self,
        table: Mapping[str, Any],
        address_key: str,
        arguments_key: str,
        to: tuple[float, float] | None,
        other: Action | None = None,
    ) -> Action:
        """The action of two keys; with `other`, its arguments where none are given.

        Raises:
            BridgeError: the message would be refused.
        """
        if address_key not in table:
            raise BadArgument(f"{address_key} is missing: write an address, or {PEDAL!r}")
        address = _text(address_key, table[address_key])
        arguments = _arguments(arguments_key, table.get(arguments_key, []))
        if address == PEDAL:
            if arguments:
                raise BadArgument(f"{arguments_key}: the pedal has none")
            return Action(PEDAL)
        action = Action(known_address(address), arguments)
        if other is not None and arguments_key not in table and other.address == address:
            action = other
        action = self._scaled(action, to)
        _check_action(action)
        return action

    def _scaled(self, action: Action, to: tuple[float, float] | None) -> Action:
        """The action with the scale of its value.

        Raises:
            BadArgument: the value has no known range.
        """
        ids = (_TRIAL_ID,) if action.takes_id else ()
        names = argument_names(action.address, (*ids, *action.arguments))[len(ids) :]
        keys = {
            name
            for name, argument in zip(names, action.arguments, strict=True)
            if argument == VALUE and name != VALUE
        }
        if not keys:
            return action
        if len(keys) > 1:
            raise BadArgument(f"{VALUE} has {len(keys)} ranges: write it for one key only")
        return replace(action, scale=scale_of(keys.pop(), to, self.preset_names))


def _check_action(action: Action) -> None:
    """Read the action's message with the lowest and the highest value.

    Raises:
        BridgeError: the daemon would refuse it.
    """
    ids = (_TRIAL_ID,) if action.takes_id else ()
    for share in (0.0, 1.0):
        value = action.scale.at(share) if action.scale is not None else None
        command = read_command(action.address, (*ids, *action.with_value(value)), 0.0)
        if isinstance(command, Subscribe | Unsubscribe | Ping):
            raise BadArgument(f"{action.address} is for programs that listen on a port")


def _mode(table: Mapping[str, Any], on: Action) -> Mode:
    mode = table.get("mode", "follow" if on.scale is not None else "press")
    if mode not in _MODES:
        raise BadArgument(f"mode {mode!r}: write one of {', '.join(_MODES)}")
    if mode == "follow" and on.scale is None:
        raise BadArgument(f"mode 'follow' has nothing to send: write {VALUE} among the arguments")
    return mode  # type: ignore[no-any-return]


def _trigger(table: Mapping[str, Any], mode: Mode) -> Trigger:
    kinds = [kind for kind in _KINDS if kind in table]
    if len(kinds) != 1:
        raise BadArgument(f"name one control: {', '.join(_KINDS)}")
    kind = kinds[0]
    number, span = _number(kind, table[kind]), SPANS[kind]
    channel = _whole("channel", table["channel"], 1, 16) if "channel" in table else None
    low, high = span.low if mode == "follow" else span.pressed, span.high
    if "value" in table:
        if kind == "program":
            raise BadArgument("value: a program change has none beside its number")
        raw = table["value"]
        low, high = (
            _whole("value", bound, span.low, span.high)
            for bound in (_range("value", raw) if isinstance(raw, list) else (raw, raw))
        )
        if low > high:
            raise BadArgument(f"value {raw!r}: write the lower end first")
    port = _text("port", table["port"]) if "port" in table else ""
    return Trigger(kind, number, channel, low, high, port)


def _number(kind: Kind, raw: object) -> int | None:
    if kind in ("note", "cc"):
        return _whole(kind, raw, 0, HIGHEST_VALUE)
    if raw == ANY:
        return None
    if kind == "program":
        try:
            return _whole(kind, raw, 0, HIGHEST_VALUE)
        except BadArgument as error:
            raise BadArgument(f"{error}, or {ANY!r}") from error
    raise BadArgument(f"{kind} {raw!r}: write {ANY!r}")


def _led_number(table: Mapping[str, Any], trigger: Trigger) -> int | None:
    raw = table.get("led", False)
    if not isinstance(raw, bool):
        return _whole("led", raw, 0, HIGHEST_VALUE)
    if not raw:
        return None
    if trigger.kind not in ("note", "cc"):
        raise BadArgument(f"led: {trigger.kind} has no light of its own; write a note's number")
    return trigger.number


def _pedal(table: Mapping[str, Any]) -> PedalSettings:
    _check_keys(table, ("inverted", "latching"))
    return PedalSettings(**{name: _switch(name, value) for name, value in table.items()})


def _led(table: Mapping[str, Any]) -> LedSettings:
    _check_keys(table, (*_LED_STATES, "channel", "blink", "init"))
    values = {
        state: _whole(state, table[state], 0, HIGHEST_VALUE)
        for state in _LED_STATES
        if state in table
    }
    init = " ".join(_text("init", table["init"]).split()) if "init" in table else ""
    if init and not _SYSEX.fullmatch(init):
        raise BadArgument(f"init {init!r}: write a sysex in hex, such as 'F0 7E 7F 06 01 F7'")
    sysex = bytes.fromhex(init)
    if len(sysex) > _LONGEST_SYSEX_BYTES:
        raise BadArgument(f"init: {len(sysex)} bytes; the limit is {_LONGEST_SYSEX_BYTES}")
    return LedSettings(
        values,
        _whole("channel", table.get("channel", 1), 1, 16),
        _switch("blink", table.get("blink", True)),
        sysex,
    )


def _table(name: str, raw: object) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise BadArgument(f"{name}: write a table, under a line [{name}]")
    return dict(raw)


def _check_keys(table: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in table:
        if key not in known:
            raise BadArgument(f"{key!r} is not known here: {', '.join(known)} are")


def _arguments(name: str, raw: object) -> tuple[Argument, ...]:
    if not isinstance(raw, list):
        raise BadArgument(f"{name} {raw!r}: write a list, such as ['bars', 4]")
    for argument in raw:
        if isinstance(argument, bool) or not isinstance(argument, str | int | float):
            raise BadArgument(f"{name}: {argument!r} is neither text nor a number")
    return tuple(raw)


def _whole(name: str, raw: object, low: int, high: int) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not low <= raw <= high:
        raise BadArgument(f"{name} {raw!r}: write a whole number from {low} to {high}")
    return raw


def _range(name: str, raw: object) -> tuple[Any, Any]:
    is_pair = isinstance(raw, list) and len(raw) == 2
    if (
        not isinstance(raw, list)
        or not is_pair
        or any(isinstance(bound, bool) or not isinstance(bound, int | float) for bound in raw)
    ):
        raise BadArgument(f"{name} {raw!r}: write the two ends, such as [0, 127]")
    return raw[0], raw[1]


def _switch(name: str, raw: object) -> bool:
    if not isinstance(raw, bool):
        raise BadArgument(f"{name} {raw!r}: write true or false")
    return raw


def _text(name: str, raw: object) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise BadArgument(f"{name} {raw!r}: write text in quotes")
    return raw.strip()
