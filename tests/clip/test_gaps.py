"""The longest silence in a sound."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.clip.gaps import longest_gap_seconds


def tone(seconds: float, sample_rate: int) -> NDArray[np.float32]:
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    samples: NDArray[np.float32] = (0.3 * np.sin(2 * np.pi * 220 * time)).astype(np.float32)
    return samples


@pytest.mark.parametrize("sample_rate", [32_000, 44_100])
def test_the_longest_silence_is_found(sample_rate: int) -> None:
    sound = tone(6.0, sample_rate)
    assert longest_gap_seconds(Waveform(sound[:, None], sample_rate)) == 0.0
    sound[round(1.0 * sample_rate) : round(1.4 * sample_rate)] = 0.0
    sound[round(3.0 * sample_rate) : round(4.5 * sample_rate)] *= 1e-3
    gap = longest_gap_seconds(Waveform(sound[:, None], sample_rate))
    assert gap == pytest.approx(1.5, abs=0.1)


def test_one_sounding_channel_is_not_a_gap() -> None:
    both = np.stack([tone(4.0, 32_000), tone(4.0, 32_000)], axis=1)
    both[32_000:96_000, 0] = 0.0
    assert longest_gap_seconds(Waveform(both, 32_000)) == 0.0


def test_in_a_loop_silence_at_both_ends_is_one() -> None:
    sound = tone(4.0, 32_000)
    sound[:16_000] = sound[-32_000:] = 0.0
    clip = Waveform(sound[:, None], 32_000)
    assert longest_gap_seconds(clip) == pytest.approx(1.0, abs=0.1)
    assert longest_gap_seconds(clip, loops=True) == pytest.approx(1.5, abs=0.1)


def test_silence_throughout_is_one_gap_and_a_short_sound_is_none() -> None:
    assert longest_gap_seconds(Waveform(np.zeros((64_000, 2), np.float32), 32_000)) == 2.0
    assert longest_gap_seconds(Waveform(tone(0.01, 32_000)[:, None], 32_000), loops=True) == 0.0
    sound = np.zeros(64_000, np.float32)
    sound[:3200] = tone(0.1, 32_000)
    assert longest_gap_seconds(Waveform(sound[:, None], 32_000)) == pytest.approx(1.9, abs=0.06)
