"""Sounding and silent blocks of a melody's audio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import is_sounding

BLOCK_SECONDS = 0.02
_BLOCKS_AT_A_TIME = 500
"""The variance of ten minutes at once takes 300 MB."""


def sounding_seconds(waveform: Waveform) -> NDArray[np.float64]:
    """Start times of the 20 ms blocks within 40 dB of the loudest and above −70 dBFS.

    The level is that of mono, as in chroma, and without the mean: a DC offset is not a sound.

    Returns:
        float64 `[blocks]`, seconds from frame 0, ascending; empty when all is silent.
    """
    block = max(round(BLOCK_SECONDS * waveform.sample_rate), 1)
    mono = waveform.mono().samples[:, 0]
    if not len(mono):
        return np.empty(0)
    starts = range(0, len(mono), block * _BLOCKS_AT_A_TIME)
    power = np.concatenate(
        [_power(mono[start : start + block * _BLOCKS_AT_A_TIME], block) for start in starts]
    )
    return np.flatnonzero(is_sounding(power)).astype(np.float64) * block / waveform.sample_rate


def _power(mono: NDArray[np.float32], block: int) -> NDArray[np.float64]:
    """The variance of each block of that many frames; the last one is filled up."""
    blocks = np.pad(mono, (0, -len(mono) % block), mode="edge").reshape(-1, block)
    power: NDArray[np.float64] = np.var(blocks, axis=1, dtype=np.float64)
    return power
