"""`melody-bridge devices`: the inputs and outputs of this machine, of sound and of MIDI."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict

from bridge.midi.listing import MidiListing, list_midi
from bridge.soundcard.devices import describe, list_devices


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the devices; return the exit status.

    Raises:
        NoInput: PortAudio is not installed, or does not answer.
    """
    devices = list_devices()
    midi = list_midi()
    if arguments.json:
        print(json.dumps({"sound": [asdict(device) for device in devices], "midi": asdict(midi)}))
    else:
        for line in (*describe(devices), *_describe_midi(midi)):
            print(line)
    return 0


def _describe_midi(midi: MidiListing) -> Iterator[str]:
    for kind, names in (("input", midi.inputs), ("output", midi.outputs)):
        for name in names:
            yield f"MIDI {kind}: {name}"
    if midi.problem:
        yield f"no MIDI: {midi.problem}"
    elif not (midi.inputs or midi.outputs):
        yield "no MIDI: plug a device in"
