"""The one spectrogram of the package: the power of short windows of a signal, step by step.

Step k is the window that begins at frame `starts[k]`. Bin b of a window of n frames is at
`b * sample_rate / n` Hz; there are `n // 2 + 1` bins. Power is `|FFT|²` of the windowed signal,
in the signal's unit squared, without any scaling. Padding is the caller's choice: it decides what
the windows at the two ends contain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Transform = Callable[[NDArray[Any]], NDArray[Any]]
"""From windowed signals `[steps, length]` to their spectra `[steps, length // 2 + 1]`."""

_SAMPLES_AT_ONCE = 1 << 17
"""Windowed samples in memory at once: they stay in the processor's cache."""


def power_spectrogram(
    signal: NDArray[np.floating],
    window: NDArray[np.floating],
    starts: NDArray[np.integer],
    reduce: Callable[[NDArray[np.floating]], NDArray[Any]] | None = None,
    transform: Transform = np.fft.rfft,
) -> NDArray[Any]:
    """Power of each window of a signal.

    Args:
        signal: `[frames]`.
        window: `[length]`, the weights of a window's frames, such as `hann(length)`. With a
            float32 signal, a float32 window computes in float32, a float64 window in float64.
        starts: `[steps]`, the first frame of each window, 0 … frames − length.
        reduce: from power `[some steps, bins]` to what is kept of it, `[some steps, …]`, such as
            sums over bands. It is called for a block of steps at a time; None keeps the power.
        transform: the FFT; scipy's takes a third of the time of numpy's.

    Returns:
        `[steps, …]`, what `reduce` returns; without it, power `[steps, length // 2 + 1]`.
    """
    windows = sliding_window_view(signal, len(window))
    block = max(1, _SAMPLES_AT_ONCE // len(window))
    kept = []
    for first in range(0, max(1, len(starts)), block):
        spectrum = transform(_at(windows, starts[first : first + block]) * window)
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        kept.append(power if reduce is None else reduce(power))
    return np.concatenate(kept)


def _at(windows: NDArray[Any], starts: NDArray[np.integer]) -> NDArray[Any]:
    """The windows that begin there; a view, where the starts are equally far apart."""
    hops = np.diff(starts)
    if len(hops) and hops[0] > 0 and (hops == hops[0]).all():
        windows = windows[starts[0] : starts[-1] + 1 : hops[0]]
    else:
        windows = windows[starts]
    return windows


def hann(length: int) -> NDArray[np.float64]:
    """The periodic Hann window `[length]`, torch's default. `np.hanning` is the symmetric one."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
