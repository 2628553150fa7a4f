"""Level of the input: peak and RMS in dBFS, -120 when silent. A mean square of 1 is 0 dBFS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.audio import power_to_db
from bridge.soundcard.ring import Overwritten, Ring

LOWEST_DB = -120.0
LEVEL_SECONDS = 0.1


def level(ring: Ring) -> tuple[float, float]:
    """Peak and RMS of the ring's last tenth of a second, each of the loudest channel."""
    stop = ring.frames_written
    try:
        samples = ring.read(max(0, stop - round(LEVEL_SECONDS * ring.sample_rate)), stop)
    except Overwritten:  # This process was paused for longer than the ring keeps audio.
        return LOWEST_DB, LOWEST_DB
    if not len(samples):
        return LOWEST_DB, LOWEST_DB
    power = np.square(samples, dtype=np.float64).mean(axis=0).max()
    return peak_db(samples), decibel(float(power))


def peak_db(samples: NDArray[np.float32]) -> float:
    """The highest peak of samples `[frames, channels]`."""
    return decibel(float(np.abs(samples).max(initial=0.0)) ** 2)


def decibel(power: float) -> float:
    """A mean square as dBFS."""
    return max(LOWEST_DB, float(power_to_db(max(power, 1e-20))))
