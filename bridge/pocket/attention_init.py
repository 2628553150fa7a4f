"""How the decoder starts out: looking at the chroma step of each codec step, and counting beats.

The decoder knows time by sinusoidal positions alone. A codec step stands 6.4 times as far along as
the chroma step that belongs to it, and how far into a beat it is depends on a word of the prompt.
Finding either is what costs a small model most of its training; as a problem of its own, on the
positions alone, it takes minutes:

- an aimed head's attention falls on the chroma step at the same time;
- the attention that a pair of counting heads pays to the tempo's token swings once a beat, one as
  the cosine of the place in the beat, the other as its sine; one pair for the first 16 s, another
  for the rest. Position 235 + T + t tells t only if the text has always the same length T, which
  the tokenizer sees to.

Both read what the first layer's feed-forward makes of the positions. The sinusoids themselves are
7.5 % apart in frequency, too coarse to be combined over 30 s; their products are not.
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
FIRST_PLACE = WINDOW_STEPS + PROMPT_WORDS + 1
"""Where the audio's positions begin: behind the chroma, the prompt's words and its end."""
CONTENT = 0.3
"""Standard deviation of what stands beside the positions when a head looks, at first."""
TEXT_NOISE = 0.1
"""The same at a token of the text, which few other things are added to."""
SWING = 0.45
"""How far a counting head's attention to the tempo's token swings about a half."""
OTHERS_LOSS, SIZE_LOSS = 0.003, 0.1
"""Weights beside counting: of attention paid to anything else, and of how much the first layer
makes of the positions. Left to itself that grows until it drowns what is heard."""
COUNTED_BPM = (60, 180)
"""Tempos that are counted from the start: those of the corpus and a few beside them."""
AIMED, COUNTING = 0, (1, 2, 3, 4)
"""Rows of a clock's weights: the aimed head, then cosine and sine of the early and of the late."""
SPANS = ((0, 800), (700, LONGEST_STEPS))
"""The codec steps that each pair counts: a head 64 wide has no room for more tempos times time."""
PLACED = ((1, 0, 0), (2, 0, 0), (1, 1, 1), (1, 2, 2), (2, 1, 3), (2, 2, 4))
"""Layer, head, and row of the weights that are set there."""


