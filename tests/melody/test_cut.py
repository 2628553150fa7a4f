"""A part of a file as the melody: start, length, and wrapping around the end of a loop."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.errors import BadArgument, SilentMelody
from bridge.melody import cut
from bridge.timing import Note, Take

RATE = 1000


def audio(seconds: float = 4.0) -> Take:
    """Noise, with the frame's number in the second channel."""
    frames = round(seconds * RATE)
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, frames)
    samples = np.stack([noise, np.arange(frames) / frames], axis=1).astype(np.float32)
    return Take(Waveform(samples, RATE), name="hum.wav")


def samples(take: Take) -> NDArray[np.float32]:
    assert isinstance(take.source, Waveform)
    return take.source.samples


def test_a_part_of_audio_has_exactly_its_frames() -> None:
    uncut = audio()
    part = cut(uncut, start_seconds=1.0, length_seconds=0.5)
    assert np.array_equal(samples(part), samples(uncut)[1000:1500])
    rest = cut(uncut, start_seconds=1.0, length_seconds=None)
    assert np.array_equal(samples(rest), samples(uncut)[1000:])
    past = cut(uncut, start_seconds=3.0, length_seconds=9.0)
    assert np.array_equal(samples(past), samples(uncut)[3000:])


def test_a_loop_that_begins_inside_goes_on_from_its_start() -> None:
    uncut = audio()
    part = cut(uncut, start_seconds=3.0, length_seconds=2.0, wrap=True)
    expected = np.concatenate([samples(uncut)[3000:], samples(uncut)[:1000]])
    assert np.array_equal(samples(part), expected)
    once = cut(uncut, start_seconds=3.0, length_seconds=None, wrap=True)
    assert len(samples(once)) == 4000


def test_a_start_past_the_end_names_the_length() -> None:
    with pytest.raises(BadArgument, match=r"start_seconds 5: hum\.wav is 4\.00 seconds long"):
        cut(audio(), start_seconds=5.0, length_seconds=None)


def test_a_silent_part_is_an_error() -> None:
    waveform = Waveform(np.zeros((4000, 1), np.float32), RATE)
    waveform.samples[:1000] = np.random.default_rng(1).uniform(-0.5, 0.5, (1000, 1))
    with pytest.raises(SilentMelody, match="silent in that part"):
        cut(Take(waveform), start_seconds=2.0, length_seconds=None)


NOTES = tuple(Note(Fraction(beat), Fraction(1), 60 + beat) for beat in range(4))


def test_notes_are_cut_at_their_own_tempo_and_moved_to_the_start() -> None:
    take = Take(NOTES, tempo_bpm=Fraction(60))
    part = cut(take, start_seconds=1.5, length_seconds=1.0)
    assert part.source == (
        Note(Fraction(0), Fraction(1, 2), 61),
        Note(Fraction(1, 2), Fraction(1, 2), 62),
    )
    assert part.length_beats == 1


def test_notes_of_a_loop_go_on_from_its_start() -> None:
    take = Take(NOTES, tempo_bpm=Fraction(60))
    part = cut(take, start_seconds=3.0, length_seconds=2.0, wrap=True)
    assert part.source == (
        Note(Fraction(0), Fraction(1), 63),
        Note(Fraction(1), Fraction(1), 60),
    )


def test_a_part_without_a_note_and_a_start_past_the_last_are_errors() -> None:
    take = Take((NOTES[0], NOTES[3]), tempo_bpm=Fraction(60))
    with pytest.raises(SilentMelody, match="no note"):
        cut(take, start_seconds=1.5, length_seconds=1.0)
    with pytest.raises(BadArgument, match=r"4\.00 seconds long"):
        cut(take, start_seconds=4.0, length_seconds=1.0)
