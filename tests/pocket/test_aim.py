"""Where the aimed head looks before anything is trained."""

from __future__ import annotations

import torch
from torch.nn import functional
from transformers.models.musicgen_melody.modeling_musicgen_melody import (
    MusicgenMelodySinusoidalPositionalEmbedding,
)

from bridge.chroma import WINDOW_STEPS
from bridge.pocket.aim import CHROMA_PER_STEP, aimed_head, tempo_embeddings


def test_the_head_looks_from_a_codec_step_at_its_chroma_step() -> None:
    torch.manual_seed(0)
    positions = MusicgenMelodySinusoidalPositionalEmbedding(2048, 256).weights
    query, key = aimed_head(positions, 64)
    assert query.shape == key.shape == (64, 256)
    seen = functional.layer_norm(positions, (256,))
    steps = torch.arange(0, 1500, 7)
    right = (steps + 0.5) * CHROMA_PER_STEP
    for text_tokens in (4, 8, 14):
        attention = torch.softmax(
            (seen[WINDOW_STEPS + text_tokens + steps] @ query.T)
            @ (seen[:WINDOW_STEPS] @ key.T).T
            / 64**0.5,
            dim=1,
        )
        near = (torch.arange(WINDOW_STEPS)[None] - right[:, None]).abs() <= 2.5
        assert float((attention * near).sum(1).mean()) > 0.9


def test_near_tempos_are_alike_and_far_ones_are_not() -> None:
    torch.manual_seed(0)
    tempos = list(range(50, 201))
    table = tempo_embeddings(tempos, 128)
    assert table.shape == (151, 128)
    likeness = functional.cosine_similarity(table[tempos.index(100)], table, dim=1)
    at = dict(zip(tempos, likeness.tolist(), strict=True))
    assert at[101] > 0.9 > at[106] > at[112] > at[125]
    assert abs(at[200]) < 0.5
    assert abs(float(table.std()) - 1) < 0.1
