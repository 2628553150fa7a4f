"""Procedural music: the training material of `pocket`.

`compose` writes a score from a seed, `perform` renders it to stereo, `melody_alone` renders only
its melody with another sound, like a person who hums or plays it. Nothing here is a recording or
an existing tune: the music is drawn at random from scales, chords and rhythms.
"""

from bridge.pocket.music.hum import melody_alone
from bridge.pocket.music.mix import perform
from bridge.pocket.music.score import Part, Score, compose, with_other_drums

__all__ = ["Part", "Score", "compose", "melody_alone", "perform", "with_other_drums"]
