"""From a melody file to the chroma that conditions the model, aligned to the clip's bars."""

from bridge.melody.align import AlignedMelody, align_to_bars
from bridge.melody.allowed_paths import allowed_path, usual_roots
from bridge.melody.cut import cut
from bridge.melody.grid import quantized
from bridge.melody.key import Key
from bridge.melody.mixture import MIX_DB, MOST_LOST_DB, low_share_db
from bridge.melody.part import OFFERED_SECONDS, leading_silence_seconds, part_of
from bridge.melody.raw import raw_melody
from bridge.melody.read import MIDI_SUFFIXES, read_melody
from bridge.melody.transcribe import transcribe
from bridge.melody.transcription import TranscribedNote, Transcription

__all__ = [
    "MIDI_SUFFIXES",
    "MIX_DB",
    "MOST_LOST_DB",
    "OFFERED_SECONDS",
    "AlignedMelody",
    "Key",
    "TranscribedNote",
    "Transcription",
    "align_to_bars",
    "allowed_path",
    "cut",
    "leading_silence_seconds",
    "low_share_db",
    "part_of",
    "quantized",
    "raw_melody",
    "read_melody",
    "transcribe",
    "usual_roots",
]
