"""The tuning of a sung melody: one offset from concert pitch, and its slow drift.

A take is compared with every tuning and each of the twelve diatonic scales at once: what was sung
40 cents flat and sank by another 60 fits one scale at one tuning only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DIATONIC = (0, 2, 4, 5, 7, 9, 11)
IN_SCALE = 0.95
"""Share of a melody's notes that are in its scale."""

_SPREAD = 0.2
"""Standard deviation of a sung note in semitones: Pfordresher and others, "Imprecise singing is
widespread", JASA 128, 2010, find about a quarter of a semitone for untrained singers."""
_OUTLIERS = 0.05
_CELL = 0.02
"""Semitones between two tunings that are compared."""
_WIDEST = 0.6
"""Semitones. More than half is the next semitone, unless the mean is a few cents off."""
_STEEPEST = 0.12
"""Semitones a second."""
_USUAL_DRIFT = 0.02
"""Semitones a second."""
_HELD_SECONDS = 4.0
"""A voice is about as near to its reference until then; afterwards it may have sunk."""
_EXACT = 0.06
"""Semitones. Notes that fit this well without drift need no other explanation."""


@dataclass(frozen=True)
class Tuning:
    """How far a take is above concert pitch.

    Attributes:
        offset: semitones at second 0, −0.6…0.6.
        drift: semitones a second.
        spread: root mean square of the notes' distances from the nearest semitones, in semitones.
    """

    offset: float
    drift: float
    spread: float

    def at(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Semitones above concert pitch at each time."""
        return self.offset + self.drift * seconds


def find_tuning(
    exact: NDArray[np.float64], seconds: NDArray[np.float64], weights: NDArray[np.float64]
) -> Tuning:
    """The tuning of notes.

    Args:
        exact: float64 `[notes]`, MIDI note numbers with fractions, one or more.
        seconds: float64 `[notes]`, the middle of each note, from the first note's start.
        weights: float64 `[notes]`, positive, the greatest 1.
    """
    steady = _refined(exact, seconds, weights, _steady_offset(exact, weights), 0.0)
    if steady.spread <= _EXACT:
        return steady
    offsets = np.arange(-_WIDEST, _WIDEST + _CELL / 2, _CELL)
    drifts = np.linspace(-_STEEPEST, _STEEPEST, 49)
    # [drifts, offsets, notes] of cells in an octave
    cells = np.rint(
        (exact - drifts[:, None, None] * seconds - offsets[:, None]) % 12 / _CELL
    ).astype(np.int64)
    table = _scale_table()
    cells %= table.shape[1]
    scores = np.stack([(scale[cells] * weights).sum(axis=2) for scale in table])
    scores -= np.abs(drifts)[:, None] / _USUAL_DRIFT
    # Of two keys a semitone apart, the likelier is the one that the voice is nearer to while it
    # still has its reference.
    held = offsets + drifts[:, None] * min(float(seconds.max()) / 2, _HELD_SECONDS)
    scores -= np.maximum(np.abs(held) - 0.5, 0.0) / _CELL + 2.0 * np.square(held / 0.5)
    _, drift, offset = np.unravel_index(int(scores.argmax()), scores.shape)
    return _refined(exact, seconds, weights, float(offsets[offset]), float(drifts[drift]))


def _steady_offset(exact: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """The circular mean of the distances from the semitones, −0.5…0.5."""
    return float(np.angle((weights * np.exp(2j * np.pi * exact)).sum()) / (2 * np.pi))


def _refined(
    exact: NDArray[np.float64],
    seconds: NDArray[np.float64],
    weights: NDArray[np.float64],
    offset: float,
    drift: float,
) -> Tuning:
    """The same tuning to a cent: by least squares over the notes that are near a semitone."""
    left = exact - offset - drift * seconds
    distances = left - np.rint(left)
    near = weights * (np.abs(distances) < 0.35)
    if near.sum() > 0:
        if drift:
            rows = np.stack([np.ones_like(seconds), seconds], axis=1) * np.sqrt(near)[:, None]
            more, steeper = np.linalg.lstsq(rows, distances * np.sqrt(near), rcond=None)[0]
        else:
            more, steeper = (near * distances).sum() / near.sum(), 0.0
        offset, drift = offset + float(more), drift + float(steeper)
    left = exact - offset - drift * seconds
    distances = left - np.rint(left)
    spread = float(np.sqrt((weights * np.square(distances)).sum() / weights.sum()))
    return Tuning(offset, drift, spread)


def _scale_table() -> NDArray[np.float64]:
    """Logarithm of how likely a sung pitch is in each scale: `[12 scales, cells of an octave]`."""
    cells = np.arange(round(12 / _CELL)) * _CELL
    distances = (cells - np.arange(12)[:, None] + 6) % 12 - 6
    bumps = np.exp(-0.5 * np.square(distances / _SPREAD))  # [12 semitones, cells]
    in_scale = np.isin(np.arange(12), DIATONIC)
    shares = np.where(in_scale, IN_SCALE / 7, (1 - IN_SCALE) / 5)
    table = np.stack([np.roll(shares, tonic) @ bumps for tonic in range(12)])
    flat = _OUTLIERS / 12
    return np.asarray(np.log((1 - _OUTLIERS) * table / (_SPREAD * np.sqrt(2 * np.pi)) + flat))
