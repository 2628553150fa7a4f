"""A JACK client that plays samples: `jack_player FILE.npy AT_SECONDS WORK_SECONDS PORT…`.

It says `ready` once it is connected, and `done` once all is played; `late`, and plays nothing, if
it is not connected a period before AT_SECONDS.
"""

from __future__ import annotations

import sys
import threading
import time
from functools import partial

import jack
import numpy as np

from tests.peers.jack_clock import Clock
from tests.peers.wait import until

MOST_FRAMES_OFF = 8
PATIENCE_SECONDS = 30.0


def main(path: str, at_seconds: str, work_seconds: str, *ports: str) -> None:
    """Play all samples, and end."""
    samples = np.load(path)
    client = jack.Client("player", no_start_server=True)
    outputs = [client.outports.register(f"out_{number}") for number in range(len(ports))]
    clock = Clock(client)
    connected, done = threading.Event(), threading.Event()
    at, work = float(at_seconds), float(work_seconds)
    position = 0  # In the samples: the first frame of the next cycle.

    @client.set_process_callback  # type: ignore[untyped-decorator]
    def process(frames: int) -> None:
        nonlocal position
        block = np.zeros((frames, len(ports)), np.float32)
        if connected.is_set():
            if at:
                # A cycle brings the sound of the period before it, as from a sound card.
                since = clock.cycle_seconds() - frames / client.samplerate - at
                due = round(since * client.samplerate)
                # Without a jump, unless the server lost time.
                position = due if abs(due - position) > MOST_FRAMES_OFF else position
            if position > -frames:
                piece = samples[max(0, position) : max(0, position + frames)]
                first = max(0, -position)
                block[first : first + len(piece)] = piece
            position += frames
            # A few cycles later, so that the last samples have gone out.
            if position > len(samples) + 4 * frames:
                done.set()
        if work:
            time.sleep(work)
        for number, output in enumerate(outputs):
            output.get_array()[:] = block[:, number]

    with client:
        for output, port in zip(outputs, ports, strict=True):
            until(partial(client.get_ports, f"^{port}$"), f"{port} is there")
            client.connect(output, port)
        connected.set()
        if at and time.perf_counter() > at - client.blocksize / client.samplerate:
            print("late", flush=True)
            return
        print("ready", flush=True)
        lead_seconds = max(0.0, at - time.perf_counter())
        # Without end if the server has dropped this client: it calls it no more.
        if done.wait(lead_seconds + len(samples) / client.samplerate + PATIENCE_SECONDS):
            print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
