"""Train the text encoder and the decoder on the codes of the corpus.

The modules are transformers' own, so the weights are an ordinary MusicGen Melody checkpoint; only
the loop is ours. Three things make a small model follow on two CPU cores:

- a pitch-class head on a middle layer, dropped at export: it rewards finding the chroma step that
  belongs to the codec step, long before the codes themselves would;
- one attention head that starts out looking there (`_aim_head`): the sinusoidal positions of a
  codec step and of its chroma step are related by a fixed linear map, which least squares finds;
- noise in the codes that are heard back, so that the chroma is the better witness.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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
from bridge.pocket.codec import CODEBOOK_SIZE, CODEBOOKS, codec_config, save_state
from bridge.pocket.dataset import MELODIES, REST, Example, read
from bridge.pocket.text import build_tokenizer

log = logging.getLogger(__name__)

CHANNELS = 2
BOS = CODEBOOK_SIZE
DELAYS = tuple(k // CHANNELS for k in range(CODEBOOKS * CHANNELS))
"""Steps by which each interleaved codebook is late: 0 0 1 1 2 2 3 3, as in transformers."""
CHROMA_PER_STEP = 640 / 4096
LONG_STEPS = 600
"""Pieces with more codec steps than this go into the batches of long ones."""
BATCH_SHORT, BATCH_LONG = 8, 3
DROP_TEXT = DROP_MELODY = DROP_BOTH = 0.1
NOISY_ROWS, MOST_NOISE = 0.5, 0.25
PITCH_LOSS = 0.15
PITCH_LAYER = 3
"""The pitch-class head listens after this many layers."""
CODEBOOK_WEIGHTS = (1.5, 1.5, 1.0, 1.0, 0.8, 0.8, 0.7, 0.7)
"""The first codebook carries most of what is heard."""


@dataclass(frozen=True)
class DecoderTraining:
    """What a run of the decoder's training is.

    Attributes:
        steps: optimizer steps in all; the learning rate falls to zero over the last share.
        decay_share: that share. A run can be prolonged from the state before it.
        matrix_rate: learning rate of Muon, for the matrices of the layers.
        other_rate: of AdamW, for embeddings, heads, norms and the text encoder.
        seed: of the weights and the draws.
        device: torch device.
        average: decay of the moving mean of the weights, which is what is exported.
    """

    steps: int = 6000
    decay_share: float = 0.25
    matrix_rate: float = 2e-3
    other_rate: float = 1.5e-3
    seed: int = 0
    device: str = "cpu"
    average: float = 0.998


def model_config(vocabulary: int) -> MusicgenMelodyConfig:
    """The shape of `pocket`: 10 M parameters."""
    text = T5Config(
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


class PitchFollower(nn.Module):
    """The model as it trains: prefix and codes in, logits and pitch classes out."""

    def __init__(self, model: MusicgenMelodyForConditionalGeneration) -> None:
        super().__init__()
        self.text_encoder = model.text_encoder
        self.text_proj = model.enc_to_dec_proj
        self.chroma_proj = model.audio_enc_to_dec_proj
        self.decoder = model.decoder.model.decoder
        self.heads = model.decoder.lm_heads
        self.pitch_head = nn.Linear(self.decoder.d_model, REST)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits `[B, K, L, V]` of the next codes, pitch-class logits `[B, L, 12]`."""
        text = self.text_proj(
            self.text_encoder(batch.text, attention_mask=batch.text_mask).last_hidden_state
        )
        text = text * batch.keep_text[:, None, None] * batch.text_mask[..., None]
        prefix = torch.cat([self.chroma_proj(batch.chroma), text], dim=1)  # [B, 235 + T, D]
        codes = sum(
            table(batch.inputs[:, k]) for k, table in enumerate(self.decoder.embed_tokens)
        )
        hidden = torch.cat([prefix, codes], dim=1)
        hidden = hidden + self.decoder.embed_positions(hidden)
        pitch = None
        for index, layer in enumerate(self.decoder.layers, 1):
            output = layer(hidden, attention_mask=None)
            hidden = output[0] if isinstance(output, tuple) else output
            if index == PITCH_LAYER:
                pitch = self.pitch_head(hidden[:, prefix.shape[1] :])
        hidden = self.decoder.layer_norm(hidden[:, prefix.shape[1] :])
        return torch.stack([head(hidden) for head in self.heads], dim=1), pitch


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's material; L is the delayed length, S + 3.

    Attributes:
        inputs, targets: int64 `[B, K, L]`, delayed; targets are −100 where nothing is asked.
        chroma: float32 `[B, 235, 12]`.
        text, text_mask: int64 `[B, T]`.
        keep_text: float32 `[B]`, 0 where the text is dropped.
        classes: int64 `[B, L]`, the melody's pitch class, −100 in rests and where it is dropped.
    """

    inputs: Tensor
    targets: Tensor
    chroma: Tensor
    text: Tensor
    text_mask: Tensor
    keep_text: Tensor
    classes: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


def train_decoder(folder: Path, training: DecoderTraining) -> Path:
    """Train on the shards in `folder/codes`, or go on from `folder/decoder.pt`.

    Shards that appear while it runs are taken in. The state is saved every 200 steps, and once
    more as `folder/before-decay.pt` where the learning rate begins to fall.

    Returns:
        The file of the last state, with `average` holding what is to be exported.
    """
    torch.manual_seed(training.seed)
    device = torch.device(training.device)
    tokenizer = build_tokenizer()
    model = MusicgenMelodyForConditionalGeneration(model_config(len(tokenizer)))
    initialise(model)
    follower = PitchFollower(model).to(device)
    optimizers = _optimizers(follower, training)
    average = {name: value.detach().clone() for name, value in follower.state_dict().items()}
    state_file = folder / "decoder.pt"
    first = 0
    if state_file.exists():
        state = torch.load(state_file, map_location=device, weights_only=True)
        follower.load_state_dict(state["model"])
        average = state["average"]
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        first = int(state["step"])
        log.info("going on from step %d", first)
    rng = np.random.default_rng((training.seed, first))
    known: set[str] = set()
    pools: tuple[list[Example], list[Example]] = ([], [])
    decay_from = round(training.steps * (1 - training.decay_share))
    begun = time.monotonic()
    means = np.zeros(3)
    for step in range(first, training.steps):
        if (step - first) % 100 == 0:
            for example in read(folder / "codes", known):
                pools[example.codes.shape[1] > LONG_STEPS].append(example)
        share = min(1.0, (step + 1) / 200) * min(
            1.0, (training.steps - step) / max(1, training.steps - decay_from)
        )
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * share
        batch = make_batch(pools[step % 3 == 2], step % 3 == 2, tokenizer, rng).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            logits, pitch = follower(batch)
        codes_loss, first_loss, pitch_loss, hit = losses(logits, pitch, batch)
        follower.zero_grad(set_to_none=True)
        (codes_loss + PITCH_LOSS * pitch_loss).backward()
        nn.utils.clip_grad_norm_(follower.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        fade = min(training.average, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in follower.state_dict().items():
                average[name].lerp_(value, 1 - fade)
        means = means * 0.98 + 0.02 * np.array([codes_loss.item(), first_loss, hit])
        if step % 50 == 0:
            unbiased = means / (1 - 0.98 ** (step - first + 1))
            pace = (time.monotonic() - begun) / (step - first + 1)
            log.info(
                "decoder step %d loss %.4f first codebook %.4f pitch class found %.3f "
                "pieces %d %.2f s/step", step, *unbiased, sum(map(len, pools)), pace,
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
    return state_file


def initialise(model: MusicgenMelodyForConditionalGeneration) -> None:
    """Scale the embeddings to the positions' size, and aim one head of the second layer."""
    decoder = model.decoder.model.decoder
    width = decoder.d_model
    for table in decoder.embed_tokens:
        nn.init.normal_(table.weight, std=0.25)
    nn.init.normal_(model.audio_enc_to_dec_proj.weight, std=1.0)
    nn.init.zeros_(model.audio_enc_to_dec_proj.bias)
    nn.init.normal_(model.enc_to_dec_proj.weight, std=width**-0.5)
    for layer in decoder.layers:
        attention = layer.self_attn
        for linear in (attention.q_proj, attention.k_proj, attention.v_proj, layer.fc1):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5 * 0.6)
        for linear in (attention.out_proj, layer.fc2):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5 * 0.2)
    for layer in decoder.layers[1:3]:
        _aim_head(layer.self_attn, decoder.embed_positions.weights)


