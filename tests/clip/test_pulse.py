"""The played tempo is found precisely near the known one, or the result is None."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bridge.clip.fit import played_tempo
from bridge.clip.onsets import find_onsets
from bridge.clip.pulse import find_pulse
from bridge.timing import Meter
from tests.clip import material
from tests.clip.material import drums, pad, plucks, scattered, stereo

TUNE = (60, 64, 67, 0, 72, 71)


@pytest.mark.parametrize("tempo", range(70, 171, 10))
def test_the_tempo_finder_is_precise_from_70_to_170(tempo: int) -> None:
    """Five kinds of music, each at its own tempo: all within 0.3 %, the phase within 10 ms."""
    rng = np.random.default_rng(tempo)
    for kind in range(5):
        ratio = float(rng.uniform(0.93, 1.07))
        played, phase = tempo * ratio, float(rng.uniform(0, 60 / tempo))
        meter = ("4/4", "3/4", "7/8", "4/4", "4/4")[kind]
        beat = drums(played, 8, meter=meter, first_bar_seconds=phase, seed=kind)
        swung = drums(played, 8, first_bar_seconds=phase, swing=1 / 3)
        tune = plucks(played, 8, TUNE, first_bar_seconds=phase)
        parts = (
            (beat,),
            (beat, pad(8, seed=tempo)),
            (beat, tune),
            (swung,),
            (tune, pad(8, seed=tempo)),
        )[kind]
        pulse = find_pulse(find_onsets(stereo(*parts)), Fraction(tempo), Meter.parse(meter))
        assert pulse is not None, kind
        assert pulse.ratio == pytest.approx(ratio, rel=0.003), kind
        away = (pulse.phase_seconds - phase) % pulse.grid_seconds
        assert min(away, pulse.grid_seconds - away) < 0.010, kind


def test_the_played_tempo_is_in_beats_per_minute() -> None:
    played = played_tempo(stereo(drums(93.0, 8)), Fraction(90), Meter())
    assert played == pytest.approx(93.0, abs=0.1)


def test_double_and_half_the_tempo_are_the_same_grid() -> None:
    waveform = stereo(drums(124, 8))
    for known in (61, 244):
        pulse = find_pulse(find_onsets(waveform), Fraction(known), Meter())
        assert pulse is not None
        assert known * pulse.ratio == pytest.approx(62 if known == 61 else 248, rel=0.003)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("chord_seconds", [None, 2.0])
def test_a_pad_has_no_pulse(seed: int, chord_seconds: float | None) -> None:
    waveform = stereo(pad(8, seed=seed, chord_seconds=chord_seconds))
    assert played_tempo(waveform, Fraction(120), Meter()) is None


def test_notes_at_random_have_no_pulse() -> None:
    sure = [
        played_tempo(stereo(scattered(8, seed=seed)), Fraction(100 + seed), Meter())
        for seed in range(20)
    ]
    assert sum(tempo is not None for tempo in sure) <= 1


def test_a_tempo_out_of_range_is_not_found() -> None:
    assert played_tempo(stereo(drums(140, 8)), Fraction(120), Meter()) is None


def test_silence_has_no_pulse() -> None:
    silence = stereo(np.zeros(8 * material.RATE))
    assert played_tempo(silence, Fraction(120), Meter()) is None
