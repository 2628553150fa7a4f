"""Engines with random weights of a published size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import MusicgenMelodyForCausalLM

from bridge.engine import Request
from bridge.engine.checkpoint import COMPOSITE, Location
from bridge.engine.engine import Engine
from bridge.engine.fullsize import SIZES, full_config, random_checkpoint, random_engine
from bridge.errors import BadArgument


@pytest.mark.parametrize(
    ("size", "parameters"),
    [("full", 1_409_596_416), ("mono", 1_384_424_448), ("large", 2_483_441_664)],
)
def test_the_sizes_are_the_published_ones(size: str, parameters: int) -> None:
    """Counted without allocating memory; the large one is 3.3 B only by name."""
    with torch.device("meta"):
        decoder = MusicgenMelodyForCausalLM(full_config(**SIZES[size]).decoder)
    assert sum(parameter.numel() for parameter in decoder.parameters()) == parameters


def test_a_random_engine_makes_audio_of_the_requested_length() -> None:
    """A decoder of two layers with the text encoder and the codec of the real size."""
    config = full_config(channels=2, layers=2, hidden_size=64, num_attention_heads=4, ffn_dim=128)
    checkpoint = random_checkpoint(config, torch.device("cpu"), torch.float32)
    engine = Engine(Location("random", None, None, COMPOSITE), checkpoint)  # type: ignore[arg-type]
    request = Request("a slow warm pad", seconds=0.2, seed=1)
    made = engine.generate(request)[0]
    assert made.samples.shape == (6400, 2)
    assert np.abs(made.samples).max() > 1e-4
    with engine.stream(request) as ours, engine.as_reference().stream(request) as theirs:
        codes = np.concatenate([chunk.codes for chunk in ours], axis=2)
        assert np.array_equal(codes, next(theirs).codes)


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(BadArgument, match=r"size 'huge': give full, mono, large"):
        random_engine("huge", device="cpu")
