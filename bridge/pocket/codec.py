"""Train the codec: a small mono EnCodec at 32 kHz and 50 steps a second.

transformers' `EncodecModel` is used as it is, so that the result is an ordinary checkpoint; only
the training of its codebooks, in `quantizer`, is ours.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import EncodecConfig, EncodecModel

from bridge.audio import MODEL_SAMPLE_RATE
from bridge.pocket.corpus import render_many
from bridge.pocket.loop import cosine, save_state
from bridge.pocket.quantizer import QuantizerTrainer

log = logging.getLogger(__name__)

CODEBOOKS = 4
CODEBOOK_SIZE = 512
HIDDEN_SIZE = 64
SEGMENT_FRAMES = 16_384
BATCH = 16
UNQUANTIZED_SHARE = 0.12
"""Of the steps: the autoencoder first learns to hear, then to be terse."""
COMMITMENT = 0.25
STFT_SIZES = (256, 512, 1024, 2048, 4096, 8192)
"""From transients (8 ms) to pitch (256 ms, 4 Hz apart): both ends are heard."""


@dataclass(frozen=True)
class CodecTraining:
    """What a run of the codec's training is.

    Attributes:
        steps: optimizer steps in all.
        learning_rate: peak of AdamW's; it warms up over 200 steps and falls to zero as a cosine.
        pieces: how many pieces of 12 s to draw segments from.
        seed: of the music and of the draws.
        device: torch device.
    """

    steps: int = 5000
    learning_rate: float = 1e-3
    pieces: int = 600
    seed: int = 0
    device: str = "cpu"


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
    """Train, or go on from `folder/codec.pt`; the state is saved there every 250 steps.

    Returns:
        The trained model, in evaluation mode.
    """
    torch.manual_seed(training.seed)
    device = torch.device(training.device)
    model: Any = EncodecModel(codec_config())  # transformers types `to` as untyped
    model.to(device)
    quantizer = QuantizerTrainer(model)
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
    quantize_from = round(training.steps * UNQUANTIZED_SHARE)
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
        loss = spectral + 0.2 * wave + COMMITMENT * commitment
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0:
            pace = (time.monotonic() - begun) / (step - first + 1)
            log.info(
                "codec step %d spectral %.4f wave %.4f commitment %.4f used %s %.2f s/step",
                step, spectral.item(), wave.item(), commitment.item(), quantizer.used(), pace,
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
        window = torch.hann_window(size, device=output.device)
        got, want = (
            torch.stft(x[:, 0], size, size // 4, window=window, return_complex=True).abs()
            / size**0.5
            for x in (output, audio)
        )
        convergence = torch.linalg.vector_norm(want - got, dim=(1, 2)) / (
            torch.linalg.vector_norm(want, dim=(1, 2)) + 0.1
        )
        floor = 1e-3
        logarithmic = ((want + floor).log() - (got + floor).log()).abs().mean()
        total = total + convergence.mean() + 0.5 * logarithmic
    scale = audio.abs().mean() + 1e-3
    return total / len(STFT_SIZES), (output - audio).abs().mean() / scale


def _segments(training: CodecTraining, first: int) -> Iterator[Tensor]:
    """Batches `[BATCH, 1, SEGMENT_FRAMES]` of single channels, at levels from −9 to 0 dB."""
    pieces = [
        np.round(piece.audio.samples * 32767).astype(np.int16)
        for piece in render_many(training.pieces, seed=training.seed, seconds=12.0)
    ]
    rng = np.random.default_rng((training.seed, first))
    while True:
        rows = []
        for _ in range(BATCH):
            samples = pieces[int(rng.integers(len(pieces)))]
            start = int(rng.integers(max(1, len(samples) - SEGMENT_FRAMES)))
            row = samples[start : start + SEGMENT_FRAMES, int(rng.integers(2))]
            row = np.pad(row, (0, SEGMENT_FRAMES - len(row)))
            rows.append(row.astype(np.float32) / 32768 * 10 ** (-rng.uniform(0, 9) / 20))
        yield torch.from_numpy(np.stack(rows)).float()[:, None]
