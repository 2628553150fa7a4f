"""Initial attention of the decoder: to the chroma step of each codec step, and to beats.

The decoder knows time only from sinusoidal positions. The index of a codec step is 6.4 times that
of its chroma step, and its phase within a beat depends on a word of the prompt. A small model
spends most of its training on finding these two relations. As a separate problem, on the positions
alone, it takes minutes:

- the aligned head attends to the chroma step of the same time;
- the attention of a pair of counting heads to the tempo's token oscillates once per beat, one head
  as the cosine of the beat's phase, the other as its sine. One pair counts the first 16 s, another
  the rest. Position 235 + T + t determines t only if the text always has the same length T; the
  tokenizer ensures this.

Both kinds read the first layer's feed-forward output for the positions. The sinusoids themselves
are 7.5 % apart in frequency, too coarse to be combined over 30 s; their products are not.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import MusicgenMelodyForConditionalGeneration

from bridge.chroma import HOP, WINDOW_STEPS
from bridge.pocket.music.score import STEP_FRAMES, STEPS_A_MINUTE
from bridge.pocket.text import PROMPT_WORDS

log = logging.getLogger(__name__)

CHROMA_PER_STEP = STEP_FRAMES / HOP
LONGEST_STEPS = 1500
"""Codec steps of 30 s."""
FIRST_AUDIO_POSITION = WINDOW_STEPS + PROMPT_WORDS + 1
"""The audio's first position: after the chroma, the prompt's words and its end token."""
CONTENT_STD = 0.3
"""Standard deviation of the content that is added to the positions, at the start of training."""
TEXT_CONTENT_STD = 0.1
"""The same at a text token, to which less is added."""
SWING = 0.45
"""Amplitude around 0.5 of a counting head's attention to the tempo's token."""
OTHERS_WEIGHT, SIZE_WEIGHT = 0.003, 0.1
"""Loss weights relative to counting: of attention to anything else, and of the size of the first
layer's output for the positions: without a penalty it grows until it drowns the content."""
COUNTED_BPM = (60, 180)
"""Tempos counted from the start: those of the corpus and a few beyond."""
ALIGNED, COUNTING = 0, (1, 2, 3, 4)
"""Rows of the weights: the aligned head; cosine and sine of the early and of the late pair."""
SPANS = ((0, 800), (700, LONGEST_STEPS))
"""Codec steps that each pair counts: 64 dimensions hold no more combinations of tempo and time."""
HEAD_SLOTS = ((1, 0, 0), (2, 0, 0), (1, 1, 1), (1, 2, 2), (2, 1, 3), (2, 2, 4))
"""Layer, head, and the row of the weights that initialise it."""


def initialise(
    model: MusicgenMelodyForConditionalGeneration,
    tempo_tokens: Mapping[int, int],
    *,
    steps: int = 2500,
) -> InitialHeads:
    """Scale the embeddings to the positions' size, then fit the aligned and the counting heads.

    Args:
        model: a new model.
        tempo_tokens: the token of each tempo in beats per minute.
        steps: optimizer steps.

    Returns:
        The heads, for inspection.

    It draws from torch's global generator.
    """
    parts: Any = model  # transformers types its submodules as Tensor or Module
    decoder = parts.decoder.model.decoder
    for table in decoder.embed_tokens:
        nn.init.normal_(table.weight, std=0.1)
    nn.init.normal_(parts.audio_enc_to_dec_proj.weight, std=0.5)
    nn.init.zeros_(parts.audio_enc_to_dec_proj.bias)
    nn.init.normal_(parts.enc_to_dec_proj.weight, std=2 * decoder.d_model**-0.5)
    for layer in decoder.layers:
        attention = layer.self_attn
        for linear in (attention.q_proj, attention.k_proj, attention.v_proj, layer.fc1):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5 * 0.6)
        for linear in (attention.out_proj, layer.fc2):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5 * 0.2)
    for block in parts.text_encoder.encoder.block:  # at first it passes words on unchanged
        for linear in (block.layer[0].SelfAttention.o, block.layer[-1].DenseReluDense.wo):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5 * 0.2)
    nn.init.normal_(decoder.layers[0].fc1.weight, std=decoder.d_model**-0.5)
    nn.init.normal_(decoder.layers[0].fc2.weight, std=decoder.layers[0].fc2.in_features ** -0.5)
    heads = InitialHeads(decoder, parts.enc_to_dec_proj, list(tempo_tokens))
    heads.fit(steps)
    with torch.no_grad():
        words = parts.text_encoder.get_input_embeddings().weight
        words[list(tempo_tokens.values())] = heads.tempos * words.std()
    return heads


