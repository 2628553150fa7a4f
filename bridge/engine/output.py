"""The model's audio as waveforms. Without torch, so that the daemon can use it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.errors import EngineFailed


def waveforms(audio: NDArray[np.float32], sample_rate: int) -> list[Waveform]:
    """Copies of the audio, one waveform a variation.

    Args:
        audio: float32 `[variations, channels, frames]`.
        sample_rate: Hz.

    Raises:
        EngineFailed: the model made a NaN or an infinity.
    """
    if not np.isfinite(audio).all():
        raise EngineFailed("the model made no sound but NaN or infinity: try another seed")
    return [Waveform(np.array(row.T, order="C"), sample_rate) for row in audio]
