"""The sound card of a bench, in a process of its own: it plays a tune, and keeps what it hears.

`python -m bridge.tools.bench_sound FILE.npz` is a JACK client beside the daemon's audio. It plays
into the daemon's input without end, prints `ready`, and for each line on stdin saves the last
`KEPT_SECONDS` of the daemon's output: the frame number of each cycle's first frame, when the cycle
came, the samples `[cycles, frames, ports]`, and how often the server missed a period. It ends with
stdin.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

INPUT_PORTS = ("PortAudio:in_0", "PortAudio:in_1")
OUTPUT_PORTS = ("PortAudio:out_0", "PortAudio:out_1")
"""The ports that PortAudio gives the streams of the daemon's audio process."""
SAMPLE_RATE = 44_100
TEMPO_BPM = 120
KEPT_SECONDS = 60.0
READY = "ready"
SAVED = "saved"
_NOTES = (60, 62, 64, 67, 69, 67, 64, 62)
"""A pitch for each beat, again and again."""
_PATIENCE_SECONDS = 10.0
_AGAIN_SECONDS = 0.05


def tune() -> NDArray[np.float32]:
    """Two bars of plucked notes, `[frames]`, which join their own beginning."""
    frames = np.arange(SAMPLE_RATE * 60 // TEMPO_BPM)
    decay = np.minimum(1, (len(frames) - frames) / 2000)
    hertz = [440 * 2 ** ((note - 69) / 12) for note in _NOTES]
    beats = [0.3 * decay * np.sin(2 * np.pi * each / SAMPLE_RATE * frames) for each in hertz]
    return np.concatenate(beats).astype(np.float32)


def main(path: str) -> None:
    """Play and record until stdin ends."""
    import jack

    client = jack.Client("bench", no_start_server=True)
    to_input = [client.outports.register(f"out_{number}") for number in range(len(INPUT_PORTS))]
    heard = [client.inports.register(f"in_{number}") for number in range(len(OUTPUT_PORTS))]
    played = tune()
    cycles: deque[tuple[int, float, NDArray[np.float32]]] = deque(
        maxlen=round(KEPT_SECONDS * SAMPLE_RATE / client.blocksize)
    )
    xruns = 0

    def process(frames: int) -> None:
        now, frame = time.perf_counter(), int(client.last_frame_time)
        block = np.take(played, np.arange(frame, frame + frames), mode="wrap")
        for port in to_input:
            port.get_array()[:] = block
        cycles.append((frame, now, np.stack([port.get_array() for port in heard], axis=1)))

    def xrun(delayed_microseconds: float) -> None:
        nonlocal xruns
        xruns += 1

    client.set_process_callback(process)
    client.set_xrun_callback(xrun)
    with client:
        for port, other in zip(to_input, INPUT_PORTS, strict=True):
            _connect(client, port.name, other)
        for port, other in zip(heard, OUTPUT_PORTS, strict=True):
            _connect(client, other, port.name)
        print(READY, flush=True)
        for _ in sys.stdin:
            frames, seconds, samples = zip(*list(cycles), strict=True)
            np.savez(
                Path(path),
                frames=np.array(frames),
                seconds=np.array(seconds),
                samples=np.array(samples),
                xruns=xruns,
            )
            print(SAVED, flush=True)


def _connect(client: object, source: str, target: str) -> None:
    """Connect two ports as soon as both are there."""
    import jack

    assert isinstance(client, jack.Client)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            client.connect(source, target)
            return
        except jack.JackError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1])
