"""Pitch of a voice, a whistle or an instrument that plays one note at a time.

The method is YIN (de Cheveigné and Kawahara, "YIN, a fundamental frequency estimator for speech and
music", JASA 111, 2002), steps 1 to 5. The difference function comes from a Fourier transform.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bridge.audio import db_to_power
from bridge.events import Pitch
from bridge.soundcard.ring import Overwritten, Ring

WINDOW_SECONDS = 0.05
"""Length of the analysed sound: the longest period, and a bit more than that again."""
LOWEST_HZ, HIGHEST_HZ = 55.0, 2500.0
"""From the lowest bass voice, A1, to a whistle."""
SOFTEST_DBFS = -54.0
"""Softer sound is no voice, as for an onset (`capture.onset`)."""
LEAST_CONFIDENCE = 0.8
"""Noise and chords stay below it; a voice is at 0.9 and more, but in its attacks and breaths."""

_DIP = 0.15
"""The first dip of the normalised difference below this is the period (step 4)."""
_A4_HZ, _A4_NOTE = 440.0, 69


def pitch(ring: Ring) -> Pitch | None:
    """The pitch of the ring's newest sound, of its loudest channel; None where no voice is."""
    stop = ring.frames_written
    try:
        samples = ring.read(max(0, stop - round(WINDOW_SECONDS * ring.sample_rate)), stop)
    except Overwritten:  # This process was paused for longer than the ring keeps audio.
        return None
    if not len(samples):
        return None
    loudest = int(np.square(samples, dtype=np.float64).sum(axis=0).argmax())
    return pitch_of(samples[:, loudest], ring.sample_rate)


def pitch_of(samples: NDArray[np.float32], sample_rate: int) -> Pitch | None:
    """The pitch of a short piece of sound.

    Args:
        samples: float32 `[frames]`, of `WINDOW_SECONDS`.
        sample_rate: Hz.

    Returns:
        None: it is too soft, too short, or has no pitch.
    """
    longest, shortest = round(sample_rate / LOWEST_HZ), int(sample_rate / HIGHEST_HZ)
    centred = samples.astype(np.float64) - samples.mean()
    if len(centred) < 2 * longest or np.square(centred).mean() < db_to_power(SOFTEST_DBFS):
        return None
    difference = _difference(centred, longest + 2)
    normalised = _normalised(difference)
    lag = _first_dip(normalised, shortest, longest)
    confidence = 1 - float(normalised[lag])
    if confidence < LEAST_CONFIDENCE:
        return None
    hertz = sample_rate / (lag + _vertex(difference[lag - 1 : lag + 2]))
    exact = _A4_NOTE + 12 * math.log2(hertz / _A4_HZ)
    note = round(exact)
    return Pitch(note, 100 * (exact - note), min(1.0, confidence))


def _difference(samples: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Step 2: the squared difference to the sound `lag` frames later, for each lag up to `lags`."""
    frames = len(samples) - lags
    size = 1 << (2 * len(samples) - 1).bit_length()
    spectrum = np.fft.rfft(samples, size)
    products = np.fft.irfft(spectrum * np.fft.rfft(samples[:frames], size).conj(), size)[:lags]
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples))])
    shifted = energy[frames : frames + lags] - energy[:lags]
    squares: NDArray[np.float64] = np.maximum(shifted + shifted[0] - 2 * products, 0.0)
    return squares


def _normalised(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Step 3: each difference by the mean of those up to it; 1 at lag 0."""
    sums = np.cumsum(difference[1:])
    numbers = np.arange(1, len(difference))
    rest = np.where(sums > 0, difference[1:] * numbers / np.maximum(sums, 1e-30), 1.0)
    return np.concatenate([[1.0], rest])


def _first_dip(normalised: NDArray[np.float64], shortest: int, longest: int) -> int:
    """Step 4: the bottom of the first dip below the threshold, else the lowest of all lags."""
    candidates = normalised[shortest : longest + 1]
    below = np.flatnonzero(candidates < _DIP)
    if not len(below):
        return shortest + int(candidates.argmin())
    first = int(below[0])
    rises = np.flatnonzero(np.diff(candidates[first:]) >= 0)
    return shortest + first + (int(rises[0]) if len(rises) else len(candidates) - 1 - first)


def _vertex(three: NDArray[np.float64]) -> float:
    """Step 5: where a parabola through three values is lowest, −1 to 1 from the middle one."""
    before, middle, after = three.tolist()
    curvature = before - 2 * middle + after
    return 0.0 if curvature <= 0 else max(-1.0, min(1.0, (before - after) / (2 * curvature)))
