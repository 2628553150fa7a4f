"""Distances of sounds in the codec's training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from bridge.pocket.codec import SEGMENT_FRAMES, band_distance, reconstruction_loss


def tones(*frequencies_hz: float) -> Tensor:
    time = torch.arange(SEGMENT_FRAMES) / 32_000
    rows = [0.3 * torch.sin(2 * np.pi * f * time) for f in frequencies_hz]
    return torch.stack(rows)[:, None]


def test_equal_sounds_have_distance_0() -> None:
    spectral, wave = reconstruction_loss(tones(220, 440), tones(220, 440))
    assert (float(spectral), float(wave)) == (0.0, 0.0)
    assert float(band_distance(tones(220, 440), tones(220, 440))) == 0.0


def test_a_semitone_off_is_further_than_a_little_quieter() -> None:
    target = tones(220, 440)
    off, _ = reconstruction_loss(tones(233.08, 466.16), target)
    quiet, _ = reconstruction_loss(0.9 * target, target)
    assert 0 < float(quiet) < 0.25 * float(off)


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_silence_gives_a_finite_loss_and_gradient(level: float) -> None:
    output = (tones(220) * 0.1).requires_grad_()
    spectral, wave = reconstruction_loss(output, tones(220) * level)
    bands = band_distance(output, tones(220) * level)
    (spectral + wave + bands).backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None and bool(torch.isfinite(output.grad).all())


def test_another_noise_of_the_same_level_is_nearer_than_silence() -> None:
    """A hat cannot be matched sample by sample; leaving it out must cost more than another hat.

    The level here, 50 dB under full scale, is that of a quiet hat.
    """
    torch.manual_seed(0)
    tone = tones(220)
    hat, other = (0.003 * torch.randn(1, 1, SEGMENT_FRAMES) for _ in range(2))
    played = float(band_distance(tone + other, tone + hat))
    left_out = float(band_distance(tone, tone + hat))
    assert played < 0.35 * left_out
