"""How the decoder starts out: already looking at the chroma step that belongs to a codec step.

The decoder knows time by sinusoidal positions alone, and a codec step stands 235 + T places and
6.4 times as far along as the chroma step that it belongs to. Finding that line is what costs a
small model most of its training; as a problem of its own it takes seconds. (The map is not quite
linear, and least squares finds a poor one: at width 256 neighbouring frequencies are 7.5 % apart,
too coarse to be combined over 30 s.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import MusicgenMelodyForConditionalGeneration

from bridge.chroma import HOP, WINDOW_STEPS
from bridge.pocket.dataset import STEP_FRAMES

CHROMA_PER_STEP = STEP_FRAMES / HOP
LONGEST_STEPS = 1500
"""Codec steps of 30 s."""
TEXT_TOKENS = (2, 16)
"""Lengths of text to be right on average for: each moves the aim by a sixth of a chroma step."""
TEMPO_LIKENESS = (0.3, 0.06)
"""Ratios, as logarithms, over which tempos are alike: one for the coarse, one for the fine."""
CONTENT = 0.3
"""Standard deviation of what stands beside the positions when a head looks, at first."""


def initialise(
    model: MusicgenMelodyForConditionalGeneration, tempo_tokens: Mapping[int, int]
) -> None:
    """Scale the embeddings to the positions' size, aim one head of the second and third layer, and
    make tempos that are near each other alike.

    Args:
        model: freshly made.
        tempo_tokens: the token of each tempo in beats a minute.

    Draws from torch's global generator.
    """
    parts: Any = model  # transformers types its submodules as Tensor or Module
    decoder = parts.decoder.model.decoder
    for table in decoder.embed_tokens:
        nn.init.normal_(table.weight, std=0.1)
    nn.init.normal_(parts.audio_enc_to_dec_proj.weight, std=0.5)
    nn.init.zeros_(parts.audio_enc_to_dec_proj.bias)
    nn.init.normal_(parts.enc_to_dec_proj.weight, std=decoder.d_model**-0.5)
    for layer in decoder.layers:
        attention = layer.self_attn
        for linear in (attention.q_proj, attention.k_proj, attention.v_proj, layer.fc1):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5 * 0.6)
        for linear in (attention.out_proj, layer.fc2):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5 * 0.2)
    width = decoder.layers[0].self_attn.head_dim
    query, key = aimed_head(decoder.embed_positions.weights, width)
    with torch.no_grad():
        for layer in decoder.layers[1:3]:
            layer.self_attn.q_proj.weight[:width] = query
            layer.self_attn.k_proj.weight[:width] = key
        table = parts.text_encoder.get_input_embeddings().weight
        known = tempo_embeddings(list(tempo_tokens), table.shape[1])
        table[list(tempo_tokens.values())] = known * table.std()


def tempo_embeddings(tempos_bpm: Sequence[int], width: int) -> Tensor:
    """Embeddings `[tempos, width]` of unit size whose likeness falls with the tempos' distance.

    A tempo is a word like any other, and few pieces have just that one: what is learned of 96 bpm
    should hold of 97. (Random Fourier features of a Gaussian kernel over the tempo's logarithm:
    Rahimi and Recht, 2007.)
    """
    lengths = torch.tensor(TEMPO_LIKENESS).repeat(-(-width // len(TEMPO_LIKENESS)))[:width]
    angles = torch.tensor(tempos_bpm).log()[:, None] * torch.randn(width) / lengths
    return 2**0.5 * torch.cos(angles + 2 * torch.pi * torch.rand(width))


def aimed_head(positions: Tensor, width: int, *, steps: int = 300) -> tuple[Tensor, Tensor]:
    """Query and key weights of a head, found by gradient descent on where it looks.

    Args:
        positions: float32 `[places, D]`, the decoder's sinusoids.
        width: of the head.
        steps: of the descent; a few seconds.

    Returns:
        float32 `[width, D]` each. Beside nothing but positions, three quarters or more of the
        attention that they pay to chroma falls within one and a half steps of the right one.
    """
    size = positions.shape[1]
    query, key = ((torch.randn(width, size) * 0.04).requires_grad_(True) for _ in range(2))
    optimizer = torch.optim.Adam([query, key])
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * min(1.0, 2 * (steps - step) / steps)
        text_tokens = int(torch.randint(TEXT_TOKENS[0], TEXT_TOKENS[1] + 1, ()))
        codec_step = torch.randint(0, LONGEST_STEPS, (256,))
        keys = _seen(positions[:WINDOW_STEPS]) @ key.T
        queries = _seen(positions[WINDOW_STEPS + text_tokens + codec_step]) @ query.T
        # Chroma step k listens around frame k * HOP, so the nearest is the one to look at.
        chroma_step = ((codec_step + 0.5) * CHROMA_PER_STEP).round().long()
        loss = functional.cross_entropy(
            queries @ keys.T / width**0.5, chroma_step.clamp(max=WINDOW_STEPS - 1)
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return query.detach(), key.detach()


def _seen(positions: Tensor) -> Tensor:
    """Positions as a layer sees them: beside other content, and normalised."""
    return functional.layer_norm(
        positions + CONTENT * torch.randn_like(positions), positions.shape[-1:]
    )
