"""From a melody file to the chroma that leads the model, on the clip's bars."""

from bridge.melody.grid import Placed, place
from bridge.melody.read import read_melody

__all__ = ["Placed", "place", "read_melody"]
