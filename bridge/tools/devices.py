"""`melody-bridge devices`: the inputs and outputs of this machine, of sound and of MIDI."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from bridge.midi.listing import MidiListing, list_midi
from bridge.soundcard.devices import describe, list_devices


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--midi", action="store_true", help="only the MIDI ports")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print JSON: the list of sound devices, or with --midi one object",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the devices; return the exit status.

    Raises:
        NoInput: PortAudio is not installed, or does not answer; not with `--midi`.
    """
    if arguments.midi:
        midi = list_midi()
        _print(asdict(midi), _describe_midi(midi), as_json=arguments.json)
        return 0
    devices = list_devices()
    _print([asdict(device) for device in devices], describe(devices), as_json=arguments.json)
    if not arguments.json:
        for line in _describe_midi(list_midi()):
            print(line)
    return 0


def _print(value: object, lines: Iterable[str], *, as_json: bool) -> None:
    for line in (json.dumps(value),) if as_json else lines:
        print(line)


def _describe_midi(midi: MidiListing) -> Iterator[str]:
    for kind, names in (("input", midi.inputs), ("output", midi.outputs)):
        for name in names:
            yield f"MIDI {kind}: {name}"
    if midi.problem:
        yield f"no MIDI: {midi.problem}"
    elif not (midi.inputs or midi.outputs):
        yield "no MIDI: plug a device in"
