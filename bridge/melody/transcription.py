"""What a transcription is: the notes that a recording means, and what they say of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from bridge.melody.key import Key


@dataclass(frozen=True)
class TranscribedNote:
    """One note of a recording.

    Attributes:
        start_seconds: from frame 0, 0 or more.
        seconds: length, positive.
        pitch: MIDI note number, 0…127.
        cents: how far the sound is above that pitch, before the tuning is taken off and before the
            note is moved; negative below.
        velocity: 1…127, from its level.
        confidence: 0…1: how sure its pitch is.
    """

    start_seconds: float
    seconds: float
    pitch: int
    cents: float
    velocity: int
    confidence: float


@dataclass(frozen=True)
class Transcription:
    """The notes of a recording.

    Attributes:
        notes: in order; no two overlap.
        tuning_cents: how far the recording is above concert pitch at its start, −50…50.
        key: the key that was given, or that was found; None: neither.
        key_confidence: 0…1; 1 for a key that was given.
        tempo_bpm: the tempo of the onsets, 60…180; None: there are too few of them.
        tempo_confidence: 0…1.
        is_melody: False where the sound is no single voice: it has chords or no pitch. Then its
            own chroma leads, not the notes.
        moved: number of notes that are not at the nearest semitone, once the tuning is taken off.
        remarks: a sentence each for what was changed, or why nothing was heard.
    """

    notes: tuple[TranscribedNote, ...]
    tuning_cents: float
    key: Key | None
    key_confidence: float
    tempo_bpm: Fraction | None
    tempo_confidence: float
    is_melody: bool
    moved: int
    remarks: tuple[str, ...]
