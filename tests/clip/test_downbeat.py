"""Kick, snare, harmony and melody show the bar line; in doubt it is the earliest line."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bridge.chroma import note_pitch_classes
from bridge.clip.fit import fit_to_grid
from bridge.timing import Meter, Note
from tests.clip import material
from tests.clip.material import Floats, drums, plucks, stereo

BEAT = 0.5
"""Seconds, at 120 bpm."""


def start_of(*parts: Floats, meter: str = "4/4", **known: object) -> float:
    classes = known.get("melody_classes")
    assert classes is None or isinstance(classes, np.ndarray)
    fitted = fit_to_grid(
        stereo(*parts),
        bars=3,
        tempo_bpm=Fraction(120),
        meter=Meter.parse(meter),
        melody_classes=classes,
    )
    assert fitted.fitted
    return fitted.source_offset_seconds


def one_kick_a_bar(seconds: float, late: float, bar_beats: float = 4) -> Floats:
    """Hats on every eighth, a kick on the first beat only."""
    out = np.zeros(int(seconds * material.RATE))
    rng = np.random.default_rng(0)
    for eighth in range(-8, int(seconds / BEAT * 2)):
        material.add(out, material.hat(rng), late + eighth * BEAT / 2)
    for bar in range(-1, int(seconds / BEAT / bar_beats) + 1):
        material.add(out, 1.5 * material.kick(), late + bar * bar_beats * BEAT)
    return out


@pytest.mark.parametrize("late_beats", [0, 0.25, 0.5, 1, 1.5, 2, 3])
def test_a_kick_marks_the_bar(late_beats: float) -> None:
    late = late_beats * BEAT
    assert start_of(one_kick_a_bar(9, late)) == pytest.approx(late, abs=0.005)


@pytest.mark.parametrize(("meter", "bar_beats"), [("3/4", 3), ("7/8", 3.5), ("6/8", 3)])
def test_other_meters_have_their_own_bars(meter: str, bar_beats: float) -> None:
    late = 1.0 * BEAT
    start = start_of(one_kick_a_bar(9, late, bar_beats), meter=meter)
    assert start == pytest.approx(late, abs=0.005)


def test_a_back_beat_distinguishes_the_bar_line_from_its_second_beat() -> None:
    """With a kick on every beat the snare decides: a beat with a snare is not the bar line."""
    rng = np.random.default_rng(0)
    out = np.zeros(9 * material.RATE)
    for beat in range(18):
        material.add(out, material.kick(), beat * BEAT)
        if beat % 2 == 0:
            material.add(out, 1.5 * material.snare(rng), beat * BEAT)
    assert start_of(out) == pytest.approx(BEAT, abs=0.005)


def test_chords_change_on_the_bar() -> None:
    """Broken chords without drums: every note is as loud as any other."""
    bars = ((60, 64, 67), (57, 60, 65), (55, 59, 62), (57, 60, 64))
    notes = tuple(chord[eighth % 3] for chord in bars for eighth in range(8))
    begun_late = notes[6:] + notes[:6]
    assert start_of(plucks(120, 9, begun_late)) == pytest.approx(2 * BEAT / 2, abs=0.005)


def test_a_bar_begins_on_a_beat_that_is_played() -> None:
    """One soft note a beat: the three lines between two of them are no bar lines."""
    t = np.arange(material.RATE // 4) / material.RATE
    note = np.sin(2 * np.pi * 500 * t) * np.exp(-t / 0.05) * np.minimum(1, t / 0.005)
    out = np.zeros(9 * material.RATE)
    for beat in range(17):
        material.add(out, note, (beat + 0.75) * BEAT)
    assert start_of(out) == pytest.approx(0.75 * BEAT, abs=0.005)


def test_in_doubt_the_earliest_line_wins() -> None:
    """Hats alone do not show the bar."""
    out = np.zeros(9 * material.RATE)
    for eighth in range(36):
        material.add(out, material.hat(np.random.default_rng(eighth)), 0.1 + eighth * BEAT / 2)
    assert start_of(out) == pytest.approx(0.1, abs=0.005)


def test_the_melody_outweighs_a_beat_that_fits_twice() -> None:
    """Half a bar later the drums are the same, but the tune is not."""
    pitches = (60, 62, 64, 65, 67, 69, 71, 72)
    late = 2 * BEAT
    tune = plucks(120, 9, pitches, step_beats=1.0, first_bar_seconds=late)
    beat = drums(120, 9, first_bar_seconds=late)
    notes = [Note(Fraction(i), Fraction(1), pitches[i % 8]) for i in range(12)]
    classes = note_pitch_classes(notes, Fraction(120), 46)
    assert start_of(0.4 * beat, 2 * tune) == pytest.approx(0.0, abs=0.005)
    led = start_of(0.4 * beat, 2 * tune, melody_classes=classes)
    assert led == pytest.approx(late, abs=0.005)


def test_a_bar_line_just_before_the_audio_is_not_skipped() -> None:
    """The model began 20 ms late: the next bar line is the wrong one."""
    start = start_of(one_kick_a_bar(9, -0.02))
    assert start == pytest.approx(-0.02, abs=0.005)


def test_a_bar_line_that_leaves_too_little_audio_is_not_taken() -> None:
    """Three bars are 6 s; of 6.5 s nothing after 0.5 s can begin a clip."""
    start = start_of(one_kick_a_bar(6.5, 3 * BEAT))
    assert -0.03 <= start <= 0.5
