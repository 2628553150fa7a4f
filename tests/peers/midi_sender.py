"""A JACK client that sends MIDI at exact frames: `midi_sender NAME PORT…`.

Each line on stdin is the path of a JSON list of `[seconds, port, hex]`: when (`time.perf_counter`;
0: now), the number of the output port, and the bytes. When all of a list is sent, the sender
writes a line: the number of the list, counted from 0, and the `time.perf_counter` of that moment.

A message whose time falls into a cycle is at its frame of that cycle.
"""

from __future__ import annotations

import heapq
import json
import sys
import threading
import time
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import jack

from tests.peers.jack_clock import Clock

MOST_FRAMES_OFF = 8
"""The server's cycle times jitter by less than this; more is a missed period."""
MOST_IN_A_CYCLE = 200
"""More would take longer than a cycle lasts; 17,000 a second at 512 frames and 44.1 kHz."""


class _Waiting(NamedTuple):
    seconds: float
    order: int
    """Messages of one instant stay in their order."""
    ends: int | None
    """The number of the list whose last message this is."""
    port: int
    data: bytes


def main(name: str, *ports: str) -> None:
    """Run until stdin ends."""
    client = jack.Client(name, no_start_server=True)
    outputs = [client.midi_outports.register(port) for port in ports]
    clock = Clock(client)
    waiting: list[_Waiting] = []
    ended: SimpleQueue[int] = SimpleQueue()
    # The instant of frame 0 of the client's own count of frames.
    origin_seconds, played_frames = 0.0, 0

    @client.set_process_callback  # type: ignore[untyped-decorator]
    def process(frames: int) -> None:
        nonlocal origin_seconds, played_frames
        for output in outputs:
            output.clear_buffer()
        origin = clock.cycle_seconds() - played_frames / client.samplerate
        if abs(origin - origin_seconds) * client.samplerate > MOST_FRAMES_OFF:
            origin_seconds = origin
        earliest = 0
        for _ in range(min(len(waiting), MOST_IN_A_CYCLE)):
            message = waiting[0]
            offset = round((message.seconds - origin_seconds) * client.samplerate) - played_frames
            if offset >= frames:
                break
            # JACK refuses an event before the last one of its port.
            earliest = max(earliest, offset)
            try:
                outputs[message.port].write_midi_event(earliest, message.data)
            except jack.JackError:
                break  # The buffer is full: the next cycle takes the rest.
            heapq.heappop(waiting)
            if message.ends is not None:
                ended.put(message.ends)
        played_frames += frames

    def report() -> None:
        while True:
            print(ended.get(), time.perf_counter(), flush=True)

    with client:
        threading.Thread(target=report, daemon=True).start()
        print("ready", flush=True)
        order = count()
        for number, line in enumerate(sys.stdin):
            listed = json.loads(Path(line.strip()).read_text(encoding="ascii"))
            for index, (seconds, port, data) in enumerate(listed):
                ends = number if index == len(listed) - 1 else None
                message = _Waiting(seconds, next(order), ends, port, bytes.fromhex(data))
                heapq.heappush(waiting, message)


if __name__ == "__main__":
    main(*sys.argv[1:])
