"""Measures of what a listener notices, independent of `bridge.clip`."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bridge.audio import Waveform

WINDOW = 2048
HOP = 512


def attacks(waveform: Waveform, lines: NDArray[np.float64], reach_seconds: float) -> list[float]:
    """Time of the fastest rise in energy near each line, in seconds; the loop wraps around."""
    rate = waveform.sample_rate
    reach = round(reach_seconds * rate)
    block = round(0.002 * rate)
    around = np.pad(waveform.samples.astype(np.float64), ((reach, reach), (0, 0)), mode="wrap")
    found = []
    for line in lines:
        centre = round(line * rate)
        energy = (around[centre : centre + 2 * reach] ** 2).sum(axis=1)
        smooth = np.convolve(energy, np.ones(block) / block, mode="full")[: energy.size]
        # A sound 30 dB below the loudest is not an attack, however fast it rises.
        level = np.log(smooth + 1e-3 * smooth.max())
        rise = level[block:] - level[:-block]
        found.append((centre - reach + int(rise.argmax())) / rate)
    return found


def flux(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Spectral flux of consecutive frames of 2048, 512 apart: the sum of what rises."""
    mono = samples.mean(axis=1)
    frames = sliding_window_view(mono, WINDOW)[::HOP]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1))
    rises: NDArray[np.float64] = np.maximum(0.0, np.diff(magnitude, axis=0)).sum(axis=1)
    return rises


def seam_flux(clip: Waveform, follows: NDArray[np.float32] | None = None) -> float:
    """The greatest flux of the frames that contain the clip's end.

    The clip follows itself, or `follows` comes after it.
    """
    rises = flux(np.concatenate([clip.samples, clip.samples if follows is None else follows]))
    begin = np.arange(rises.size) * HOP
    return float(rises[(begin < clip.frames) & (begin + HOP + WINDOW > clip.frames)].max())


def flux_peaks(clip: Waveform) -> NDArray[np.float64]:
    """The clip's flux at its onsets: local maxima above a tenth of the largest."""
    rises = flux(clip.samples)
    inner = rises[1:-1]
    peak = (inner > rises[:-2]) & (inner >= rises[2:]) & (inner > 0.1 * rises.max())
    peaks: NDArray[np.float64] = inner[peak]
    return peaks


def true_peak_db(samples: NDArray[np.float32], factor: int) -> float:
    """True peak between silences, by zero-padding the spectrum: a second, independent method."""
    padded = np.pad(samples.astype(np.float64), ((512, 512), (0, 0)))
    spectrum = np.fft.rfft(padded, axis=0)
    finer = np.fft.irfft(spectrum, padded.shape[0] * factor, axis=0) * factor
    return float(20 * np.log10(np.abs(finer).max()))