class InitialHeads:
    """The aligned and the counting heads of a decoder's first layers.

    Attributes:
        tempos: float32 `[tempos, D_text]`, the text encoder's states of the tempos' tokens.
        counted: bool `[tempos]`, whether each tempo is counted.
        query, key: float32 `[5, width, D]`, weights of the aligned and the counting heads.
    """

    def __init__(self, decoder: Any, text_proj: nn.Linear, tempos_bpm: Sequence[int]) -> None:
        self._decoder = decoder
        self._text_proj = text_proj
        self._positions: Tensor = decoder.embed_positions.weights
        self._bpm = torch.tensor(tempos_bpm, dtype=torch.float32)
        self.counted = (self._bpm >= COUNTED_BPM[0]) & (self._bpm <= COUNTED_BPM[1])
        width = decoder.layers[0].self_attn.head_dim
        size = self._positions.shape[1]
        # The counting heads find the tempos' tokens by this common part.
        self.tempos = torch.randn(len(tempos_bpm), text_proj.in_features)
        self.tempos += torch.randn(text_proj.in_features)
        self.query, self.key = (torch.randn(5, width, size) * 0.05 for _ in range(2))
        with torch.no_grad():
            audio = functional.layer_norm(
                self._positions[FIRST_AUDIO_POSITION:][:LONGEST_STEPS], (size,)
            )
            steady = audio.mean(dim=0)
            content = self._tempo_content(noise=0.0)
            position = self._positions[WINDOW_STEPS:FIRST_AUDIO_POSITION].mean(dim=0)
            tempo = functional.layer_norm(position + content, (size,)).mean(dim=0)
            # Even odds against all the other positions that exist in the middle of 30 s.
            logit = math.log(FIRST_AUDIO_POSITION + LONGEST_STEPS / 2) * width**0.5
            self.query[COUNTING, -1] = steady / steady.square().sum() * logit**0.5
            self.key[COUNTING, -1] = tempo / tempo.square().sum() * logit**0.5

    def fit(self, steps: int) -> None:
        """Train the heads for a number of steps, then write them into the decoder's layers."""
        first = self._decoder.layers[0]
        trained = [self.tempos, self.query, self.key]
        weights = [first.fc1.weight, first.fc2.weight, self._text_proj.weight]
        for tensor in trained:
            tensor.requires_grad_(True)
        optimizer = torch.optim.Adam(
            [
                {"params": [self.tempos], "peak": 0.02},
                {"params": [self.query, self.key, *weights], "peak": 0.004},
            ]
        )
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * min(1.0, (step + 1) / 20, 2 * (steps - step) / steps)
            alignment, count, others = self._losses()
            loss = alignment + 2 * count + OTHERS_WEIGHT * others + SIZE_WEIGHT * self._size()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if step % 250 == 0 or step + 1 == steps:
                log.info(
                    "attention step %d alignment %.3f count %.3f",
                    step,
                    alignment.item(),
                    count.item(),
                )
        self.tempos, self.query, self.key = (tensor.detach() for tensor in trained)
        width = self.query.shape[1]
        with torch.no_grad():
            for layer, head, row in HEAD_SLOTS:
                attention = self._decoder.layers[layer].self_attn
                span = slice(head * width, (head + 1) * width)
                attention.q_proj.weight[span] = self.query[row]
                attention.k_proj.weight[span] = self.key[row]
                if row in COUNTING:
                    attention.out_proj.weight[:, span] *= 4  # above the other heads' output

    def attention_to_chroma(self, steps: Tensor) -> Tensor:
        """Logits `[steps, 235]` of the aligned head from codec steps to chroma steps."""
        return self._logits(
            ALIGNED,
            self._second_layer_input(FIRST_AUDIO_POSITION + steps),
            self._second_layer_input(torch.arange(WINDOW_STEPS)),
        )

    def attention_to_tempo(self, head: int, steps: Tensor) -> tuple[Tensor, Tensor]:
        """Attention of a counting head.

        Returns:
            Log-odds `[steps, tempos]` of a tempo's token against all other positions; logits
            `[steps, N]` of a sample of other positions, which should be 0.
        """
        queries = self._second_layer_input(FIRST_AUDIO_POSITION + steps)
        tempo_positions = WINDOW_STEPS + torch.randint(PROMPT_WORDS, (len(self._bpm),))
        keys = self._second_layer_input(
            tempo_positions, self._tempo_content(noise=TEXT_CONTENT_STD)
        )
        before = torch.randint(FIRST_AUDIO_POSITION, (64,))
        after = FIRST_AUDIO_POSITION + torch.randint(LONGEST_STEPS, (64,))
        others = self._logits(head, queries, self._second_layer_input(torch.cat([before, after])))
        count = (FIRST_AUDIO_POSITION + steps + 1).log()
        return self._logits(head, queries, keys) - count[:, None], others

    def beats(self, steps: Tensor) -> Tensor:
        """Beats since the start at each codec step, `[steps, tempos]`."""
        return steps[:, None] * self._bpm / STEPS_A_MINUTE

    def _losses(self) -> tuple[Tensor, Tensor, Tensor]:
        """Cross-entropy of the alignment, error of the count, mean square of all other logits."""
        steps = torch.randint(LONGEST_STEPS, (256,))
        # Chroma step k is centred on frame k * HOP, so the nearest step is the right one.
        chroma_step = ((steps + 0.5) * CHROMA_PER_STEP).round().long()
        alignment = functional.cross_entropy(
            self.attention_to_chroma(steps), chroma_step.clamp(max=WINDOW_STEPS - 1)
        )
        count, others_size = alignment.new_zeros(()), alignment.new_zeros(())
        for pair, (low, high) in enumerate(SPANS):
            steps = torch.randint(low, high, (256,))
            angle = 2 * torch.pi * self.beats(steps)[:, self.counted]
            heads = COUNTING[2 * pair : 2 * pair + 2]
            for head, target in zip(heads, (angle.cos(), angle.sin()), strict=True):
                odds, others = self.attention_to_tempo(head, steps)
                count = count + functional.smooth_l1_loss(
                    odds[:, self.counted], torch.logit(0.5 + SWING * target)
                )
                others_size = others_size + others.square().mean()
        return alignment, count, others_size

    def _size(self) -> Tensor:
        """Mean square of the first layer's addition to the positions."""
        first = self._decoder.layers[0]
        hidden = self._positions[: FIRST_AUDIO_POSITION + LONGEST_STEPS : 4]
        inner = functional.gelu(first.fc1(first.final_layer_norm(hidden)))
        size: Tensor = first.fc2(inner).square().mean()
        return size

    def _second_layer_input(self, positions: Tensor, content: Tensor | None = None) -> Tensor:
        """Input `[N, D]` of the second layer's heads at positions `[N]`, with content and noise."""
        first = self._decoder.layers[0]
        hidden = self._positions[positions]
        noise = CONTENT_STD if content is None else TEXT_CONTENT_STD
        hidden = hidden + noise * torch.randn_like(hidden) + (0.0 if content is None else content)
        inner = functional.gelu(first.fc1(first.final_layer_norm(hidden)))
        hidden = hidden + first.fc2(inner) + 0.5 * noise * torch.randn_like(hidden)
        return functional.layer_norm(hidden, hidden.shape[-1:])

    def _tempo_content(self, *, noise: float) -> Tensor:
        """Content of the tempos' tokens, without their positions, `[tempos, D]`."""
        states = self.tempos + noise * torch.randn_like(self.tempos)
        content: Tensor = self._text_proj(functional.rms_norm(states, states.shape[-1:]))
        return content

    def _logits(self, head: int, queries: Tensor, keys: Tensor) -> Tensor:
        """Attention logits `[Q, K]` of inputs `[Q, D]` and `[K, D]`."""
        width = self.query.shape[1]
        logits: Tensor = queries @ self.query[head].T @ self.key[head] @ keys.T
        return logits / math.sqrt(width)
