"""The gains of fades, and the limit of a sum; nothing here allocates an array while it plays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FADE_SECONDS = 0.005
"""A cross-fade, and the fade at a stop."""
START_SECONDS = 0.001
"""The fade-in of a clip that follows silence: short, because it begins with an attack."""
GAIN_SECONDS = 0.02
"""Time for a change of a layer's gain."""
KNEE = 0.9
"""Amplitude up to which the sum is unchanged; clips peak at -1 dBFS, which is 0.89. Louder sums
approach 1 along a tanh."""

Samples = NDArray[np.float32]


class Fades:
    """Gains of the frames of each kind of fade, float32 `[frames, 1]`, none of them 0 or 1.

    Attributes:
        rising, falling: linear, for sounds that correlate: their sum is 1.
        rising_power, falling_power: equal power, for other sounds: their squares add up to 1.
        starting: linear and short.
        gain: linear; how much of a change of gain is done.
    """

    def __init__(self, sample_rate: int) -> None:
        self.rising = _steps(FADE_SECONDS, sample_rate)
        self.falling = self.rising[::-1].copy()
        self.rising_power = np.sin(np.pi / 2 * self.rising).astype(np.float32)
        self.falling_power = self.rising_power[::-1].copy()
        self.starting = _steps(START_SECONDS, sample_rate)
        self.gain = _steps(GAIN_SECONDS, sample_rate)


def rise(samples: Samples, rising: Samples, done: int) -> None:
    """Apply a fade-in that began `done` frames ago."""
    part = rising[done : done + len(samples)]
    np.multiply(samples[: len(part)], part, out=samples[: len(part)])


def fall(samples: Samples, falling: Samples, done: int) -> None:
    """Apply a fade-out that began `done` frames ago, or begins later: `done` is then negative."""
    fading = samples[max(0, -done) :]
    part = falling[max(0, done) :][: len(fading)]
    np.multiply(fading[: len(part)], part, out=fading[: len(part)])
    fading[len(part) :] = 0


def limit(block: Samples, magnitudes: Samples, excess: Samples) -> None:
    """Limit the sum: y = x up to the knee k, else k + (1 - k) tanh((x - k) / (1 - k)).

    Args:
        magnitudes, excess: of the block's shape, overwritten.
    """
    np.abs(block, out=magnitudes)
    if magnitudes.max() <= KNEE:
        return
    np.subtract(magnitudes, KNEE, out=excess)
    np.maximum(excess, 0, out=excess)
    np.multiply(excess, 1 / (1 - KNEE), out=excess)
    np.tanh(excess, out=excess)
    np.multiply(excess, 1 - KNEE, out=excess)
    np.minimum(magnitudes, KNEE, out=magnitudes)
    np.add(magnitudes, excess, out=magnitudes)
    np.copysign(magnitudes, block, out=block)


def _steps(seconds: float, sample_rate: int) -> Samples:
    """The middles of equal steps from 0 to 1, float32 `[frames, 1]`."""
    frames = max(1, round(seconds * sample_rate))
    steps = (np.arange(frames) + 0.5) / frames
    return steps[:, np.newaxis].astype(np.float32)
