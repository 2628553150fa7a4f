"""How near a transcription is to the notes that were meant."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bridge.chroma import STEP_SECONDS, note_chroma, note_pitch_classes
from bridge.melody.key import Key
from bridge.timing import Note

ONSET_SECONDS = 0.05
TEMPO_SHARE = 0.03
_SECONDS_BPM = Fraction(60)
"""At this tempo a beat is a second."""

Sung = tuple[float, float, int]


def note_f_measure(meant: Sequence[Sung], found: Sequence[Sung]) -> float:
    """The F-measure of onset and pitch, as `mir_eval.transcription` has it without offsets.

    A note is found where a note of the same pitch begins within 50 ms of it, to a tenth of a
    millisecond as there; each counts once.
    """
    if not meant or not found:
        return 0.0
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_bipartite_matching

    near = [
        [
            round(abs(start - other_start), 4) <= ONSET_SECONDS and pitch == other_pitch
            for other_start, _, other_pitch in found
        ]
        for start, _, pitch in meant
    ]
    matched = maximum_bipartite_matching(csr_matrix(np.array(near)), perm_type="column")
    return 2 * int((matched >= 0).sum()) / (len(meant) + len(found))


def steps_of(notes: Sequence[Sung], seconds: float) -> NDArray[np.int64]:
    """The meant pitch class of each step of 128 ms, −1 in rests."""
    return note_pitch_classes(_in_beats(notes), _SECONDS_BPM, _steps(seconds))


def leading_steps(notes: Sequence[Sung], seconds: float) -> NDArray[np.int64]:
    """The pitch class that leads at each step of 128 ms: rests hold the last one."""
    chroma = note_chroma(_in_beats(notes), _SECONDS_BPM, _steps(seconds))
    return np.asarray(chroma.argmax(axis=1))


def key_score(meant: Key, found: Key | None) -> float:
    """1 for the key, 0.5 for its relative key, else 0. Modes with a minor third count as minor."""
    if found is None:
        return 0.0
    wanted_minor, is_minor = ((key.tonic + 3) % 12 in key.pitch_classes for key in (meant, found))
    if found.tonic == meant.tonic and wanted_minor == is_minor:
        return 1.0
    relative = (meant.tonic + (3 if wanted_minor else 9)) % 12
    return 0.5 if found.tonic == relative and wanted_minor != is_minor else 0.0


def is_tempo(meant_bpm: Fraction, found_bpm: Fraction | None) -> bool:
    """Whether a tempo is within 3 % of the meant one, its double or its half."""
    if found_bpm is None:
        return False
    ratio = float(found_bpm / meant_bpm)
    return any(abs(ratio / octave - 1) <= TEMPO_SHARE for octave in (0.5, 1.0, 2.0))


def _steps(seconds: float) -> int:
    return 1 + int(seconds / STEP_SECONDS)


def _in_beats(notes: Sequence[Sung]) -> list[Note]:
    return [
        Note(Fraction(start), Fraction(max(length, 1e-3)), pitch) for start, length, pitch in notes
    ]
