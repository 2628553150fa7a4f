"""`melody-bridge midi`: what MIDI controls do: `learn` it, show the `map`, `monitor` messages."""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from bridge.config import OPTIONS, RunOptions, presets
from bridge.config.flags import add_config_flag, add_flag, run_options
from bridge.control import MidiControl
from bridge.control.midi_map import Action, Entry
from bridge.control.midi_map_file import load_map, user_map_path
from bridge.control.midi_touch import HIGHEST_VALUE, Touch
from bridge.errors import BadArgument, BridgeError
from bridge.events import MidiPortsChanged
from bridge.midi import MidiMessage, MidiPorts
from bridge.midi.library import EXTRA
from bridge.midi.names import NONE as NO_MIDI
from bridge.midi.ports import is_installed
from bridge.tools.midi_drawing import drawing
from bridge.tools.midi_learn import FirstTouch, entry_text, with_entry, write_map
from bridge.tools.midi_monitor import JsonLines, Lines

_QUESTION = """\
What should it do? Write pedal, or a message without its id, such as
  set preset lofi-keys | generate | set temperature {value} | panic
> """
_ANY_TOUCH = Touch("cc", 1, 0, HIGHEST_VALUE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the three commands and their options."""
    commands = parser.add_subparsers(dest="midi_command", metavar="COMMAND", required=True)
    learn = commands.add_parser("learn", help="touch a control, and name what it does")
    learn.add_argument(
        "action",
        nargs="*",
        metavar="ACTION",
        help="pedal, or a message without its id, such as set bars 8 (asked for, when left out)",
    )
    show = commands.add_parser("map", help="show what every control does")
    monitor = commands.add_parser("monitor", help="show what comes in, and what it would do")
    for listening in (learn, monitor):
        add_flag(listening, "midi")
    for command in (learn, show, monitor):
        add_flag(command, "midi_map")
        add_config_flag(command)
    for printing in (show, monitor):
        printing.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Carry out one of the commands; return the exit status.

    Raises:
        UnreadableFile: the map holds a mistake.
        BadArgument: the action is none, or no MIDI input can be opened.
    """
    options = run_options(arguments)
    match arguments.midi_command:
        case "learn":
            _learn(options, arguments.action)
        case "map":
            _show_map(options, as_json=arguments.json)
        case "monitor":
            _check_listens(options)
            asyncio.run(_monitor(options, JsonLines() if arguments.json else Lines()))
    return 0


def _learn(options: RunOptions, words: Sequence[str]) -> None:
    """Wait for a touch, and write its entry. A mistake in the action shows before the touch."""
    path, names = options.midi_map or user_map_path(), presets.preset_names()
    if words:
        with_entry(path, entry_text(_ANY_TOUCH, words), names)
    _check_listens(options)
    _say("touch a control; Ctrl-C ends")
    touch = asyncio.run(_first_touch(options.midi))
    _say(touch.text())
    if words:
        text = with_entry(path, entry_text(touch, words), names)
    else:
        text = _asked(lambda words: with_entry(path, entry_text(touch, words), names))
    write_map(path, text)
    print(path)


async def _first_touch(selection: str) -> Touch:
    """The first touch on an open port."""
    touched: asyncio.Future[Touch] = asyncio.get_running_loop().create_future()
    first = FirstTouch()

    def on_messages(messages: Sequence[MidiMessage]) -> None:
        for message in messages:
            touch = first.of(message)
            if touch is not None and not touched.done():
                touched.set_result(touch)

    ports = MidiPorts(selection, on_messages, _say_ports)
    ports.start()
    try:
        return await touched
    finally:
        await ports.stop()


def _asked(text_of: Callable[[Sequence[str]], str]) -> str:
    """The map's text for an action that is asked for until it is one.

    Raises:
        BadArgument: the input ended.
    """
    while True:
        try:
            print(_QUESTION, end="", file=sys.stderr, flush=True)
            return text_of(shlex.split(input()))
        except EOFError as error:
            raise BadArgument("no action was named: nothing was written") from error
        except (ValueError, BridgeError) as error:
            _say(str(error))


def _show_map(options: RunOptions, *, as_json: bool) -> None:
    path = options.midi_map or user_map_path()
    midi_map = load_map(options.midi_map, presets.preset_names())
    if as_json:
        entries = [_entry_json(entry) for entry in midi_map.entries]
        print(json.dumps({"path": str(path), "entries": entries}, ensure_ascii=False))
        return
    print(f"{path}{'' if path.exists() else ' (not there; `midi learn` writes one)'}\n")
    print(drawing(midi_map))


async def _monitor(options: RunOptions, lines: Lines) -> None:
    """Show messages and what they would do, until the process ends."""
    control = MidiControl(
        options.midi_map,
        bars=options.defaults.get("bars", OPTIONS["bars"].default),
        on_event=lines.event,
        send=lambda data: None,
    )

    def on_messages(messages: Sequence[MidiMessage]) -> None:
        for message in messages:
            lines.message(message)
            control.received([message])

    await control.start(lines.command)
    MidiPorts(options.midi, on_messages, _say_ports).start()
    await asyncio.Event().wait()


def _check_listens(options: RunOptions) -> None:
    """Check that there are ports to open.

    Raises:
        BadArgument: none are selected, or the extra is not installed.
    """
    if options.midi == NO_MIDI:
        raise BadArgument("midi none: name the input to listen to, such as --midi auto")
    if not is_installed(options.midi):
        raise BadArgument(EXTRA)


def _entry_json(entry: Entry) -> dict[str, Any]:
    def action(one: Action | None) -> dict[str, Any] | None:
        return None if one is None else {"do": one.address, "arguments": list(one.arguments)}

    return {
        **asdict(entry.trigger),
        "mode": entry.mode,
        "on": action(entry.on),
        "off": action(entry.off),
        "led": entry.led,
        "default": entry.is_default,
    }


def _say_ports(changed: MidiPortsChanged) -> None:
    _say(f"MIDI: {changed.detail}")


def _say(text: str) -> None:
    """Print a line for people; stdout has the result alone."""
    print(f"melody-bridge: {' '.join(text.split())}", file=sys.stderr, flush=True)
