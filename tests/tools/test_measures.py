"""Each measure on sounds whose result is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.clip.onsets import find_onsets
from bridge.tools.measures import (
    fade_db,
    percussive_share,
    side_over_mid_db,
    tempo_of,
)

RATES = (32_000, 44_100)


def time_of(seconds: float, sample_rate: int) -> NDArray[np.float64]:
    return np.arange(round(seconds * sample_rate)) / sample_rate


def tone(seconds: float, sample_rate: int = 32_000, *, hz: float = 220.0) -> NDArray[np.float32]:
    samples: NDArray[np.float32] = np.float32(0.3) * np.sin(
        2 * np.pi * hz * time_of(seconds, sample_rate)
    ).astype(np.float32)
    return samples


def clicks(beats_seconds: list[float], seconds: float, sample_rate: int = 32_000) -> Waveform:
    """Bursts of noise, 30 ms each."""
    rng = np.random.default_rng(0)
    samples = np.zeros(round(seconds * sample_rate), dtype=np.float32)
    for beat in beats_seconds:
        burst = rng.standard_normal(round(0.03 * sample_rate)) * 0.5
        burst *= np.exp(-np.arange(len(burst)) / (0.008 * sample_rate))
        first = round(beat * sample_rate)
        kept = burst[: len(samples) - first]
        samples[first : first + len(kept)] += kept.astype(np.float32)
    return Waveform(samples[:, None], sample_rate)


@pytest.mark.parametrize("change_db", [-20.0, -6.0, 0.0, 3.0])
def test_a_fade_is_the_last_quarter_over_the_first(change_db: float) -> None:
    sound = tone(4.0)
    sound[96_000:] *= 10 ** (change_db / 20)
    assert fade_db(Waveform(sound[:, None], 32_000)) == pytest.approx(change_db, abs=0.1)


def test_every_measure_of_silence_is_finite() -> None:
    silence = Waveform(np.zeros((64_000, 2), dtype=np.float32), 32_000)
    assert fade_db(silence) == 0.0
    assert side_over_mid_db(silence) == 0.0
    assert np.isfinite(percussive_share(silence))


@pytest.mark.parametrize("side_db", [-40.0, -12.0, 0.0, 6.0])
def test_side_over_mid_measures_the_stereo_width(side_db: float) -> None:
    mid, side = tone(2.0), tone(2.0, hz=331.0) * 10 ** (side_db / 20)
    sound = np.stack([mid + side, mid - side], axis=1).astype(np.float32)
    assert side_over_mid_db(Waveform(sound, 32_000)) == pytest.approx(side_db, abs=0.2)


def test_mono_has_no_side() -> None:
    assert side_over_mid_db(Waveform(tone(1.0)[:, None], 32_000)) < -60


@pytest.mark.parametrize("sample_rate", RATES)
def test_drums_are_percussive_and_held_or_plucked_notes_are_not(sample_rate: int) -> None:
    held = tone(4.0, sample_rate)
    plucked = np.tile(tone(0.5, sample_rate) * np.exp(-time_of(0.5, sample_rate) / 0.1), 8).astype(
        np.float32
    )
    struck = clicks([n / 2 for n in range(8)], 4.0, sample_rate).samples[:, 0]
    shares = [
        percussive_share(Waveform(sound[:, None], sample_rate))
        for sound in (held, plucked, plucked + struck, struck)
    ]
    assert shares[0] < 1e-4 and shares[1] < 0.003
    assert shares[2] > 10 * shares[1]
    assert shares[3] > 0.5
    assert max(shares) <= 1.0


@pytest.mark.parametrize(("tempo_bpm", "beats"), [(75, 4), (93.7, 3), (120, 4), (150, 3), (168, 4)])
def test_the_tempo_of_a_beat_is_found_or_its_half_or_double(tempo_bpm: float, beats: int) -> None:
    count = int(12 * tempo_bpm / 60)
    played = clicks([n * 60 / tempo_bpm for n in range(count)], 12.0)
    onsets = find_onsets(played)
    tempo = tempo_of(onsets.strength, onsets.step_seconds, beats)
    assert any(tempo == pytest.approx(k * tempo_bpm, rel=0.01) for k in (0.5, 1, 2))
    assert 60 <= tempo <= 200


def test_three_beats_in_a_bar_are_not_taken_for_two() -> None:
    """A waltz with its first beat alone: the tempo is three times, not twice, the bar's."""
    played = clicks([n * 3 * 60 / 120 for n in range(10)], 15.0)
    onsets = find_onsets(played)
    tempo = tempo_of(onsets.strength, onsets.step_seconds, 3)
    assert tempo == pytest.approx(120, rel=0.01) or tempo == pytest.approx(60, rel=0.01)
