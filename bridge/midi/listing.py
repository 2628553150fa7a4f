"""List the MIDI ports of this machine, in a process of its own: a driver may hang or crash it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from bridge.midi.library import NoMidi, RtMidi
from bridge.midi.names import Kind, ListedPort, read_list
from bridge.process.answer import answer_of
from bridge.process.native_stderr import native_stderr_dropped

ANSWER_SECONDS = 15.0


@dataclass(frozen=True)
class MidiListing:
    """The MIDI ports of other programs and of devices, as `--midi` and `--midi-out` take them.

    Attributes:
        inputs, outputs: their names.
        problem: why there are none, and the remedy; empty when they could be listed.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    problem: str = ""

    def ports(self, kind: Kind) -> list[ListedPort]:
        """The ports of one kind, for `names.chosen`."""
        return read_list(self.inputs if kind == "input" else self.outputs)


def list_midi() -> MidiListing:
    """List the ports; no error, but a `problem`, where that does not work."""
    try:
        answer = answer_of("bridge.midi.listing", ANSWER_SECONDS)
    except TimeoutError:
        problem = "the system does not list its MIDI ports: unplug the device that came last"
        return MidiListing(problem=problem)
    except ValueError:
        problem = "listing the MIDI ports failed: unplug the device that came last"
        return MidiListing(problem=problem)
    return MidiListing(tuple(answer["inputs"]), tuple(answer["outputs"]), answer["problem"])


def _read() -> MidiListing:
    try:
        rtmidi = RtMidi()
        inputs, outputs = (
            tuple(port.name for port in read_list(names) if not port.is_own)
            for names in (rtmidi.inputs(), rtmidi.outputs())
        )
    except NoMidi as problem:
        return MidiListing(problem=str(problem))
    return MidiListing(inputs, outputs)


if __name__ == "__main__":
    with native_stderr_dropped():
        listing = _read()
    print(json.dumps(asdict(listing)))
