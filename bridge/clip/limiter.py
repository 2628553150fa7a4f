"""A look-ahead true-peak limiter for a clip that loops: what it does at the seam goes around it.

The gain falls within the look-ahead before a peak, and recovers slowly after it. The least needed
gain in a window, averaged over a window of the same length, is at most the gain that each frame
needs, so no peak escapes (Giannoulis, Massberg and Reiss, "Digital dynamic range compressor
design", 2012, describe limiters of this kind).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
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
_REACH_FRAMES = 10
"""Frames on both sides that the oversampling filter reaches over."""
_BLOCK_FRAMES = 44
"""Frames that are oversampled by one row of a matrix product."""
_LOG_OF_NOTHING = -30.0
"""The logarithm of a reduction in dB that is practically none."""
_FRAMES_AT_ONCE = 65_536
"""Processed at once: minutes of oversampled audio would take gigabytes."""


def limited(
    waveform: Waveform, peaks: NDArray[np.float64], ceiling: float
) -> tuple[Waveform, NDArray[np.float32]]:
    """Lower the peaks of a clip that loops to the ceiling; all channels by the same gain.

    The moving gain shifts the peaks between samples a little: measure afterwards where tenths of a
    decibel count.

    Args:
        waveform: one frame or more.
        peaks: `[frames]`, as `frame_peaks` finds them in it.
        ceiling: the greatest amplitude that remains, over 0.

    Returns:
        The clip, and its gain `[frames]`, 0…1.
    """
    # Importing scipy takes half a second: a request that is refused must not wait for that.
    from scipy.ndimage import uniform_filter1d

    over = np.flatnonzero(peaks > ceiling)
    if not over.size:
        return waveform, np.ones(len(peaks), dtype=np.float32)
    reduction = np.full(len(peaks), _LOG_OF_NOTHING)
    reduction[over] = np.log(20 * np.log10(peaks[over] / ceiling))
    released = _released(reduction, RELEASE_SECONDS * waveform.sample_rate)
    released *= np.float32(-np.log(10) / 20)
    needed = np.exp(released, out=released)
    window = 2 * round(LOOK_AHEAD_SECONDS * waveform.sample_rate) + 1
    gain: NDArray[np.float32] = uniform_filter1d(_least(needed, window), window, mode="wrap")
    samples = np.empty_like(waveform.samples)
    # By channel: numpy takes several times as long over an axis of two.
    for channel in range(waveform.channels):
        np.multiply(waveform.samples[:, channel], gain, out=samples[:, channel])
    return Waveform(samples, waveform.sample_rate), gain


def frame_peaks(waveform: Waveform) -> NDArray[np.float64]:
    """The greatest amplitude near each frame of a looping clip, between samples too, `[frames]`.

    A peak between two frames counts for both; the channels count together.
    """
    # `take` would copy a channel that is not contiguous whole, each time.
    channels, frames = np.ascontiguousarray(waveform.samples.T), waveform.frames
    filters = _oversampling_filters()
    peaks = np.empty(frames)
    for start in range(0, frames, _FRAMES_AT_ONCE):
        end = min(start + _FRAMES_AT_ONCE, frames)
        # From the frame before the first, whose peak may be behind it.
        blocks = -(-(end - start + 1) // _BLOCK_FRAMES)
        around = np.arange(-1 - _REACH_FRAMES, blocks * _BLOCK_FRAMES + _REACH_FRAMES) + start
        after = np.zeros((blocks, _BLOCK_FRAMES), dtype=np.float32)
        for channel in channels:
            near = channel.take(around, mode="wrap")
            windows = sliding_window_view(near, len(filters))[::_BLOCK_FRAMES][:blocks]
            # A copy: numpy's product of overlapping rows does without BLAS.
            finer = np.abs(np.ascontiguousarray(windows) @ filters)
            for phase in range(OVERSAMPLING):
                first = phase * _BLOCK_FRAMES
                np.maximum(after, finer[:, first : first + _BLOCK_FRAMES], out=after)
        flat = after.reshape(-1)
        np.maximum(flat[: end - start], flat[1 : end - start + 1], out=peaks[start:end])
    return peaks


@lru_cache(maxsize=1)
def _oversampling_filters() -> NDArray[np.float32]:
    """From the frames around a block to its oversampled audio, `[frames, phases * block]`.

    They are the filters of `scipy.signal.resample_poly`. As one matrix product for a block, they
    take a tenth of its time.
    """
    # Importing scipy takes half a second: a request that is refused must not wait for that.
    from scipy.signal import firwin

    half = _REACH_FRAMES * OVERSAMPLING
    taps = OVERSAMPLING * firwin(2 * half + 1, 1 / OVERSAMPLING, window=("kaiser", 5.0))
    filters = np.zeros(
        (2 * _REACH_FRAMES + _BLOCK_FRAMES, OVERSAMPLING, _BLOCK_FRAMES), dtype=np.float32
    )
    for phase in range(OVERSAMPLING):
        # The tap for the frame that is so far before or after the one that the phase follows.
        away = np.arange(-_REACH_FRAMES, _REACH_FRAMES + 1) * OVERSAMPLING - phase + half
        inside = np.flatnonzero(away >= 0)
        for frame in range(_BLOCK_FRAMES):
            filters[inside + frame, phase, frame] = taps[away[inside]]
    return filters.reshape(len(filters), -1)


def _released(reduction: NDArray[np.float64], time_constant: float) -> NDArray[np.float32]:
    """The reduction in dB that decays by 1/e in `time_constant` frames, around the loop.

    Args:
        reduction: `[frames]`, the logarithm of the reduction in dB that each frame needs.

    Returns:
        `[frames]`.
    """
    frames = len(reduction)
    context = round(_RELEASES_BEFORE * time_constant)
    released = np.empty(frames, dtype=np.float32)
    for start in range(0, frames, _FRAMES_AT_ONCE):
        end = min(start + _FRAMES_AT_ONCE, frames)
        # The logarithm decays at a constant slope: the running maximum of what is level then.
        slope = np.arange(end - start + context) / time_constant
        if start < context:
            rising = reduction.take(np.arange(start - context, end), mode="wrap")
            rising += slope
        else:
            rising = reduction[start - context : end] + slope
        np.maximum.accumulate(rising, out=rising)
        released[start:end] = np.exp(rising[context:] - slope[context:])
    return released


def _least(values: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """The least value of the window around each of a loop's, `[frames]`.

    Args:
        window: odd.
    """
    around = np.arange(-(window // 2), len(values) + window // 2)
    least = values.take(around, mode="wrap")
    # Twice as many values each time: a third of the time of scipy's filter.
    reach = 1
    while reach < window:
        step = min(reach, window - reach)
        least = np.minimum(least[:-step], least[step:])
        reach += step
    return least
