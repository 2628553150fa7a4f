"""A melody as a raw clip follows it: in its own time from its first frame, on no bars."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np

from bridge.audio import Waveform
from bridge.chroma import (
    STEP_SECONDS,
    WINDOW_SECONDS,
    audio_chroma,
    note_chroma,
    note_pitch_classes,
    pitch_classes,
)
from bridge.errors import SilentMelody
from bridge.melody.align import AlignedMelody
from bridge.timing import Lead, Take, beats_to_seconds


def raw_melody(
    take: Take, *, seconds: float, tempo_bpm: Fraction, lead: Lead = "highest"
) -> AlignedMelody:
    """The chroma of a melody as it is: what transformers' feature extractor makes of a recording.

    It repeats in whole steps of 128 ms where it is shorter than the clip, as in transformers.

    Args:
        seconds: the clip's length. Over 30, the model's window, the whole melody counts, and its
            rests hold the last pitch class; the extractor takes no more than 30.
        tempo_bpm: of the beats of notes; a recording keeps its own time.
        lead: which of several notes at a time is the melody.

    Raises:
        SilentMelody: nothing sounds in it.
    """
    steps = ceil(seconds / STEP_SECONDS)
    if isinstance(take.source, Waveform):
        chroma = audio_chroma(take.source, strict=seconds <= WINDOW_SECONDS)
        classes = pitch_classes(take.source)
    else:
        length_seconds = float(beats_to_seconds(take.end_beats, tempo_bpm))
        own_steps = max(1, ceil(length_seconds / STEP_SECONDS))
        chroma = note_chroma(take.source, tempo_bpm, own_steps, lead)
        classes = note_pitch_classes(take.source, tempo_bpm, own_steps, lead)
    if not (classes[:steps] >= 0).any():
        raise SilentMelody(
            f"{take.name} has no sounding note in the clip's {seconds:g} s: "
            "cut the silence before its first note, or ask for more seconds"
        )
    return AlignedMelody(chroma=chroma, classes=np.resize(classes, steps), remarks=())
