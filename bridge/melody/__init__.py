"""From a melody file to the chroma that leads the model, on the clip's bars."""

from bridge.melody.grid import Placed, place
from bridge.melody.read import MIDI_SUFFIXES, read_melody

__all__ = ["MIDI_SUFFIXES", "Placed", "place", "read_melody"]
