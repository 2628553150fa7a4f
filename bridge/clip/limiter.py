"""A look-ahead true-peak limiter for a clip that loops: what it does at the seam goes around it.

The gain falls within the look-ahead before a peak, and recovers slowly after it. The least needed
gain in a window, averaged over a window of the same length, is at most the gain that each frame
needs, so no peak escapes (Giannoulis, Massberg and Reiss, "Digital dynamic range compressor
design", 2012, describe limiters of this kind).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform

LOOK_AHEAD_SECONDS = 0.002
"""Time before a peak in which the gain falls: short enough to hide under the peak."""
RELEASE_SECONDS = 0.06
"""Time in which the reduction in dB falls to 1/e: shorter times distort a bass."""
OVERSAMPLING = 4
"""ITU-R BS.1770-4, annex 2: true peak at 48 kHz."""
_RELEASES_BEFORE = 12
"""Release times after which a reduction counts as over: 1e-5 of it is left."""
_AROUND_FRAMES = 64
"""Frames on both sides of a piece that is oversampled; the filter reaches over 10."""
_FRAMES_AT_ONCE = 65_536
"""Processed at once: minutes of oversampled audio would take gigabytes."""


def limited(waveform: Waveform, peaks: NDArray[np.float64], ceiling: float) -> Waveform:
    """Lower the peaks of a clip that loops to the ceiling; all channels by the same gain.

    The moving gain shifts the peaks between samples a little: measure afterwards where tenths of a
    decibel count.

    Args:
        waveform: one frame or more.
        peaks: `[frames]`, as `frame_peaks` finds them in it.
        ceiling: the greatest amplitude that remains, over 0.
    """
    # Importing scipy takes half a second: a request that is refused must not wait for that.
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    over = peaks > ceiling
    if not over.any():
        return waveform
    reduction_db = np.zeros(len(peaks))
    reduction_db[over] = 20 * np.log10(peaks[over] / ceiling)
    gain = 10 ** (-_released(reduction_db, RELEASE_SECONDS * waveform.sample_rate) / 20)
    window = 2 * round(LOOK_AHEAD_SECONDS * waveform.sample_rate) + 1
    gain = minimum_filter1d(gain, window, mode="wrap")
    gain = uniform_filter1d(gain, window, mode="wrap")
    return Waveform(
        waveform.samples * gain[:, None].astype(np.float32),
        waveform.sample_rate,
    )


def frame_peaks(waveform: Waveform) -> NDArray[np.float64]:
    """The greatest amplitude near each frame of a looping clip, between samples too, `[frames]`.

    A peak between two frames counts for both; the channels count together.
    """
    from scipy.signal import resample_poly

    samples, frames = waveform.samples, waveform.frames
    peaks = np.empty(frames)
    for start in range(0, frames, _FRAMES_AT_ONCE):
        end = min(start + _FRAMES_AT_ONCE, frames)
        around = np.arange(start - _AROUND_FRAMES, end + _AROUND_FRAMES) % frames
        finer = np.abs(resample_poly(samples[around], OVERSAMPLING, 1, axis=0)).max(axis=1)
        after = finer.reshape(-1, OVERSAMPLING).max(axis=1)
        near = np.maximum(after, np.roll(after, 1))
        peaks[start:end] = near[_AROUND_FRAMES:-_AROUND_FRAMES]
    return peaks


def _released(reduction_db: NDArray[np.float64], time_constant: float) -> NDArray[np.float64]:
    """The reduction that decays by 1/e in `time_constant` frames, around the loop, `[frames]`."""
    frames = len(reduction_db)
    context = round(_RELEASES_BEFORE * time_constant)
    released = np.empty(frames)
    for start in range(0, frames, _FRAMES_AT_ONCE):
        end = min(start + _FRAMES_AT_ONCE, frames)
        near = reduction_db[np.arange(start - context, end) % frames]
        # The logarithm decays at a constant slope: the running maximum of what is level then.
        slope = np.arange(len(near)) / time_constant
        rising = np.maximum.accumulate(np.log(np.maximum(near, 1e-12)) + slope)
        released[start:end] = np.exp(rising - slope)[context:]
    return released