def initialise(
    model: MusicgenMelodyForConditionalGeneration,
    tempo_tokens: Mapping[int, int],
    *,
    steps: int = 2500,
) -> Clock:
    """Scale the embeddings to the positions' size, then aim and count.

    Args:
        model: freshly made.
        tempo_tokens: the token of each tempo in beats a minute.
        steps: of the descent.

    Returns:
        What was set, to be looked at.

    Draws from torch's global generator.
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
    for block in parts.text_encoder.encoder.block:  # passes words on, until it has learned more
        for linear in (block.layer[0].SelfAttention.o, block.layer[-1].DenseReluDense.wo):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5 * 0.2)
    nn.init.normal_(decoder.layers[0].fc1.weight, std=decoder.d_model**-0.5)
    nn.init.normal_(decoder.layers[0].fc2.weight, std=decoder.layers[0].fc2.in_features ** -0.5)
    clock = Clock(decoder, parts.enc_to_dec_proj, list(tempo_tokens))
    clock.set(steps)
    with torch.no_grad():
        words = parts.text_encoder.get_input_embeddings().weight
        words[list(tempo_tokens.values())] = clock.tempos * words.std()
    return clock


class Clock:
    """The first layers of a decoder, as far as aiming and counting go.

    Attributes:
        tempos: float32 `[tempos, D_text]`, the text encoder's states of the tempos' tokens.
        counted: bool `[tempos]`, which of them are counted.
        query, key: float32 `[5, width, D]`, weights of the aimed and the counting heads.
    """

    def __init__(self, decoder: Any, text_proj: nn.Linear, tempos_bpm: Sequence[int]) -> None:
        self._decoder = decoder
        self._text_proj = text_proj
        self._positions: Tensor = decoder.embed_positions.weights
        self._bpm = torch.tensor(tempos_bpm, dtype=torch.float32)
        self.counted = (self._bpm >= COUNTED_BPM[0]) & (self._bpm <= COUNTED_BPM[1])
        width = decoder.layers[0].self_attn.head_dim
        size = self._positions.shape[1]
        # What tempos have in common is what the counting heads find them by.
        self.tempos = torch.randn(len(tempos_bpm), text_proj.in_features)
        self.tempos += torch.randn(text_proj.in_features)
        self.query, self.key = (torch.randn(5, width, size) * 0.05 for _ in range(2))
        with torch.no_grad():
            audio = functional.layer_norm(self._positions[FIRST_PLACE:][:LONGEST_STEPS], (size,))
            steady = audio.mean(dim=0)
            content = self._tempo_content(noise=0.0)
            place = self._positions[WINDOW_STEPS:FIRST_PLACE].mean(dim=0)
            tempo = functional.layer_norm(place + content, (size,)).mean(dim=0)
            # As many others as there are in the middle of 30 s: log-odds of one to one.
            logit = math.log(FIRST_PLACE + LONGEST_STEPS / 2) * width**0.5
            self.query[COUNTING, -1] = steady / steady.square().sum() * logit**0.5
            self.key[COUNTING, -1] = tempo / tempo.square().sum() * logit**0.5

    def set(self, steps: int) -> None:
        """Descend for so many steps, then write the heads into the decoder's layers."""
        first = self._decoder.layers[0]
        moved = [self.tempos, self.query, self.key]
        weights = [first.fc1.weight, first.fc2.weight, self._text_proj.weight]
        for tensor in moved:
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
            aim, count, others = self._losses()
            loss = aim + 2 * count + OTHERS_LOSS * others + SIZE_LOSS * self._size()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if step % 250 == 0 or step + 1 == steps:
                log.info("aim step %d aim %.3f count %.3f", step, aim.item(), count.item())
        self.tempos, self.query, self.key = (tensor.detach() for tensor in moved)
        width = self.query.shape[1]
        with torch.no_grad():
            for layer, head, row in PLACED:
                attention = self._decoder.layers[layer].self_attn
                span = slice(head * width, (head + 1) * width)
                attention.q_proj.weight[span] = self.query[row]
                attention.k_proj.weight[span] = self.key[row]
                if row in COUNTING:
                    attention.out_proj.weight[:, span] *= 4  # to be heard above the rest

    def attention_to_chroma(self, steps: Tensor) -> Tensor:
        """Logits `[steps, 235]` of the aimed head at those codec steps, among the chroma."""
        return self._logits(
            AIMED, self._seen(FIRST_PLACE + steps), self._seen(torch.arange(WINDOW_STEPS))
        )

    def attention_to_tempo(self, head: int, steps: Tensor) -> tuple[Tensor, Tensor]:
        """Log-odds `[steps, tempos]` that a counting head looks at a tempo's token, and not at
        all else; and logits `[steps, N]` of some of what else there is, which should be 0."""
        queries = self._seen(FIRST_PLACE + steps)
        tempo_places = WINDOW_STEPS + torch.randint(PROMPT_WORDS, (len(self._bpm),))
        keys = self._seen(tempo_places, self._tempo_content(noise=TEXT_NOISE))
        before = torch.randint(FIRST_PLACE, (64,))
        after = FIRST_PLACE + torch.randint(LONGEST_STEPS, (64,))
        others = self._logits(head, queries, self._seen(torch.cat([before, after])))
        count = (FIRST_PLACE + steps + 1).log()
        return self._logits(head, queries, keys) - count[:, None], others

    def beats(self, steps: Tensor) -> Tensor:
        """How many beats have passed at each step, `[steps, tempos]`."""
        return steps[:, None] * self._bpm / STEPS_A_MINUTE

    def _losses(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of aiming, the cross-entropy; of counting, how far off; of all else, the mean square."""
        steps = torch.randint(LONGEST_STEPS, (256,))
        # Chroma step k listens around frame k * HOP, so the nearest is the one to look at.
        chroma_step = ((steps + 0.5) * CHROMA_PER_STEP).round().long()
        aim = functional.cross_entropy(
            self.attention_to_chroma(steps), chroma_step.clamp(max=WINDOW_STEPS - 1)
        )
        count, loud = aim.new_zeros(()), aim.new_zeros(())
        for pair, (low, high) in enumerate(SPANS):
            steps = torch.randint(low, high, (256,))
            angle = 2 * torch.pi * self.beats(steps)[:, self.counted]
            heads = COUNTING[2 * pair : 2 * pair + 2]
            for head, wanted in zip(heads, (angle.cos(), angle.sin()), strict=True):
                odds, others = self.attention_to_tempo(head, steps)
                count = count + functional.smooth_l1_loss(
                    odds[:, self.counted], torch.logit(0.5 + SWING * wanted)
                )
                loud = loud + others.square().mean()
        return aim, count, loud

    def _size(self) -> Tensor:
        """Mean square of what the first layer adds to the positions."""
        first = self._decoder.layers[0]
        hidden = self._positions[: FIRST_PLACE + LONGEST_STEPS : 4]
        inner = functional.gelu(first.fc1(first.final_layer_norm(hidden)))
        size: Tensor = first.fc2(inner).square().mean()
        return size

    def _seen(self, places: Tensor, content: Tensor | None = None) -> Tensor:
        """What the second layer's heads see at those places `[N]`, beside that content `[N, D]`."""
        first = self._decoder.layers[0]
        hidden = self._positions[places]
        noise = CONTENT if content is None else TEXT_NOISE
        hidden = hidden + noise * torch.randn_like(hidden) + (0.0 if content is None else content)
        inner = functional.gelu(first.fc1(first.final_layer_norm(hidden)))
        hidden = hidden + first.fc2(inner) + 0.5 * noise * torch.randn_like(hidden)
        return functional.layer_norm(hidden, hidden.shape[-1:])

    def _tempo_content(self, *, noise: float) -> Tensor:
        """What stands at the tempos' tokens beside their positions, `[tempos, D]`."""
        states = self.tempos + noise * torch.randn_like(self.tempos)
        content: Tensor = self._text_proj(functional.rms_norm(states, states.shape[-1:]))
        return content

    def _logits(self, head: int, queries: Tensor, keys: Tensor) -> Tensor:
        """`[Q, K]` of what is seen `[Q, D]` and `[K, D]`."""
        width = self.query.shape[1]
        logits: Tensor = queries @ self.query[head].T @ self.key[head] @ keys.T
        return logits / math.sqrt(width)
