"""The key of notes."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.config import read_value
from bridge.melody.key import KEY_NAMES, MODES, Key, find_key
from bridge.pocket.music.score import KEY_NAMES as POCKET_NAMES
from bridge.tools.hums.tunes import SONGS


@pytest.mark.parametrize("text", ["A minor", "Eb major", "C# dorian", "Cb major", "b♭ lydian"])
def test_a_key_is_read_as_the_option_gives_it(text: str) -> None:
    key = Key.parse(read_value("key", text))
    assert len(key.pitch_classes) == 7 and key.tonic in key.pitch_classes
    assert Key.parse(str(key)) == key


def test_every_mode_of_the_option_is_known() -> None:
    for mode in MODES:
        assert Key.parse(read_value("key", f"D {mode}")) == Key(2, mode)
    assert KEY_NAMES == POCKET_NAMES, "pocket knows these names as words"


@pytest.mark.parametrize("song", SONGS, ids=lambda song: song.name)
def test_the_key_of_a_song_is_found_in_every_transposition(song: object) -> None:
    from bridge.tools.hums.scores import key_score
    from bridge.tools.hums.tunes import Tune

    assert isinstance(song, Tune) and song.key is not None
    for semitones in range(12):
        moved = song.transposed(semitones)
        assert moved.key is not None
        pitches = np.array([pitch for *_, pitch in moved.notes])
        seconds = np.array([length for _, length, _ in moved.notes])
        found, confidence = find_key(pitches, seconds)
        assert key_score(moved.key, found) == 1.0
        assert 0 <= confidence <= 1


def test_two_pitch_classes_are_in_no_key() -> None:
    assert find_key(np.array([60, 67, 72]), np.ones(3)) == (None, 0.0)
