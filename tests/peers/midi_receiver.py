"""A JACK client that records MIDI: `midi_receiver NAME`, with the input port `NAME:in`.

Each line on stdin is answered by a JSON list of `[seconds, hex]`: what came since the last one, and
when, on `time.perf_counter`, by the frame that JACK gives.
"""

from __future__ import annotations

import json
import sys
from collections import deque

import jack

from tests.peers.jack_clock import Clock


def main(name: str) -> None:
    """Run until stdin ends."""
    client = jack.Client(name, no_start_server=True)
    input_ = client.midi_inports.register("in")
    clock = Clock(client)
    received: deque[tuple[float, bytes]] = deque()

    @client.set_process_callback  # type: ignore[untyped-decorator]
    def process(_: int) -> None:
        begin_seconds = clock.cycle_seconds()
        for offset, data in input_.incoming_midi_events():
            received.append((begin_seconds + offset / client.samplerate, bytes(data)))

    with client:
        print("ready", flush=True)
        for _ in sys.stdin:
            new = [received.popleft() for _ in range(len(received))]
            print(json.dumps([(seconds, data.hex()) for seconds, data in new]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
