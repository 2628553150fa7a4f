"""What a seam in a piece sounds like: how much changes there, compared with all other places."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

NEAR_SECONDS = 0.03
A_SECOND = 100
"""Values of a curve in a second."""
ORDINARY = 0.8
"""Limit of the seams' mean share. The mean is 0.5 if seams are like all other places."""


def flux(samples: NDArray[np.floating], rate: int) -> NDArray[np.float64]:
    """Spectral flux every 10 ms: the sum of the increases in the log spectrum.

    Args:
        samples: `[frames, channels]`.
    """
    hop = rate // A_SECOND
    frames = sliding_window_view(samples.mean(axis=1), 1024)[::hop] * np.hanning(1024)
    levels = np.log1p(10 * np.abs(np.fft.rfft(frames)))
    grown: NDArray[np.float64] = np.maximum(np.diff(levels, axis=0), 0).sum(axis=1)
    return grown


def loudness_steps(samples: NDArray[np.floating], rate: int) -> NDArray[np.float64]:
    """Level difference in dB between the second after and the second before, every 10 ms."""
    hop = rate // A_SECOND
    power = samples.mean(axis=1).astype(np.float64) ** 2
    blocks = power[: len(power) // hop * hop].reshape(-1, hop).mean(axis=1)
    sums = np.concatenate([[0], np.cumsum(blocks)])
    level = 10 * np.log10(sums[A_SECOND:] - sums[:-A_SECOND] + 1e-9)
    steps = np.zeros(len(blocks))
    steps[A_SECOND : len(level)] = np.abs(level[A_SECOND:] - level[:-A_SECOND])
    return steps


def share_below(curve: NDArray[np.float64], seam_seconds: float) -> float:
    """The share of all places where the curve, within 30 ms, is lower than at the seam."""
    reach = round(NEAR_SECONDS * A_SECOND)
    near = sliding_window_view(curve, 2 * reach + 1).max(axis=1)
    return float((near < near[round(seam_seconds * A_SECOND) - reach]).mean())
