"""Train the codec: a small mono EnCodec at 32 kHz and 50 steps a second.

transformers' `EncodecModel` is unchanged, so that the result is an ordinary checkpoint; only the
training of its codebooks, in `quantizer`, is ours.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import EncodecConfig, EncodecModel
from transformers.audio_utils import mel_filter_bank

from bridge.audio import MODEL_SAMPLE_RATE, db_to_amplitude
from bridge.pocket.corpus import render_many
from bridge.pocket.quantizer import QuantizerTrainer
from bridge.training.loop import cosine, save_state

log = logging.getLogger(__name__)

CODEBOOKS = 4
CODEBOOK_SIZE = 512
HIDDEN_SIZE = 64
SEGMENT_FRAMES = 16_384
BATCH = 16
UNQUANTIZED_SHARE = 0.12
"""Share of the steps without quantization: first the autoencoder learns to reconstruct."""
WAVE, BANDS, COMMITMENT = 0.2, 0.7, 0.25
"""Loss weights relative to the spectral distance."""
STFT_SIZES = (256, 512, 1024, 2048, 4096, 8192)
"""From transients (8 ms) to pitch (256 ms, bins 4 Hz apart): both ends are audible."""
BAND_COUNTS = {256: 20, 512: 40, 1024: 64, 2048: 80}
"""Mel bands by frames of the window: as many as possible with a bin in each."""
LOWEST_BAND_HZ = 40.0
FLOOR = 4e-4
"""Magnitudes below this are equal: 68 dB under full scale, below the quiet end of a hat."""


@dataclass(frozen=True)
class CodecTraining:
    """Options of the codec's training.

    Attributes:
        steps: optimizer steps in all.
        learning_rate: peak of AdamW's; it warms up over 200 steps and falls to zero as a cosine.
        pieces: number of 12 s pieces to draw segments from, each with and without drums.
        seed: seed of the music and of the draws.
        device: torch device.
        start: a folder of `EncodecModel.save_pretrained` to begin with, instead of new weights.
    """

    steps: int = 5000
    learning_rate: float = 1e-3
    pieces: int = 400
    seed: int = 0
    device: str = "cpu"
    start: Path | None = None


def codec_config() -> EncodecConfig:
    """The codec's shape: 2.6 M parameters, 1.8 kbit/s a channel."""
    return EncodecConfig(
        target_bandwidths=[2.2],  # transformers derives 4 codebooks from this: 2200 // (50 * 10)
        sampling_rate=MODEL_SAMPLE_RATE,
        audio_channels=1,
        normalize=False,
        upsampling_ratios=[8, 5, 4, 4],
        num_filters=16,
        hidden_size=HIDDEN_SIZE,
        codebook_dim=HIDDEN_SIZE,
        codebook_size=CODEBOOK_SIZE,
        num_lstm_layers=1,
        use_causal_conv=False,
        use_conv_shortcut=False,
    )


def train_codec(folder: Path, training: CodecTraining) -> EncodecModel:
    """Train, or resume from `folder/codec.pt`; the state is saved there every 250 steps.

    Returns:
        The trained model, in evaluation mode.
    """
    torch.manual_seed(training.seed)
    device = torch.device(training.device)
    model: Any  # transformers types `to` as untyped
    if training.start is None:
        model = EncodecModel(codec_config())
    else:
        model = EncodecModel.from_pretrained(training.start, dtype=torch.float32).train()
    model.to(device)
    quantizer = QuantizerTrainer(model)
    quantizer.started = training.start is not None
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad],
        lr=training.learning_rate,
        weight_decay=1e-3,
    )
    state_file = folder / "codec.pt"
    first = 0
    if state_file.exists():
        state = torch.load(state_file, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        quantizer.started = bool(state["quantizing"])
        first = int(state["step"])
        log.info("codec goes on from step %d", first)
    segments = _segments(training, first)
    quantize_from = 0 if training.start else round(training.steps * UNQUANTIZED_SHARE)
    begun = time.monotonic()
    for step in range(first, training.steps):
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, training.steps, training.learning_rate, warm_up=200)
        audio = next(segments).to(device)  # [B, 1, frames]
        latent = model.encoder(audio)  # [B, D, S]
        if step >= quantize_from:
            latent, commitment = quantizer(latent)
        else:
            commitment = latent.new_zeros(())
        output = model.decoder(latent)[..., : audio.shape[-1]]
        spectral, wave = reconstruction_loss(output, audio)
        bands = band_distance(output, audio)
        loss = spectral + WAVE * wave + BANDS * bands + COMMITMENT * commitment
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0:
            pace = (time.monotonic() - begun) / (step - first + 1)
            log.info(
                "codec step %d spectral %.4f bands %.4f wave %.4f commitment %.4f used %s "
                "%.2f s/step", step, spectral.item(), bands.item(), wave.item(),
                commitment.item(), quantizer.used(), pace,
            )  # fmt: skip
        if (step + 1) % 250 == 0 or step + 1 == training.steps:
            save_state(
                state_file,
                {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "step": step + 1,
                    "quantizing": quantizer.started,
                },
            )
    trained: EncodecModel = model.eval()
    return trained


