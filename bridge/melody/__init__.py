"""From a melody file to the chroma that leads the model, on the clip's bars."""

from bridge.melody.align import Placed, place
from bridge.melody.allowed_paths import permitted, usual_roots
from bridge.melody.cut import cut
from bridge.melody.read import MIDI_SUFFIXES, read_melody

__all__ = ["MIDI_SUFFIXES", "Placed", "cut", "permitted", "place", "read_melody", "usual_roots"]
