"""A JACK client that repeats its input after a delay: `jack_loopback DELAY GAIN NOISE GROWTH`.

PortAudio lists it as a device, whose input is its own output.
"""

from __future__ import annotations

import sys

import jack
import numpy as np

NAME = "loopback"
GROWTH_PERIODS = 40


def main(delay_frames: int, gain: float, noise: float, growth_frames: int) -> None:
    """Run until stdin ends.

    Args:
        delay_frames: delay from input to output.
        gain: factor from input to output.
        noise: amplitude of added white noise.
        growth_frames: growth of the delay, every 40 periods.
    """
    client = jack.Client(NAME, no_start_server=True)
    input_, output = client.inports.register("in"), client.outports.register("out")
    random = np.random.default_rng(3)
    kept = np.zeros(delay_frames, np.float32)
    periods = 0

    @client.set_process_callback  # type: ignore[untyped-decorator]
    def process(frames: int) -> None:
        nonlocal kept, periods
        periods += 1
        if periods % GROWTH_PERIODS == 0:
            kept = np.concatenate([np.zeros(growth_frames, np.float32), kept])
        kept = np.concatenate([kept, input_.get_array()])
        output.get_array()[:] = gain * kept[:frames] + noise * random.uniform(-1, 1, frames)
        kept = kept[frames:]

    with client:
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
