"""Train the text encoder and the decoder on the codes of the corpus.

The modules are transformers' own, so the weights are an ordinary MusicGen Melody checkpoint; only
the loop is ours. Three things make a small model follow the melody with training on two CPU cores:

- two heads on a middle layer, dropped at export: one predicts the melody's pitch class, the other
  the beat phase. They reward finding the chroma step of each codec step, and counting, long before
  the codes themselves do;
- attention heads that are initialised to look there (`attention_init`);
- noise in the input codes (`batches`), so that the chroma is the more reliable source.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    MusicgenMelodyConfig,
    MusicgenMelodyForConditionalGeneration,
    T5Config,
)
from transformers.models.musicgen_melody import MusicgenMelodyDecoderConfig

from bridge.chroma import WINDOW_STEPS
from bridge.pocket.attention_init import initialise
from bridge.pocket.batches import BOS, CHANNELS, IGNORED, Batch, make_batch
from bridge.pocket.codec import CODEBOOK_SIZE, CODEBOOKS, codec_config
from bridge.pocket.dataset import BEAT_PHASES, REST, Example, read
from bridge.pocket.text import build_tokenizer, tempo_tokens
from bridge.training.loop import RunningMean, autocast, save_state

log = logging.getLogger(__name__)

LONG_STEPS = 600
"""Pieces with more codec steps than this go into the long batches; every third batch is long."""
WARM_UP_STEPS = 200
PITCH_LOSS, BEAT_LOSS = 0.15, 0.2
AUXILIARY_LAYER = 3
"""The heads for pitch class and beat read the output of this many layers."""
CODEBOOK_WEIGHTS = (1.5, 1.5, 1.0, 1.0, 0.8, 0.8, 0.7, 0.7)
"""The first codebook carries most of the sound."""


@dataclass(frozen=True)
class DecoderTraining:
    """Options of the decoder's training.

    Attributes:
        steps: optimizer steps in all; the learning rate falls to zero over the last share.
        decay_share: that share. The state before it can start a longer run.
        matrix_rate: learning rate of Muon, for the matrices of the layers.
        other_rate: of AdamW, for embeddings, heads, norms and the text encoder.
        seed: seed of the weights and the draws.
        device: torch device.
        average: decay of the moving mean of the weights; this mean is exported.
        start: a checkpoint of this shape to begin with, instead of new weights.
        attention_steps: optimizer steps of the initial attention of new weights.
    """

    steps: int = 6000
    decay_share: float = 0.25
    matrix_rate: float = 2e-3
    other_rate: float = 1.5e-3
    seed: int = 0
    device: str = "cpu"
    average: float = 0.998
    start: Path | None = None
    attention_steps: int = 2500


def train_decoder(folder: Path, training: DecoderTraining) -> Path:
    """Train on the shards in `folder/codes`, or resume from `folder/decoder.pt`.

    Shards that appear during the run are included. The state is saved every 200 steps, and also as
    `folder/before-decay.pt` where the learning rate begins to fall.

    Returns:
        The file of the last state. Its `average` is exported.
    """
    torch.manual_seed(training.seed)
    device = torch.device(training.device)
    tokenizer = build_tokenizer()
    state_file = folder / "decoder.pt"
    model: Any  # transformers types its loaders loosely
    if training.start is not None:
        model = MusicgenMelodyForConditionalGeneration.from_pretrained(
            training.start, dtype=torch.float32
        )
        model.train()
    else:
        model = MusicgenMelodyForConditionalGeneration(model_config(len(tokenizer)))
        if not state_file.exists():
            initialise(model, tempo_tokens(tokenizer), steps=training.attention_steps)
    follower = Follower(model).to(device)
    optimizers = _optimizers(follower, training)
    average = {name: value.detach().clone() for name, value in follower.state_dict().items()}
    first = 0
    if state_file.exists():
        state = torch.load(state_file, map_location=device, weights_only=True)
        follower.load_state_dict(state["model"])
        average = state["average"]
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        first = int(state["step"])
        log.info("decoder goes on from step %d", first)
    rng = np.random.default_rng((training.seed, first))
    known: set[str] = set()
    pools: tuple[list[Example], list[Example]] = ([], [])
    decay_from = round(training.steps * (1 - training.decay_share))
    begun = time.monotonic()
    means = {name: RunningMean() for name in ("codes", "first", "pitch", "beat")}
    for step in range(first, training.steps):
        if (step - first) % 100 == 0:
            for example in read(folder / "codes", known):
                pools[example.codes.shape[-1] > LONG_STEPS].append(example)
        share = min(1.0, (step + 1) / WARM_UP_STEPS) * min(
            1.0, (training.steps - step) / max(1, training.steps - decay_from)
        )
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * share
        is_long = step % 3 == 2
        batch = make_batch(pools[is_long], is_long, tokenizer, rng).to(device)
        with autocast(device):
            answers = follower(batch)
        loss, figures = losses(answers, batch)
        follower.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(follower.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        fade = min(training.average, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in follower.state_dict().items():
                average[name].lerp_(value, 1 - fade)
        for name, mean in means.items():
            mean.add(figures[name])
        if step % 50 == 0:
            pace = (time.monotonic() - begun) / (step - first + 1)
            log.info(
                "decoder step %d loss %.4f first codebook %.4f pitch class found %.3f "
                "beat found %.3f pieces %d %.2f s/step",
                step, *(mean.value for mean in means.values()), sum(map(len, pools)), pace,
            )  # fmt: skip
        if (step + 1) % 200 == 0 or step + 1 in (training.steps, decay_from):
            state = {
                "model": follower.state_dict(),
                "average": average,
                "optimizers": [optimizer.state_dict() for optimizer in optimizers],
                "step": step + 1,
            }
            save_state(state_file, state)
            if step + 1 == decay_from:
                save_state(folder / "before-decay.pt", state)
            log.info("decoder saved at step %d", step + 1)
    return state_file


def model_config(vocabulary: int) -> MusicgenMelodyConfig:
    """The shape of `pocket`: 10 M parameters."""
    text = T5Config(  # type: ignore[call-arg]
        vocab_size=vocabulary, d_model=128, d_kv=32, d_ff=256, num_layers=3, num_heads=4,
        dropout_rate=0.0, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
    )  # fmt: skip
    decoder = MusicgenMelodyDecoderConfig(
        vocab_size=CODEBOOK_SIZE, max_position_embeddings=2048, num_hidden_layers=6, ffn_dim=1024,
        num_attention_heads=4, hidden_size=256, dropout=0.0, num_codebooks=CODEBOOKS * CHANNELS,
        audio_channels=CHANNELS, pad_token_id=BOS, bos_token_id=BOS,
    )  # fmt: skip
    return MusicgenMelodyConfig(
        text_encoder=text,
        audio_encoder=codec_config(),
        decoder=decoder,
        num_chroma=12,
        chroma_length=WINDOW_STEPS,
    )


@dataclass(frozen=True, eq=False)
class Answers:
    """The model's outputs at each step of a batch, as logits.

    Attributes:
        codes: `[B, K, L, V]`, the next codes.
        pitch: `[B, L, 12]`, the melody's pitch class.
        beat: `[B, L, BEAT_PHASES]`, the beat phase.
    """

    codes: Tensor
    pitch: Tensor
    beat: Tensor


class Follower(nn.Module):
    """The model in training: prefix and codes in; next codes, pitch classes and beat phases out."""

    def __init__(self, model: MusicgenMelodyForConditionalGeneration) -> None:
        super().__init__()
        parts: Any = model  # transformers types its submodules as Tensor or Module
        self.text_encoder = parts.text_encoder
        self.text_proj = parts.enc_to_dec_proj
        self.chroma_proj = parts.audio_enc_to_dec_proj
        self.decoder = parts.decoder.model.decoder
        self.heads = parts.decoder.lm_heads
        self.pitch_head = nn.Linear(self.decoder.d_model, REST)
        self.beat_head = nn.Linear(self.decoder.d_model, BEAT_PHASES)

    def forward(self, batch: Batch) -> Answers:
        """Compute the logits of a batch."""
        text = self.text_proj(
            self.text_encoder(batch.text, attention_mask=batch.text_mask).last_hidden_state
        )
        text = text * batch.keep_text[:, None, None] * batch.text_mask[..., None]
        prefix = torch.cat([self.chroma_proj(batch.chroma), text], dim=1)  # [B, 235 + T, D]
        codes = sum(table(batch.inputs[:, k]) for k, table in enumerate(self.decoder.embed_tokens))
        hidden = torch.cat([prefix, codes], dim=1)
        hidden = hidden + self.decoder.embed_positions(hidden)
        begin = prefix.shape[1]
        hidden = _through(self.decoder.layers[:AUXILIARY_LAYER], hidden)
        auxiliary = hidden[:, begin:]
        hidden = _through(self.decoder.layers[AUXILIARY_LAYER:], hidden)
        hidden = self.decoder.layer_norm(hidden[:, begin:])
        return Answers(
            codes=torch.stack([head(hidden) for head in self.heads], dim=1),
            pitch=self.pitch_head(auxiliary),
            beat=self.beat_head(auxiliary),
        )


def _through(layers: nn.ModuleList, hidden: Tensor) -> Tensor:
    """Apply layers, causal at all positions as in transformers: the prefix too is causal."""
    for layer in layers:
        output = layer(hidden, attention_mask=None)
        hidden = output[0] if isinstance(output, tuple) else output
    return hidden


def _optimizers(
    follower: Follower, training: DecoderTraining
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in follower.named_parameters():
        in_a_layer = name.startswith("decoder.layers.") and parameter.ndim == 2
        (matrices if in_a_layer else others).append(parameter)
    muon = torch.optim.Muon(
        [{"params": matrices, "peak": training.matrix_rate}],
        lr=training.matrix_rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw",
    )  # fmt: skip
    adam = torch.optim.AdamW(
        [{"params": others, "peak": training.other_rate}],
        lr=training.other_rate, betas=(0.9, 0.98), weight_decay=0.01,
    )  # fmt: skip
    return muon, adam


def losses(answers: Answers, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """The loss to minimise, and figures for the log.

    Returns:
        The weighted sum of all cross-entropies, and by name: `codes`, the weighted mean of those of
        the codes in nats; `first`, that of the first codebooks; `pitch` and `beat`, the shares of
        the steps where the pitch class and the beat phase (or its neighbour) were found, NaN where
        there is no target.
    """
    total = answers.codes.new_zeros((), dtype=torch.float32)
    first_loss = 0.0
    # Unbound once: each index on its own would have a gradient of full size, mostly zeros.
    books = zip(CODEBOOK_WEIGHTS, answers.codes.unbind(1), batch.targets.unbind(1), strict=True)
    for book, (weight, logits, targets) in enumerate(books):
        loss = _cross_entropy(logits, targets)
        total = total + weight * loss
        if book < CHANNELS:
            first_loss += loss.item() / CHANNELS
    codes_loss = total / sum(CODEBOOK_WEIGHTS)
    loss = codes_loss + BEAT_LOSS * _cross_entropy(answers.beat, batch.beats)
    figures = {"codes": codes_loss.item(), "first": first_loss, "pitch": math.nan}
    away = (answers.beat.argmax(-1) - batch.beats + 1) % BEAT_PHASES
    figures["beat"] = (away <= 2)[batch.beats != IGNORED].float().mean().item()
    has_target = batch.classes != IGNORED
    if bool(has_target.any()):
        loss = loss + PITCH_LOSS * _cross_entropy(answers.pitch, batch.classes)
        found = answers.pitch.argmax(-1) == batch.classes
        figures["pitch"] = found[has_target].float().mean().item()
    return loss, figures


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED
    )
