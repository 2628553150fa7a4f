"""Onsets that are pulled to the grid of a tempo."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bridge.melody.transcription import TranscribedNote

GRIDS_BEATS = (1.0, 0.5, 0.25)
"""Distances between grid lines: quarter, eighth and sixteenth notes."""

_MOST_SPREAD = 0.2
"""Of the distance between lines. Onsets that scatter more are on a finer grid."""
_TOUCHING_SECONDS = 0.05
_SHORTEST_SECONDS = 0.03


def quantized(
    notes: tuple[TranscribedNote, ...],
    strength: float,
    *,
    tempo_bpm: Fraction,
    first_beat_seconds: float,
) -> tuple[TranscribedNote, ...]:
    """Pull the onsets of notes toward the grid.

    The grid is the coarsest that the onsets fit, as a whole late or early by less than half of it:
    then a line of quarter notes that comes in 120 ms late belongs to the beats, not to the
    sixteenths after them.

    Args:
        notes: in order.
        strength: 0 (no change)…1 (onto the grid).
        tempo_bpm: of the grid.
        first_beat_seconds: a bar line, in seconds from frame 0.

    Returns:
        As many notes, in order; no two overlap, and none begins before frame 0. A note that
        touches the next one still does.
    """
    if not notes or strength == 0:
        return notes
    beat_seconds = float(60 / tempo_bpm)
    starts = np.array([note.start_seconds for note in notes])
    ends = np.array([note.start_seconds + note.seconds for note in notes])
    lines = first_beat_seconds + beat_seconds * _lines((starts - first_beat_seconds) / beat_seconds)
    pulled = np.maximum(starts + strength * (lines - starts), 0.0)
    for index in range(1, len(pulled)):
        pulled[index] = max(pulled[index], pulled[index - 1] + _SHORTEST_SECONDS)
    after = np.append(starts[1:], np.inf)
    pulled_after = np.append(pulled[1:], np.inf)
    follows = after - ends <= _TOUCHING_SECONDS
    new_ends = np.where(follows, pulled_after, np.minimum(ends, pulled_after))
    lengths = np.maximum(new_ends - pulled, _SHORTEST_SECONDS)
    return tuple(
        replace(note, start_seconds=start, seconds=seconds)
        for note, start, seconds in zip(notes, pulled.tolist(), lengths.tolist(), strict=True)
    )


def _lines(beats: NDArray[np.float64]) -> NDArray[np.float64]:
    """The line of each onset, in beats."""
    for grid in GRIDS_BEATS:
        phases = beats / grid
        late = float(np.angle(np.exp(2j * np.pi * phases).mean()) / (2 * np.pi))
        lines = np.rint(phases - late)
        spread = float(np.sqrt(np.square(phases - late - lines).mean()))
        if spread <= _MOST_SPREAD and (np.diff(lines) > 0).all():
            break
    return np.asarray(lines * grid)
