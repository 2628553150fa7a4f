"""Waveform: what it refuses, mixing, and resampling. Decibels."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.audio import (
    Mixdown,
    Waveform,
    amplitude_to_db,
    db_to_amplitude,
    db_to_power,
    power_to_db,
)
from bridge.errors import BadArgument


def sine(hz: float, seconds: float, sample_rate: int) -> np.ndarray:
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return np.sin(2 * np.pi * hz * time).astype(np.float32)[:, None]


@pytest.mark.parametrize(
    ("samples", "sample_rate", "message"),
    [
        (np.zeros(8, dtype=np.float32), 44100, r"\[8\]"),
        (np.zeros((8, 0), dtype=np.float32), 44100, r"\[8, 0\]"),
        (np.zeros((8, 1)), 44100, "float64"),
        (np.zeros((8, 1), dtype=np.float32), 0, "got 0"),
        (np.full((8, 1), np.nan, dtype=np.float32), 44100, "NaN"),
        (np.full((8, 1), -np.inf, dtype=np.float32), 44100, "infinity"),
    ],
)
def test_an_invalid_waveform_is_refused_and_the_error_quotes_the_value(
    samples: np.ndarray, sample_rate: int, message: str
) -> None:
    with pytest.raises(BadArgument, match=message):
        Waveform(samples, sample_rate)


def test_a_waveform_knows_its_length_in_frames_and_seconds() -> None:
    waveform = Waveform(np.zeros((11025, 2), dtype=np.float32), 44100)
    assert (waveform.frames, waveform.channels, waveform.seconds) == (11025, 2, 0.25)


def test_mono_is_the_mean_and_stereo_doubles_it() -> None:
    samples = np.array([[0.5, -0.25], [1.0, 0.0]], dtype=np.float32)
    waveform = Waveform(samples, 32000)
    assert waveform.mono().samples.tolist() == [[0.125], [0.5]]
    assert waveform.stereo() is waveform
    assert waveform.mono().stereo().samples.tolist() == [[0.125, 0.125], [0.5, 0.5]]
    surround = Waveform(np.array([[0.3, 0.6, 0.0]], dtype=np.float32), 32000)
    assert np.allclose(surround.stereo().samples, [[0.3, 0.3]])


@pytest.mark.parametrize("noise_level", [0.0, 0.003])
def test_two_sides_that_cancel_are_mixed_to_the_louder_one(noise_level: float) -> None:
    tone = 0.5 * sine(440, 1.0, 32000)
    noise = np.random.default_rng(1).normal(0, noise_level, tone.shape).astype(np.float32)
    sides = np.concatenate([tone, noise - tone], axis=1)
    mixed = Waveform(sides, 32000).mono().samples
    loudest = sides.std(axis=0).argmax()
    assert np.array_equal(mixed, sides[:, loudest : loudest + 1])


@pytest.mark.parametrize(("channels", "loss_db"), [(2, 6.02), (4, 0.0), (18, 0.0)])
def test_a_voice_on_one_of_many_channels_keeps_its_level(channels: int, loss_db: float) -> None:
    samples = np.full((32000, channels), 0.1, np.float32)  # DC, which is no sound.
    samples[:, 1:2] = 0.1 * sine(440, 1.0, 32000)
    mixed = Waveform(samples, 32000).mono().samples
    lost_db = power_to_db(float(samples[:, 1].var() / mixed.var()))
    assert lost_db == pytest.approx(loss_db, abs=0.01)


def test_blocks_are_mixed_as_the_whole_is() -> None:
    tone = sine(440, 3.0, 32000)
    samples = np.concatenate([tone, -tone], axis=1)
    mixdown = Mixdown(2)
    blocks = np.array_split(samples, 7)
    for block in blocks:
        mixdown.measure(block)
    mixed = np.concatenate([mixdown.mixed(block) for block in blocks])
    assert np.array_equal(mixed, Waveform(samples, 32000).mono().samples)


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000, 96000])
def test_resampling_keeps_a_tone_in_pitch_level_and_time(sample_rate: int) -> None:
    resampled = Waveform(sine(440, 1.0, sample_rate), sample_rate).resampled(32000)
    assert resampled.frames == 32000
    # Away from the ends, where a resampler has nothing to go on.
    middle = slice(4000, -4000)
    assert np.abs(resampled.samples[middle] - sine(440, 1.0, 32000)[middle]).max() < 1e-3


def test_resampling_to_the_same_rate_or_of_no_frames_changes_nothing() -> None:
    waveform = Waveform(sine(440, 0.1, 32000), 32000)
    assert waveform.resampled(32000) is waveform
    empty = Waveform(np.zeros((0, 2), dtype=np.float32), 44100).resampled(32000)
    assert (empty.frames, empty.channels, empty.sample_rate) == (0, 2, 32000)
    with pytest.raises(BadArgument, match="-1"):
        waveform.resampled(-1)


def test_twenty_decibels_are_ten_times_the_amplitude_and_a_hundred_times_the_power() -> None:
    assert db_to_amplitude(20) == pytest.approx(10)
    assert db_to_power(20.0) == pytest.approx(100)
    assert amplitude_to_db(0.1) == pytest.approx(-20)
    assert power_to_db(0.1) == pytest.approx(-10)
    levels = np.array([-60.0, -3.0, 0.0])
    np.testing.assert_allclose(power_to_db(db_to_power(levels)), levels, atol=1e-12)
