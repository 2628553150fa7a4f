"""Takes of the daemon: what it recorded, and where in it the clicks of a metronome are."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from tests.peers.daemon import Client

LOUD = 0.2
"""A click of `tests.peers.timeline` is louder, and silence is not."""


def recorded(client: Client, melody: str, bars: int = 1) -> tuple[NDArray[np.float32], int]:
    """The samples of a capture and their rate, from the file that a clip's sidecar names.

    Args:
        bars: of the clip; something sounds in as many bars of the capture.

    Returns:
        samples: `[frames, channels]`.
    """
    id = f"{client.name}-{time.monotonic_ns()}"
    client.send("/bridge/generate", id, *("melody", melody, "bars", bars))
    (clip,) = client.done(id)
    sidecar = json.loads(Path(str(clip.arguments[3])).with_suffix(".json").read_text())
    samples, rate = soundfile.read(sidecar["melody"], dtype="float32", always_2d=True)
    return samples, rate


def click_starts(samples: NDArray[np.float32]) -> NDArray[np.intp]:
    """The frame at which each click begins; one that began before frame 0 begins there."""
    loud = np.abs(samples[:, 0]) > LOUD
    return np.flatnonzero(loud & ~np.concatenate([[False], loud[:-1]]))
