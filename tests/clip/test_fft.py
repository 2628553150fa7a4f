"""FFT lengths: fast ones, close to what was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.clip.fft import fast_length, transform


@pytest.mark.parametrize(
    ("asked", "length"),
    [(353, 352), (352.8, 352), (1411, 1408), (1024, 1024), (8820, 8820), (1, 4)],
)
def test_lengths_have_small_factors_and_are_close(asked: float, length: int) -> None:
    assert fast_length(asked) == length


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000, 192000])
def test_the_windows_of_finishing_keep_their_length(rate: int) -> None:
    for seconds in (0.008, 0.032, 0.2):
        assert abs(fast_length(seconds * rate) / (seconds * rate) - 1) < 0.02


def test_the_transform_is_numpys_in_the_signals_precision() -> None:
    signals = np.random.default_rng(1).standard_normal((5, 352))
    exact = np.fft.rfft(signals, axis=1)
    assert np.allclose(transform(signals), exact, atol=1e-12)
    single = transform(signals.astype(np.float32))
    assert single.dtype == np.complex64
    assert np.allclose(single, exact, atol=1e-4)
