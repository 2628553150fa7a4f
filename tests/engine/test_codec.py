"""Audio through the codec alone: shape, rate and channels, and that it is transformers' own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import MusicgenMelodyForConditionalGeneration

from bridge.audio import Waveform
from bridge.engine import Engine
from bridge.errors import BadArgument


def noise(frames: int, channels: int, sample_rate: int = 32_000) -> Waveform:
    """So loud that the random codec, which has not learned to hear, finds more than one code."""
    samples = np.random.default_rng(3).standard_normal((frames, channels)) * 100
    return Waveform(samples.astype(np.float32), sample_rate)


@pytest.mark.parametrize("frames", [1, 639, 640, 641, 12_345])
@pytest.mark.parametrize("kind", ["mono", "stereo"])
def test_as_many_frames_come_out_as_went_in(
    kind: str, frames: int, request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(kind)
    heard = engine.reconstruct(noise(frames, 2))
    assert (heard.frames, heard.channels, heard.sample_rate) == (
        frames,
        engine.audio_channels,
        32_000,
    )
    assert heard.samples.dtype == np.float32


@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 48_000])
def test_any_rate_comes_out_at_the_models(stereo: Engine, sample_rate: int) -> None:
    given = noise(sample_rate // 3, 1, sample_rate)
    heard = stereo.reconstruct(given)
    same = stereo.reconstruct(given.resampled(32_000))
    assert heard.sample_rate == 32_000
    assert abs(heard.frames - given.seconds * 32_000) <= 1
    assert np.array_equal(heard.samples, same.samples)


def test_it_is_what_transformers_makes_of_each_channel(stereo: Engine, stereo_folder: Path) -> None:
    given = noise(6_400, 2)
    codec = MusicgenMelodyForConditionalGeneration.from_pretrained(stereo_folder).audio_encoder
    with torch.inference_mode():
        wanted = [
            codec(torch.from_numpy(given.samples[:, channel].copy())[None, None]).audio_values
            for channel in (0, 1)
        ]
    heard = stereo.reconstruct(given)
    for channel in (0, 1):
        np.testing.assert_allclose(
            heard.samples[:, channel], wanted[channel][0, 0].numpy(), atol=1e-6
        )
    assert np.abs(heard.samples[:, 0] - heard.samples[:, 1]).max() > 1e-3


def test_a_mono_checkpoint_hears_the_mean_of_the_channels(mono: Engine) -> None:
    given = noise(3_200, 2)
    assert np.array_equal(mono.reconstruct(given).samples, mono.reconstruct(given.mono()).samples)


def test_a_sound_without_frames_is_refused(stereo: Engine) -> None:
    with pytest.raises(BadArgument, match="at least one frame"):
        stereo.reconstruct(Waveform(np.zeros((0, 2), dtype=np.float32), 32_000))
