"""The variation that follows the melody comes first."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from bridge.chroma import note_pitch_classes
from bridge.clip import rank
from bridge.timing import Note
from tests.clip.material import drums, pad, plucks, stereo

TUNE = (60, 62, 64, 67, 65, 64, 62, 60)
NOTES = [Note(Fraction(i), Fraction(1), TUNE[i % 8]) for i in range(8)]
CLASSES = note_pitch_classes(NOTES, Fraction(120), 31)


def test_the_clip_that_follows_the_melody_comes_first() -> None:
    follows = stereo(plucks(120, 4, TUNE, step_beats=1.0))
    half = stereo(plucks(120, 4, (60, 62, 64, 67, 66, 66, 66, 66), step_beats=1.0))
    other = stereo(plucks(120, 4, tuple(pitch + 1 for pitch in TUNE), step_beats=1.0))
    ranked = rank([other, half, follows], CLASSES)
    assert [one.index for one in ranked] == [2, 1, 0]
    assert ranked[0].melody_similarity > 0.7
    assert ranked[2].melody_similarity < 0.2


def test_equal_clips_keep_their_order() -> None:
    clips = [stereo(drums(120, 2, seed=seed)) for seed in range(3)]
    silence = stereo(np.zeros(64_000))
    assert [one.index for one in rank([silence, silence], CLASSES)] == [0, 1]
    assert [one.index for one in rank(clips, None)] == [0, 1, 2]


def test_without_a_melody_there_is_no_similarity() -> None:
    rests = np.full(31, -1, np.int64)
    for classes in (None, rests):
        (one,) = rank([stereo(pad(2))], classes)
        assert math.isnan(one.melody_similarity)


def test_no_clips_give_an_empty_ranking() -> None:
    assert rank([], CLASSES) == ()


def test_a_clip_without_clicks_comes_before_one_that_follows_alike() -> None:
    follows = stereo(plucks(120, 4, TUNE, step_beats=1.0))
    other = stereo(plucks(120, 4, tuple(pitch + 1 for pitch in TUNE), step_beats=1.0))
    assert [one.index for one in rank([follows, follows], CLASSES, [1, 0])] == [1, 0]
    assert [one.index for one in rank([follows, other], CLASSES, [1, 0])] == [0, 1]
    assert [one.index for one in rank([follows, follows, other], None, [2, 0, 1])] == [1, 2, 0]
