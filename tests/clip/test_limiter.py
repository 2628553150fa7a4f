"""The limiter keeps every peak below the ceiling, and knows that a clip loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from bridge.audio import Waveform
from bridge.clip.limiter import LOOK_AHEAD_SECONDS, frame_peaks, limited
from tests.clip.material import RATE, drums, pad, stereo


def in_one_step(waveform: Waveform, ceiling: float) -> Waveform:
    return limited(waveform, frame_peaks(waveform), ceiling)[0]


def test_a_clip_below_the_ceiling_is_unchanged() -> None:
    waveform = stereo(pad(1), level=0.4)
    assert np.array_equal(in_one_step(waveform, 0.9).samples, waveform.samples)


def test_where_the_loop_begins_changes_nothing() -> None:
    """A limiter that ran from end to end would meet a peak at frame 0 unprepared."""
    waveform = stereo(drums(120, 2), pad(2))
    turned = Waveform(np.roll(waveform.samples, 12_345, axis=0), RATE)
    expected = np.roll(in_one_step(waveform, 0.3).samples, 12_345, axis=0)
    assert np.allclose(in_one_step(turned, 0.3).samples, expected, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 7, 43, 44, 1000, 65_535, 65_537])
def test_peaks_between_samples_are_those_of_scipys_resampler(frames: int) -> None:
    samples = np.random.default_rng(frames).normal(0, 1, (frames, 2)).astype(np.float32)
    around = np.take(samples, np.arange(-64, frames + 64), axis=0, mode="wrap")
    finer = np.abs(resample_poly(around, 4, 1, axis=0)).max(axis=1)
    # From the frame before to the one after, without these two.
    expected = [finer[4 * frame - 4 : 4 * frame + 4].max() for frame in range(64, 64 + frames)]
    assert frame_peaks(Waveform(samples, RATE)) == pytest.approx(expected, abs=1e-5)


def test_both_channels_have_one_gain() -> None:
    """A gain of its own for each would move the image at every peak."""
    waveform = stereo(pad(1), level=0.2)
    waveform.samples[RATE // 2 : RATE // 2 + 40, 0] = 1.0
    gain = in_one_step(waveform, 0.5).samples / np.where(waveform.samples == 0, 1, waveform.samples)
    sounding = (np.abs(waveform.samples) > 1e-4).all(axis=1)
    assert np.allclose(gain[sounding, 0], gain[sounding, 1], atol=1e-4)


def test_the_gain_falls_within_the_look_ahead_and_recovers_slowly() -> None:
    samples = np.full((RATE, 2), 0.1, np.float32)
    samples[RATE // 2] = 1.0
    gain = in_one_step(Waveform(samples, RATE), 0.5).samples[:, 0] / samples[:, 0]
    reach = 2 * round(LOOK_AHEAD_SECONDS * RATE) + 20
    assert np.allclose(gain[: RATE // 2 - reach], 1, atol=1e-3)
    assert gain[RATE // 2] <= 0.5 + 1e-6
    recovered_db = 20 * np.log10(gain[RATE // 2 + round(0.06 * RATE)])
    assert recovered_db == pytest.approx(-6 / np.e, abs=0.4)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.integers(1, 100_000),
    ceiling=st.floats(0.01, 2.0),
)
def test_no_frame_passes_the_ceiling(seed: int, frames: int, ceiling: float) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((frames, 2)) * rng.random((frames, 1)) ** 4
    out = in_one_step(Waveform(noise.astype(np.float32), RATE), ceiling)
    assert out.frames == frames
    assert np.abs(out.samples).max() <= ceiling * (1 + 1e-5)
