"""The spectrogram, against the definition of the Fourier transform and scipy's window."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal.windows import hann as scipy_hann

from bridge.spectrum import hann, power_spectrogram


def test_each_step_is_the_power_of_the_window_that_begins_there() -> None:
    signal = np.random.default_rng(0).standard_normal(100)
    starts = np.array([0, 3, 68, 17])
    power = power_spectrogram(signal, hann(32), starts)
    turns = np.exp(-2j * np.pi * np.arange(17)[:, None] * np.arange(32) / 32)
    expected = [np.abs(turns @ (signal[start : start + 32] * hann(32))) ** 2 for start in starts]
    np.testing.assert_allclose(power, expected, rtol=1e-9)


def test_a_tone_is_in_its_bin() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(32_000) / 32_000).astype(np.float32)
    power = power_spectrogram(tone, hann(1024), np.arange(0, 30_000, 500))
    assert power.shape == (60, 513)
    assert (power.argmax(axis=1) == 1000 * 1024 // 32_000).all()


def test_reducing_block_by_block_equals_reducing_all_at_once() -> None:
    signal = np.random.default_rng(1).standard_normal(40_000)
    starts = np.arange(0, 40_000 - 16_384 + 1, 64)  # 369 windows of 16384: several blocks
    blocks = []

    def loudest_bin(power: NDArray[np.floating]) -> NDArray[np.intp]:
        blocks.append(len(power))
        loudest: NDArray[np.intp] = power.argmax(axis=1)
        return loudest

    reduced = power_spectrogram(signal, hann(16_384), starts, loudest_bin)
    assert max(blocks) * 16_384 <= 2**20
    assert sum(blocks) == len(starts)
    assert reduced.tolist() == power_spectrogram(signal, hann(16_384), starts).argmax(1).tolist()


@pytest.mark.parametrize("length", [4, 1023, 1024])
def test_the_window_is_the_periodic_hann_window(length: int) -> None:
    np.testing.assert_allclose(hann(length), scipy_hann(length, sym=False), atol=1e-15)