def _aim_head(attention: nn.Module, positions: Tensor, text_tokens: int = 8) -> None:
    """Make head 0 look from each codec step at its chroma step.

    Keys pick pairs (cos, sin) of the frequencies w of a chroma step's position c. Queries are the
    least-squares map from the position of a codec step t to (cos, sin) of w at c = t * 640 / 4096.
    Their product sums cos(w * (c - c_t)), which is largest at the right chroma step.
    """
    width = attention.head_dim
    half = positions.shape[1] // 2
    # Periods from 6 to 300 chroma steps: shorter is blurred anyway, longer tells nothing apart.
    rates = np.exp(-np.log(10_000) / (half - 1) * np.arange(half))
    usable = np.flatnonzero((rates < 2 * np.pi / 6) & (rates > 2 * np.pi / 300))
    picks = usable[np.linspace(0, len(usable) - 1, width // 2).round().astype(int)]
    steps = np.arange(1500)
    centre = (steps + 0.5) * CHROMA_PER_STEP
    angles = centre[:, None] * rates[picks]
    wanted = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    given = positions[WINDOW_STEPS + text_tokens : WINDOW_STEPS + text_tokens + 1500].double().numpy()
    ridge = 1e-2 * np.eye(given.shape[1])
    query = np.linalg.solve(given.T @ given + ridge, given.T @ wanted).T
    key = np.zeros((width, positions.shape[1]))
    key[np.arange(width // 2), picks] = 1.0
    key[np.arange(width // 2) + width // 2, half + picks] = 1.0
    with torch.no_grad():
        attention.q_proj.weight[:width] = torch.from_numpy(query * 3.0).float()
        attention.k_proj.weight[:width] = torch.from_numpy(key * 3.0).float()


def _optimizers(
    follower: PitchFollower, training: DecoderTraining
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    matrices, others = [], []
    for name, parameter in follower.named_parameters():
        (matrices if name.startswith("decoder.layers.") and parameter.ndim == 2 else others).append(
            parameter
        )
    muon = torch.optim.Muon(
        [{"params": matrices, "peak": training.matrix_rate}],
        lr=training.matrix_rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw",
    )  # fmt: skip
    adam = torch.optim.AdamW(
        [{"params": others, "peak": training.other_rate}],
        lr=training.other_rate, betas=(0.9, 0.98), weight_decay=0.01,
    )  # fmt: skip
    return muon, adam


def make_batch(
    pool: list[Example], is_long: bool, tokenizer: object, rng: np.random.Generator
) -> Batch:
    """Draw a batch of pieces with dropped conditions, shortened prompts and noisy inputs."""
    rows = [pool[int(i)] for i in rng.integers(len(pool), size=BATCH_LONG if is_long else BATCH_SHORT)]
    longest = max(row.codes.shape[1] for row in rows)
    books = CODEBOOKS * CHANNELS
    delayed = np.full((len(rows), books, longest + books // CHANNELS), BOS)
    classes = np.full((len(rows), longest + books // CHANNELS - 1), -100)
    chroma = np.zeros((len(rows), WINDOW_STEPS), dtype=np.int64)
    fate = rng.random(len(rows))
    no_text = (fate < DROP_TEXT) | ((fate > 1 - DROP_BOTH))
    no_melody = (fate > DROP_TEXT) & (fate < DROP_TEXT + DROP_MELODY) | (fate > 1 - DROP_BOTH)
    for index, row in enumerate(rows):
        steps = row.codes.shape[1]
        codes = row.codes
        if rng.random() < 0.5:  # the mirror image of the stereo picture
            codes = codes.reshape(CODEBOOKS, CHANNELS, steps)[:, ::-1].reshape(books, steps)
        for book, delay in enumerate(DELAYS):
            delayed[index, book, 1 + delay : 1 + delay + steps] = codes[book]
        if not no_melody[index]:
            chroma[index] = row.chroma[int(rng.integers(MELODIES))]
            classes[index, :steps] = np.where(
                row.classes == REST, -100, row.classes.astype(np.int64)
            )
    inputs, targets = delayed[:, :, :-1].copy(), delayed[:, :, 1:].copy()
    targets[targets == BOS] = -100
    noisy = rng.random((len(rows), 1)) * MOST_NOISE * (rng.random((len(rows), 1)) < NOISY_ROWS)
    struck = (rng.random((len(rows), inputs.shape[2])) < noisy)[:, None] & (inputs != BOS)
    inputs = np.where(struck, rng.integers(CODEBOOK_SIZE, size=inputs.shape), inputs)
    text = tokenizer(  # type: ignore[operator]
        _shortened([row.prompt for row in rows], int(rng.integers(2, 17)), rng),
        padding=True, return_tensors="pt",
    )  # fmt: skip
    return Batch(
        inputs=torch.from_numpy(inputs),
        targets=torch.from_numpy(targets),
        chroma=functional.one_hot(torch.from_numpy(chroma), 12).float(),
        text=text.input_ids,
        text_mask=text.attention_mask,
        keep_text=torch.from_numpy(~no_text).float(),
        classes=torch.from_numpy(classes),
    )


def _shortened(prompts: Iterable[str], words: int, rng: np.random.Generator) -> list[str]:
    """Prompts with phrases dropped until they have about that many words.

    The text's length moves the positions of the audio, so every length has to be met.
    """
    short = []
    for prompt in prompts:
        phrases = prompt.split(", ")
        while len(phrases) > 1 and sum(len(phrase.split()) for phrase in phrases) > words:
            phrases.pop(int(rng.integers(len(phrases))))
        short.append(", ".join(phrases))
    return short


def losses(logits: Tensor, pitch: Tensor, batch: Batch) -> tuple[Tensor, float, Tensor, float]:
    """Weighted mean cross-entropy of the codes, that of the first codebooks, the pitch loss, and
    the share of steps whose pitch class was found."""
    total = logits.new_zeros((), dtype=torch.float32)
    of_first = 0.0
    for book, weight in enumerate(CODEBOOK_WEIGHTS):
        loss = functional.cross_entropy(
            logits[:, book].float().flatten(0, 1), batch.targets[:, book].flatten(), ignore_index=-100
        )
        total = total + weight * loss
        if book < CHANNELS:
            of_first += loss.item() / CHANNELS
    asked = batch.classes != -100
    if not bool(asked.any()):
        return total / sum(CODEBOOK_WEIGHTS), of_first, pitch.float().sum() * 0.0, float("nan")
    pitch_loss = functional.cross_entropy(
        pitch.float().flatten(0, 1), batch.classes.flatten(), ignore_index=-100
    )
    hit = (pitch.argmax(-1) == batch.classes)[asked].float().mean().item()
    return total / sum(CODEBOOK_WEIGHTS), of_first, pitch_loss, hit
