"""Fast FFTs for finishing: scipy's transform, and window lengths that it is fast at."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

_FACTORS = (2, 3, 5, 7, 11)
"""An FFT of a length with only these factors is fast; one of a prime takes six times as long."""


def transform(windowed: NDArray[Any]) -> NDArray[Any]:
    """The spectra of real signals `[steps, length]`, in their precision."""
    # Importing scipy takes long: a request that is refused must not wait for that.
    from scipy.fft import rfft

    spectra: NDArray[Any] = rfft(windowed, axis=1)
    return spectra


def fast_length(frames: float) -> int:
    """The number of frames closest to that, at least 4, whose FFT is fast."""
    nearest = max(4, round(frames))
    for away in range(nearest):
        for length in (nearest - away, nearest + away):
            if length >= 4 and _is_fast(length):
                return length
    return nearest


def _is_fast(length: int) -> bool:
    for factor in _FACTORS:
        while length % factor == 0:
            length //= factor
    return length == 1
