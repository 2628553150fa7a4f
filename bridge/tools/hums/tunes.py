"""The tunes of the made hums: old songs in the public domain, and lines for instruments.

Thresholds were chosen on twelve of the songs, and on none of the six that are held out.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.melody.key import Key

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True)
class Tune:
    """A written melody.

    Attributes:
        name: its name.
        notes: start and length in beats, and MIDI note number, in order; no two overlap.
        key: its key; None: it is in none.
    """

    name: str
    notes: tuple[tuple[float, float, int], ...]
    key: Key | None

    def transposed(self, semitones: int) -> Tune:
        """The same tune that many semitones higher."""
        notes = tuple((start, length, pitch + semitones) for start, length, pitch in self.notes)
        key = self.key and Key((self.key.tonic + semitones) % 12, self.key.mode)
        return Tune(self.name, notes, key)


def _tune(name: str, key: str | None, text: str) -> Tune:
    """Read notes such as `F#4:1.5`: a name, an octave, and a length in beats that is 1 if left out.

    `-` is a rest.
    """
    notes, beat = [], 0.0
    for word in text.split():
        pitch, _, length = word.partition(":")
        beats = float(length or 1)
        if pitch != "-":
            accidental = {"#": 1, "b": -1}.get(pitch[1], 0)
            number = 12 * (int(pitch[-1]) + 1) + _LETTERS[pitch[0]] + accidental
            notes.append((beat, beats, number))
        beat += beats
    return Tune(name, tuple(notes), Key.parse(key) if key else None)


SONGS = (
    _tune("Twinkle", "C major", "C4 C4 G4 G4 A4 A4 G4:2 F4 F4 E4 E4 D4 D4 C4:2"),
    _tune("Frère Jacques", "C major", "C4 D4 E4 C4 C4 D4 E4 C4 E4 F4 G4:2 E4 F4 G4:2"),
    _tune(
        "Ode to Joy",
        "C major",
        "E4 E4 F4 G4 G4 F4 E4 D4 C4 C4 D4 E4 E4:1.5 D4:.5 D4:2 "
        "E4 E4 F4 G4 G4 F4 E4 D4 C4 C4 D4 E4 D4:1.5 C4:.5 C4:2",
    ),
    _tune(
        "Au clair de la lune",
        "C major",
        "C4 C4 C4 D4 E4:2 D4:2 C4 E4 D4 D4 C4:4 C4 C4 C4 D4 E4:2 D4:2 C4 E4 D4 D4 C4:4",
    ),
    _tune(
        "Amazing Grace",
        "G major",
        "D4 G4:2 B4:.5 G4:.5 B4:2 A4 G4:2 E4 D4:2 D4 G4:2 B4:.5 G4:.5 B4:2 A4 D5:5 "
        "B4 D5:1.5 B4:.5 D5:.5 B4:.5 G4:2 D4 E4:1.5 G4:.5 G4:.5 E4:.5 D4:2 D4 "
        "G4:2 B4:.5 G4:.5 B4:2 A4 G4:5",
    ),
    _tune(
        "Auld Lang Syne",
        "F major",
        "C4 F4:1.5 F4:.5 F4 A4 G4:1.5 F4:.5 G4 A4 F4:1.5 F4:.5 A4 C5 D5:3 "
        "D5 C5:1.5 A4:.5 A4 F4 G4:1.5 F4:.5 G4 A4 F4:1.5 D4:.5 D4 C4 F4:3",
    ),
    _tune(
        "Oh! Susanna",
        "C major",
        "C4:.5 D4:.5 E4 G4 G4:1.5 A4:.5 G4 E4 C4:1.5 D4:.5 E4 E4 D4 C4 D4:3 "
        "C4:.5 D4:.5 E4 G4 G4:1.5 A4:.5 G4 E4 C4:1.5 D4:.5 E4 E4 D4 D4 C4:3",
    ),
    _tune("Scarborough Fair", "D dorian", "D4:2 D4 A4:2 A4 E4:1.5 F4:.5 E4 D4:3 - A4 C5 D5:2 C5 A4 "
          "B4 G4 A4:5 - D5:2 A4 G4:2 F4 E4 D4 C4 D4:5"),
    _tune(
        "Greensleeves",
        "A minor",
        "A4 C5:2 D5 E5:1.5 F5:.5 E5 D5:2 B4 G4:1.5 A4:.5 B4 C5:2 A4 A4:1.5 G#4:.5 A4 B4:2 G#4 E4:2 "
        "A4 C5:2 D5 E5:1.5 F5:.5 E5 D5:2 B4 G4:1.5 A4:.5 B4 C5:1.5 B4:.5 A4 G#4:1.5 F#4:.5 G#4 "
        "A4:3",
    ),
    _tune(
        "God Rest Ye Merry",
        "E minor",
        "E4 E4 B4 B4 A4 G4 F#4 E4 D4 E4 F#4 G4 A4 B4:3 E4 E4 B4 B4 A4 G4 F#4 E4 D4 E4 F#4 G4 A4 "
        "B4:3 B4 C5 A4 B4 C5 D5 E5 B4 A4 G4 E4 F#4 G4 A4:2 G4:.5 F#4:.5 E4:3",
    ),
    _tune(
        "Korobeiniki",
        "A minor",
        "E5 B4:.5 C5:.5 D5 C5:.5 B4:.5 A4 A4:.5 C5:.5 E5 D5:.5 C5:.5 B4:1.5 C5:.5 D5 E5 C5 A4 A4:2",
    ),
    _tune(
        "House of the Rising Sun",
        "A minor",
        "A3 A3:2 B3 C4:2 E4:.5 D4:.5 A3:5 A4 A4:2 A4 G4:2 E4:.5 D4:.5 E4:5 "
        "A4 A4:2 A4 G4:2 E4:.5 D4:.5 A3:5 A3 A3:2 C4:.5 A3:.5 G#3:2 G#3 A3:5",
    ),
)  # fmt: skip
HELD_OUT_SONGS = (
    _tune(
        "London Bridge",
        "C major",
        "G4:1.5 A4:.5 G4 F4 E4 F4 G4:2 D4 E4 F4:2 E4 F4 G4:2 "
        "G4:1.5 A4:.5 G4 F4 E4 F4 G4:2 D4:2 G4:2 E4 C4:3",
    ),
    _tune(
        "Jingle Bells",
        "C major",
        "E4 E4 E4:2 E4 E4 E4:2 E4 G4 C4:1.5 D4:.5 E4:4 F4 F4 F4:1.5 F4:.5 F4 E4 E4 E4:.5 E4:.5 "
        "G4 G4 F4 D4 C4:4",
    ),
    _tune(
        "When the Saints Go Marching In",
        "C major",
        "C4 E4 F4 G4:5 C4 E4 F4 G4:5 C4 E4 F4 G4:2 E4:2 C4:2 E4:2 D4:5 "
        "E4 E4 D4 C4:3 C4 E4:2 G4 G4 F4:4 E4 F4 G4:2 E4:2 C4:2 D4:2 C4:4",
    ),
    _tune(
        "Drunken Sailor",
        "D dorian",
        "A4 A4:.5 A4:.5 A4 A4:.5 A4:.5 A4 D4 F4 A4 G4 G4:.5 G4:.5 G4 G4:.5 G4:.5 G4 C4 E4 G4 "
        "A4 A4:.5 A4:.5 A4 A4:.5 A4:.5 A4 B4 C5 D5 C5 A4 G4 E4 D4:2 D4:2",
    ),
    _tune(
        "Old MacDonald",
        "G major",
        "G4 G4 G4 D4 E4 E4 D4:2 B4 B4 A4 A4 G4:3 D4 G4 G4 G4 D4 E4 E4 D4:2 B4 B4 A4 A4 G4:4",
    ),
    _tune(
        "We Three Kings",
        "E minor",
        "B4:2 A4 G4:2 E4 F#4 G4 F#4 E4:3 B4:2 A4 G4:2 E4 F#4 G4 F#4 E4:3 "
        "G4:2 G4 A4:2 A4 B4:2 B4 D5 C5 B4 A4 B4 A4 G4:2 F#4 E4:3",
    ),
)
LINES = (
    _tune(
        "Chromatic line",
        None,
        "C4 C#4 D4 D#4 E4 F4 F#4 G4 C5 B4 Bb4 A4 Ab4 G4 C4:2 C#4:.5 E4:.5 Eb4:.5 F#4:.5 F4 B3 C4:2",
    ),
    _tune(
        "Octave leaps",
        "C major",
        "C4:.5 C5:.5 C4:.5 C5:.5 A3:.5 A4:.5 A3:.5 A4:.5 F4:.5 F3:.5 F4:.5 F3:.5 G3:.5 G4:.5 G3:.5 "
        "G4:.5 C4 C5 E4 E5 D4:.5 D5 D4:.5 C4:2",
    ),
    _tune(
        "Blues line",
        None,
        "C4 Eb4:.5 F4:.5 F#4:.5 G4 Bb4:.5 C5:2 B4:.5 Bb4 G4:.5 F#4:.5 F4:.5 Eb4 C4:2 "
        "E4:.5 Eb4:.5 C4:3",
    ),
)
