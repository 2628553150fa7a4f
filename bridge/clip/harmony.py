"""Where the harmony changes: chords and basses tend to move on a bar line."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bridge.audio import Waveform

STEP_SECONDS = 0.02
WINDOW_SECONDS = 0.2
"""Long enough to tell semitones apart from the second octave up."""
LOWEST_PITCH = 36
HIGHEST_PITCH = 88
"""MIDI note numbers, 65 to 1319 Hz: chords and bass, not cymbals."""


def harmonic_change(
    waveform: Waveform, times: NDArray[np.float64], reach_seconds: float
) -> NDArray[np.float64]:
    """How far what sounds after each time is from what sounded before it.

    Args:
        times: float64 `[times]`, seconds from frame 0.
        reach_seconds: how much before and after is compared, positive.

    Returns:
        float64 `[times]`: 1 minus the cosine of the two pitch spectra's angle, 0 (the same)…1.
        0 where the waveform does not reach that far on both sides.
    """
    spectra = _pitch_levels(waveform)
    summed = np.vstack([np.zeros(spectra.shape[1]), np.cumsum(spectra, axis=0)])
    centre = np.round(times / STEP_SECONDS).astype(int)
    reach = max(1, round(reach_seconds / STEP_SECONDS))
    inside = (centre >= reach) & (centre + reach < summed.shape[0])
    change = np.zeros(times.size)
    centre = centre[inside]
    before = np.sqrt(np.maximum(0.0, summed[centre] - summed[centre - reach]))
    after = np.sqrt(np.maximum(0.0, summed[centre + reach] - summed[centre]))
    norms = np.sqrt((before**2).sum(axis=1) * (after**2).sum(axis=1))
    cosine = (before * after).sum(axis=1) / np.maximum(norms, 1e-12)
    change[inside] = np.where(norms > 0, 1 - cosine.clip(0, 1), 0.0)
    return change


def _pitch_levels(waveform: Waveform) -> NDArray[np.float64]:
    """Magnitude at each pitch: `[steps, pitches]`."""
    rate = waveform.sample_rate
    window = 2 * round(WINDOW_SECONDS * rate / 2)
    hop = round(STEP_SECONDS * rate)
    mono = np.pad(waveform.mono().samples[:, 0], window // 2)
    pieces = sliding_window_view(mono, window)[::hop]
    magnitude = np.abs(np.fft.rfft(pieces * np.hanning(window).astype(np.float32), axis=1))
    edges = 440 * 2 ** ((np.arange(LOWEST_PITCH, HIGHEST_PITCH + 2) - 69.5) / 12)
    bins = np.unique(np.round(edges / rate * window).astype(int))
    levels: NDArray[np.float64] = np.maximum.reduceat(magnitude, bins, axis=1)[:, :-1]
    return levels
