"""Musical keys: the key of a melody's notes, and which notes are in a key."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KEY_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
"""A name for each tonic, of those that `pocket` knows as words of a prompt."""
MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "ionian": (0, 2, 4, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "aeolian": (0, 2, 3, 5, 7, 8, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
}
"""Semitones above the tonic, by mode: the modes of the option `key`."""

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"": 0, "#": 1, "b": -1}
_PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
"""How well each pitch class fits a key, from its tonic: Krumhansl and Kessler, "Tracing the dynamic
changes in perceived tonal organization in a spatial representation of musical keys", 1982."""
_IN_SCALE, _LAST_NOTE, _FIRST_NOTE = 1.0, 0.15, 0.05
"""Weights beside the correlation: of the share of time that is in the key's scale, of a last note
and of a first note that are the tonic."""
_CLEAR = 0.3
"""A key that fits this much better than any of another scale is sure."""
_FEWEST_CLASSES = 3


@dataclass(frozen=True)
class Key:
    """A key.

    Attributes:
        tonic: pitch class, 0 (C) to 11 (B).
        mode: one of `MODES`.
    """

    tonic: int
    mode: str

    def __str__(self) -> str:
        return f"{KEY_NAMES[self.tonic]} {self.mode}"

    @property
    def pitch_classes(self) -> frozenset[int]:
        """The seven pitch classes of its scale."""
        return frozenset((self.tonic + step) % 12 for step in MODES[self.mode])

    @classmethod
    def parse(cls, text: str) -> Key:
        """Read what the option `key` gives: a letter, an accidental (`#` or `b`), and a mode."""
        name, mode = text.split()
        return cls((_LETTERS[name[0]] + _ACCIDENTALS[name[1:]]) % 12, mode)


def find_key(pitches: NDArray[np.int64], seconds: NDArray[np.float64]) -> tuple[Key | None, float]:
    """The major or minor key that notes are in.

    A key's score is the correlation of its profile with the time that each pitch class sounds, the
    share of that time which is in its scale, and a melody's habit of ending, and less often of
    beginning, on its tonic.

    Args:
        pitches: int64 `[notes]`, MIDI note numbers, in the order of the notes.
        seconds: float64 `[notes]`, their lengths, positive.

    Returns:
        The key and the confidence in it, 0…1; None and 0 for fewer than three pitch classes.
    """
    classes = pitches % 12
    if len(set(classes.tolist())) < _FEWEST_CLASSES:
        return None, 0.0
    times = np.bincount(classes, weights=seconds, minlength=12)
    keys = [Key(tonic, mode) for mode in _PROFILES for tonic in range(12)]
    scores = np.array([
        np.corrcoef(np.roll(_PROFILES[key.mode], key.tonic), times)[0, 1]
        + _IN_SCALE * times[sorted(key.pitch_classes)].sum() / times.sum()
        + _LAST_NOTE * (classes[-1] == key.tonic)
        + _FIRST_NOTE * (classes[0] == key.tonic)
        for key in keys
    ])  # fmt: skip
    best = int(scores.argmax())
    scale = keys[best].pitch_classes
    others = [score for key, score in zip(keys, scores, strict=True) if key.pitch_classes != scale]
    return keys[best], float(np.clip((scores[best] - max(others)) / _CLEAR, 0.0, 1.0))
