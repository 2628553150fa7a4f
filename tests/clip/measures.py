"""What a listener would notice, measured independently of `bridge.clip`."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bridge.audio import Waveform

WINDOW = 2048
HOP = 512


def attacks(waveform: Waveform, lines: NDArray[np.float64], reach_seconds: float) -> list[float]:
    """Where the energy rises fastest near each of those times, in seconds; the loop goes round."""
    rate = waveform.sample_rate
    reach = round(reach_seconds * rate)
    block = round(0.002 * rate)
    around = np.pad(waveform.samples.astype(np.float64), ((reach, reach), (0, 0)), mode="wrap")
    found = []
    for line in lines:
        centre = round(line * rate)
        energy = (around[centre : centre + 2 * reach] ** 2).sum(axis=1)
        smooth = np.convolve(energy, np.ones(block) / block, mode="full")[: energy.size]
        # What is 30 dB below the loudest is no attack, however fast it rises.
        heard = np.log(smooth + 1e-3 * smooth.max())
        rise = heard[block:] - heard[:-block]
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
    """The greatest flux of the frames that hold the clip's end, when it follows itself.

    Or when something else follows it.
    """
    rises = flux(np.concatenate([clip.samples, clip.samples if follows is None else follows]))
    begin = np.arange(rises.size) * HOP
    return float(rises[(begin < clip.frames) & (begin + HOP + WINDOW > clip.frames)].max())


def flux_peaks(clip: Waveform) -> NDArray[np.float64]:
    """The clip's own flux where something begins: its local maxima above a tenth of the largest."""
    rises = flux(clip.samples)
    inner = rises[1:-1]
    peak = (inner > rises[:-2]) & (inner >= rises[2:]) & (inner > 0.1 * rises.max())
    peaks: NDArray[np.float64] = inner[peak]
    return peaks


def true_peak_db(samples: NDArray[np.float32], factor: int) -> float:
    """True peak between silences, by zeros added to the spectrum: a second opinion."""
    padded = np.pad(samples.astype(np.float64), ((512, 512), (0, 0)))
    spectrum = np.fft.rfft(padded, axis=0)
    finer = np.fft.irfft(spectrum, padded.shape[0] * factor, axis=0) * factor
    return float(20 * np.log10(np.abs(finer).max()))
