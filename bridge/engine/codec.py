"""Audio through the codec alone: the most of a sound that anything generated could keep."""

from __future__ import annotations

import math

import numpy as np
import torch

from bridge.audio import Waveform
from bridge.engine.weights import Checkpoint


def reconstruct(checkpoint: Checkpoint, waveform: Waveform) -> Waveform:
    """Encode, quantize with as many codebooks as the decoder makes, and decode.

    Args:
        waveform: at least one frame. Channels pass one by one through the codec, which is mono.

    Returns:
        float32 at the checkpoint's rate and channels, as many frames as the input at that rate.
    """
    channels = checkpoint.audio_channels
    sound = waveform.mono() if channels == 1 else waveform.stereo()
    sound = sound.resampled(checkpoint.sample_rate)
    padded = math.ceil(sound.frames / checkpoint.hop) * checkpoint.hop
    samples = np.zeros((channels, 1, padded), dtype=np.float32)
    samples[:, 0, : sound.frames] = sound.samples.T
    codec = checkpoint.model.audio_encoder
    with torch.inference_mode():
        encoded = codec.encode(
            torch.from_numpy(samples).to(checkpoint.model.device),
            bandwidth=max(codec.config.target_bandwidths),
        )
        codes = encoded.audio_codes[:, :, : checkpoint.num_codebooks // channels]
        audio = codec.decode(codes, encoded.audio_scales).audio_values  # [channels, 1, padded]
    heard = audio[:, 0, : sound.frames].float().cpu().numpy()
    return Waveform(np.ascontiguousarray(heard.T), checkpoint.sample_rate)
