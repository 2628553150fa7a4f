"""A virtual MIDI port of python-rtmidi's JACK API: `rtmidi_sender NAME PORT`.

Each line on stdin is a message in hex, sent at once. RtMidi sends it in the next cycle, at the
cycle's first frame.
"""

from __future__ import annotations

import sys

import rtmidi


def main(name: str, port: str) -> None:
    """Run until stdin ends."""
    output = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=name)
    output.open_virtual_port(port)
    print("ready", flush=True)
    for line in sys.stdin:
        output.send_message(bytes.fromhex(line))
    output.close_port()


if __name__ == "__main__":
    main(*sys.argv[1:])
