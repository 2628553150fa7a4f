"""Sounding and silent blocks of a melody."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.melody.silence import sounding_seconds


def waveform(samples: np.ndarray, sample_rate: int = 44100) -> Waveform:
    return Waveform(samples.astype(np.float32)[:, None], sample_rate)


@pytest.mark.parametrize("sample_rate", [8000, 44100, 96000])
def test_sound_is_found_between_silence_and_noise(sample_rate: int) -> None:
    time = np.arange(3 * sample_rate) / sample_rate
    noise = np.random.default_rng(0).normal(0, 0.0005, len(time))
    tone = np.where((time >= 1) & (time < 2), 0.2 * np.sin(2 * np.pi * 300 * time), 0)
    seconds = sounding_seconds(waveform(noise + tone, sample_rate))
    assert seconds.min() == pytest.approx(1.0, abs=0.021)
    assert seconds.max() == pytest.approx(1.98, abs=0.021)
    assert len(seconds) in (50, 51)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(44100),
        np.zeros(0),
        np.full(44100, 0.5),
        np.random.default_rng(0).choice([-1, 0, 1], 44100) / 32768,
    ],
    ids=["digital", "no frames", "offset", "dither"],
)
def test_silence_of_every_kind_has_no_sounding_block(samples: np.ndarray) -> None:
    assert len(sounding_seconds(waveform(samples))) == 0
