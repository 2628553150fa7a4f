"""From a melody file to the chroma that conditions the model, aligned to the clip's bars."""

from bridge.melody.align import AlignedMelody, align_to_bars
from bridge.melody.allowed_paths import allowed_path, usual_roots
from bridge.melody.cut import cut
from bridge.melody.part import OFFERED_SECONDS, leading_silence_seconds, part_of
from bridge.melody.read import MIDI_SUFFIXES, read_melody

__all__ = [
    "MIDI_SUFFIXES",
    "OFFERED_SECONDS",
    "AlignedMelody",
    "align_to_bars",
    "allowed_path",
    "cut",
    "leading_silence_seconds",
    "part_of",
    "read_melody",
    "usual_roots",
]
