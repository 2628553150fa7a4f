"""Onsets are at the beginnings of sounds, to a few milliseconds, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.clip.onsets import find_onsets
from tests.clip import material

TIMES = (0.2, 0.703, 1.211, 1.717, 2.5)
SOUNDS = {
    "kick": material.kick(),
    "snare": material.snare(np.random.default_rng(0)),
    "hat": material.hat(np.random.default_rng(1)),
    "low pluck": material.pluck(48),
    "high pluck": material.pluck(76),
}


@pytest.mark.parametrize("sample_rate", [32_000, 44_100, 96_000])
@pytest.mark.parametrize("name", list(SOUNDS))
def test_sounds_are_found_within_three_milliseconds(name: str, sample_rate: int) -> None:
    out = np.zeros(3 * material.RATE)
    for time in TIMES:
        material.add(out, SOUNDS[name], time)
    found = find_onsets(material.stereo(out).resampled(sample_rate)).times
    for time in TIMES:
        assert np.abs(found - time).min() < 0.003, (time, found)


def test_a_drum_is_found_under_a_pad() -> None:
    out = 0.5 * material.pad(3)
    for time in TIMES:
        material.add(out, SOUNDS["kick"], time)
    onsets = find_onsets(material.stereo(out))
    for time in TIMES:
        assert np.abs(onsets.times - time).min() < 0.004


def test_the_bands_distinguish_a_snare_from_a_kick() -> None:
    kick, snare = (
        find_onsets(material.stereo(np.concatenate([np.zeros(8000), SOUNDS[name], np.zeros(8000)])))
        for name in ("kick", "snare")
    )
    assert kick.low.max() > 1.5 * snare.low.max()
    assert snare.snare.max() > 1.5 * kick.snare.max()


def test_an_attack_on_frame_0_is_found() -> None:
    out = np.zeros(material.RATE)
    material.add(out, SOUNDS["kick"], 0.0)
    assert find_onsets(material.stereo(out)).times.tolist() == pytest.approx([0.0], abs=0.002)


@pytest.mark.parametrize("seed", range(4))
def test_the_only_onset_of_a_pad_is_its_beginning(seed: int) -> None:
    onsets = find_onsets(material.stereo(material.pad(8, seed=seed, chord_seconds=2.0)))
    assert (onsets.times > 0.05).sum() <= 2


def test_the_cut_of_a_loop_is_not_an_onset() -> None:
    """A whole number of periods loops without a seam; played once, it has an onset."""
    t = np.arange(2 * material.RATE) / material.RATE
    waveform = material.stereo(np.sin(2 * np.pi * 110 * t), np.sin(2 * np.pi * 330 * t))
    assert find_onsets(waveform).times[0] < 0.005
    assert find_onsets(waveform, loops=True).times.size == 0


@pytest.mark.parametrize("frames", [1, 5, 100, 3000, 32_000])
def test_silence_of_any_length_has_no_onset(frames: int) -> None:
    onsets = find_onsets(Waveform(np.zeros((frames, 2), np.float32), 32_000))
    assert onsets.times.size == 0
    assert not onsets.strength.any()
