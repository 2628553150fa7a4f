"""The chromagram of the pictures: how strong each pitch class is, in steps of any length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.chroma import WINDOW, chroma_filter_bank
from bridge.spectrum import power_spectrogram


def chromagram(waveform: Waveform, hop: int) -> NDArray[np.float64]:
    """The shade of each pitch class at each step.

    Args:
        waveform: any rate and channels.
        hop: frames at 32 kHz from one step to the next.

    Returns:
        float64 `[steps, 12]`, 0…1, C first. Between amplitude, which makes everything grey, and
        energy, which shows only one class.
    """
    mono = waveform.mono().resampled(MODEL_SAMPLE_RATE).samples[:, 0]
    starts = np.arange(0, len(mono) + 1, hop)
    bank = chroma_filter_bank()
    energy: NDArray[np.float64] = power_spectrogram(
        np.pad(mono, WINDOW // 2), np.hanning(WINDOW), starts, lambda power: power @ bank.T
    )
    shades: NDArray[np.float64] = (energy / max(float(energy.max()), 1e-12)) ** 0.75
    return shades
