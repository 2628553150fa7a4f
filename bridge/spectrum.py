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

_SAMPLES_AT_ONCE = 1 << 20
"""Windowed samples in memory at once: of minutes of audio, all windows would take gigabytes."""


def power_spectrogram(
    signal: NDArray[np.floating],
    window: NDArray[np.floating],
    starts: NDArray[np.integer],
    reduce: Callable[[NDArray[np.floating]], NDArray[Any]] | None = None,
) -> NDArray[Any]:
    """Power of each window of a signal.

    Args:
        signal: `[frames]`.
        window: `[length]`, the weights of a window's frames, such as `hann(length)`. With a
            float32 signal, a float32 window computes in float32, a float64 window in float64.
        starts: `[steps]`, the first frame of each window, 0 … frames − length.
        reduce: from power `[some steps, bins]` to what is kept of it, `[some steps, …]`, such as
            sums over bands. It is called for a block of steps at a time; None keeps the power.

    Returns:
        `[steps, …]`, what `reduce` returns; without it, power `[steps, length // 2 + 1]`.
    """
    windows = sliding_window_view(signal, len(window))
    block = max(1, _SAMPLES_AT_ONCE // len(window))
    kept = []
    for first in range(0, max(1, len(starts)), block):
        spectrum = np.fft.rfft(windows[starts[first : first + block]] * window, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        kept.append(power if reduce is None else reduce(power))
    return np.concatenate(kept)


def hann(length: int) -> NDArray[np.float64]:
    """The periodic Hann window `[length]`, torch's default. `np.hanning` is the symmetric one."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
