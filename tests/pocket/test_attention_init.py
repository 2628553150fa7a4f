"""Attention of the aligned and the counting heads before the decoder is trained."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import MusicgenMelodyForConditionalGeneration

from bridge.chroma import WINDOW_STEPS
from bridge.pocket.attention_init import CHROMA_PER_STEP, COUNTING, SPANS, InitialHeads, initialise
from bridge.pocket.decoder import model_config
from bridge.pocket.text import build_tokenizer, tempo_tokens

STEPS = 300
"""Optimizer steps: an eighth of the recipe's, and enough to show that they work."""
FEW_STEPS = 40
"""The aligned head has turned by then: 0.014 of its attention is near after one step, 0.53 now."""


def initialised(steps: int) -> InitialHeads:
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    model = MusicgenMelodyForConditionalGeneration(model_config(len(tokenizer)))
    return initialise(model, tempo_tokens(tokenizer), steps=steps)


@pytest.fixture(scope="module")
def heads() -> InitialHeads:
    return initialised(STEPS)


def attention_near_the_chroma_step(heads: InitialHeads) -> float:
    """The share of the aligned head's attention within 1.5 chroma steps of the right one."""
    steps = torch.arange(0, 1500, 7)
    with torch.no_grad():
        attention = torch.softmax(heads.attention_to_chroma(steps), dim=1)
    right = (steps + 0.5) * CHROMA_PER_STEP
    near = (torch.arange(WINDOW_STEPS)[None] - right[:, None]).abs() <= 1.5
    return float((attention * near).sum(1).mean())


def test_the_aligned_head_turns_to_the_chroma_step_of_a_codec_step() -> None:
    assert attention_near_the_chroma_step(initialised(FEW_STEPS)) > 0.4


@pytest.mark.slow
def test_the_aligned_head_attends_to_the_chroma_step_of_each_codec_step(
    heads: InitialHeads,
) -> None:
    assert attention_near_the_chroma_step(heads) > 0.9


@pytest.mark.slow
def test_the_counting_heads_give_the_beat_phase_at_any_tempo(heads: InitialHeads) -> None:
    for pair, (low, high) in enumerate(SPANS):
        steps = torch.arange(low, high, 7)
        cosine_and_sine = COUNTING[2 * pair : 2 * pair + 2]
        with torch.no_grad():
            across, along = (
                torch.sigmoid(heads.attention_to_tempo(head, steps)[0]) - 0.5
                for head in cosine_and_sine
            )
        away = torch.atan2(along, across) / (2 * math.pi) - heads.beats(steps)
        away = (away - away.round()).abs()[:, heads.counted]
        # By chance a quarter of them would be that near.
        assert float((away < 1 / 8).float().mean()) > 0.5