def reconstruction_loss(output: Tensor, audio: Tensor) -> tuple[Tensor, Tensor]:
    """Distance of two sounds `[B, 1, frames]`.

    Returns:
        The spectral distance, mean over `STFT_SIZES` of spectral convergence and log-magnitude
        distance (Parallel WaveGAN, Yamamoto et al., 2020, eq. 6 and 7, with powers compressed so
        that quiet partials count), and the mean absolute difference of samples, relative.
    """
    total = output.new_zeros(())
    for size in STFT_SIZES:
        actual, target = (_magnitudes(x, size) for x in (output, audio))
        convergence = torch.linalg.vector_norm(target - actual, dim=(1, 2)) / (
            torch.linalg.vector_norm(target, dim=(1, 2)) + 0.1
        )
        logarithmic = ((target + FLOOR).log() - (actual + FLOOR).log()).abs().mean()
        total = total + convergence.mean() + 0.5 * logarithmic
    scale = audio.abs().mean() + 1e-3
    return total / len(STFT_SIZES), (output - audio).abs().mean() / scale


def band_distance(output: Tensor, audio: Tensor) -> Tensor:
    """Distance of two sounds `[B, 1, frames]` in loudness: mean |ln amplitude| over mel bands.

    A hat is noise: a codec cannot match its bins, and a loss on bins alone teaches the codec to
    leave it out. Its power in a band can be matched. (Multi-scale mel losses are EnCodec's own:
    Défossez et al., 2022, section 3.4.)
    """
    total = output.new_zeros(())
    for size, count in BAND_COUNTS.items():
        bands = _mel_bands(size, count).to(output.device)
        actual, target = (
            torch.log(bands @ _magnitudes(x, size).square() + FLOOR**2) for x in (output, audio)
        )
        total = total + 0.5 * (target - actual).abs().mean()
    return total / len(BAND_COUNTS)


def _magnitudes(audio: Tensor, size: int) -> Tensor:
    """Magnitudes `[B, size // 2 + 1, steps]`, scaled so that those of noise fit any window size."""
    window = torch.hann_window(size, device=audio.device)
    spectrum = torch.stft(audio[:, 0], size, size // 4, window=window, return_complex=True)
    return spectrum.abs() / math.sqrt(size)


@cache
def _mel_bands(size: int, count: int) -> Tensor:
    """Weights `[count, size // 2 + 1]` that average the power in each mel band."""
    weights = mel_filter_bank(
        num_frequency_bins=size // 2 + 1,
        num_mel_filters=count,
        min_frequency=LOWEST_BAND_HZ,
        max_frequency=MODEL_SAMPLE_RATE / 2,
        sampling_rate=MODEL_SAMPLE_RATE,
        mel_scale="slaney",
    )
    return torch.from_numpy(weights / weights.sum(axis=0)).T.float()


def _segments(training: CodecTraining, first: int) -> Iterator[Tensor]:
    """Batches `[BATCH, 1, SEGMENT_FRAMES]` of single channels, at levels from −4 to 0 dB."""
    pieces = [
        np.round(sound.samples * 32767).astype(np.int16)
        for piece in render_many(training.pieces, seed=training.seed, seconds=12.0)
        for sound in (piece.audio, piece.other)
    ]
    rng = np.random.default_rng((training.seed, first))
    while True:
        rows = []
        for _ in range(BATCH):
            samples = pieces[int(rng.integers(len(pieces)))]
            start = int(rng.integers(max(1, len(samples) - SEGMENT_FRAMES)))
            row = samples[start : start + SEGMENT_FRAMES, int(rng.integers(2))]
            row = np.pad(row, (0, SEGMENT_FRAMES - len(row)))
            rows.append(row.astype(np.float32) / 32768 * db_to_amplitude(-rng.uniform(0, 4)))
        yield torch.from_numpy(np.stack(rows)).float()[:, None]
