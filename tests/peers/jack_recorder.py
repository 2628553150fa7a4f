"""A JACK client that records ports: `jack_recorder FILE.npz PORT…`.

It connects to the ports, prints `ready`, and for each line on stdin saves what it has recorded: the
server's frame number of each cycle's first frame, its time, the frame of the transport, and the
samples `[cycles, frames, ports]`.
"""

from __future__ import annotations

import sys
from functools import partial

import jack
import numpy as np
from numpy.typing import NDArray

from tests.peers.jack_clock import Clock
from tests.peers.wait import until


def main(path: str, *ports: str) -> None:
    """Record until stdin ends."""
    client = jack.Client("recorder", no_start_server=True)
    inputs = [client.inports.register(f"in_{number}") for number in range(len(ports))]
    clock = Clock(client)
    cycles: list[tuple[int, float, int, NDArray[np.float32]]] = []

    @client.set_process_callback  # type: ignore[untyped-decorator]
    def process(frames: int) -> None:
        block = np.stack([port.get_array() for port in inputs], axis=1)
        transport = client.transport_query_struct()[1].frame
        cycles.append((client.last_frame_time, clock.cycle_seconds(), transport, block))

    with client:
        for input_, port in zip(inputs, ports, strict=True):
            until(partial(client.get_ports, f"^{port}$"), f"{port} is there")
            client.connect(port, input_)
        until(lambda: cycles, "a cycle is recorded")
        print("ready", flush=True)
        for _ in sys.stdin:
            recorded = list(cycles)
            np.savez(
                path,
                starts=np.array([start for start, _, _, _ in recorded]),
                seconds=np.array([seconds for _, seconds, _, _ in recorded]),
                transport=np.array([frame for _, _, frame, _ in recorded]),
                samples=np.array([block for _, _, _, block in recorded]),
            )
            print("saved", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
