"""The tempo of onsets."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

SLOWEST_BPM, FASTEST_BPM = 60, 180
FEWEST_ONSETS = 5

_TEMPO_STEP = 0.005
_LONGEST_SECONDS = 4.0
"""Onsets further apart are not compared: nobody keeps a tempo by heart for long."""
_USUAL_BPM, _USUAL_OCTAVES = 110.0, 0.9
"""People prefer tempos around 2 Hz (van Noorden and Moelants, JNMR 28, 1999)."""


def find_tempo(onsets: NDArray[np.float64]) -> tuple[Fraction | None, float]:
    """The tempo at which onsets lie on beats and half beats.

    The distance of each two onsets is compared with whole numbers of beats and of half beats. Half
    beats alone would do as well for three halves of the tempo, beats alone for twice.

    Args:
        onsets: float64 `[onsets]`, seconds, ascending.

    Returns:
        The tempo, 60…180 bpm, to a tenth, and the confidence in it, 0…1; None and 0 for fewer than
        five onsets.
    """
    if len(onsets) < FEWEST_ONSETS:
        return None, 0.0
    distances = (onsets[None, :] - onsets[:, None])[np.triu_indices(len(onsets), 1)]
    distances = distances[distances <= _LONGEST_SECONDS]
    if not len(distances):
        return None, 0.0
    tempos = np.exp(np.arange(np.log(SLOWEST_BPM), np.log(FASTEST_BPM), _TEMPO_STEP))
    beats = distances * tempos[:, None] / 60
    weights = 1 / (1 + distances)
    weights /= weights.sum()
    on_beats = np.cos(2 * np.pi * beats) @ weights
    on_halves = np.cos(4 * np.pi * beats) @ weights
    octaves = np.log2(tempos / _USUAL_BPM) / _USUAL_OCTAVES
    scores = on_beats + on_halves - 0.2 * np.square(octaves)
    best = int(scores.argmax())
    confidence = float(np.clip((on_beats[best] + on_halves[best]) / 2, 0.0, 1.0))
    return Fraction(round(10 * float(tempos[best])), 10), confidence
