"""Generates with transformers' own `generate`, kept simple; faster decoders are checked against it.

Rows are made one at a time. Matrix products with another number of rows round differently, and one
different code changes everything after it. So only a row that is always computed alone is the same
whatever other rows there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from bridge.engine.piece import Row
from bridge.engine.prompt import encode
from bridge.engine.sampler import gumbel_noise, noise_keys
from bridge.engine.weights import Checkpoint


def generate_row(
    checkpoint: Checkpoint, row: Row, steps: int, after_step: Callable[[float], None]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """One variation: codes `[K, steps]` and their audio `[channels, steps * 640]`.

    With `continue_from`, both begin with the overlap; the codec decodes old and new together.

    Args:
        after_step: called with the share done, over 0 and at most 1, in each decoding step; an
            error that it raises ends the generation.
    """
    model, request = checkpoint.model, row.request
    delays = checkpoint.delays
    longest_delay = int(delays.max())
    # transformers leaves out the delay pattern where there are fewer steps than delays.
    total = max(row.before + steps, longest_delay)
    record = _Record(after_step, expected=total - row.before + longest_delay)
    conditions = encode(
        request.prompt,
        request.melody,
        tokenizer=checkpoint.tokenizer,
        chroma_length=checkpoint.chroma_length,
        device=model.device,
        dtype=model.decoder.dtype,
    )
    prefix = {}
    if row.continued is not None:
        prefix["decoder_input_ids"] = torch.tensor(row.continued, device=model.device)
    audio = model.generate(
        input_ids=conditions.input_ids,
        attention_mask=conditions.attention_mask,
        input_features=conditions.input_features,
        do_sample=False,  # the processors draw; argmax takes their result
        guidance_scale=row.sampling.guidance_scale,
        max_length=1 + total + longest_delay,
        logits_processor=_processors(row, record),
        **prefix,
    )  # [1, channels, total * 640]
    codes = _undelayed(record.tokens(), delays, steps)
    first = row.before - row.overlap
    if row.continued is not None:
        codes = np.concatenate([row.continued[:, first:], codes], axis=1)
    part = slice(first * checkpoint.hop, (row.before + steps) * checkpoint.hop)
    return codes, audio[0, :, part].float().cpu().numpy()


def _undelayed(
    tokens: NDArray[np.int64], delays: NDArray[np.int64], steps: int
) -> NDArray[np.int64]:
    """Codes `[K, steps]` from drawn tokens `[K, n]`; codebook 0's first code is in column 0."""
    return np.stack([row[delay : delay + steps] for row, delay in zip(tokens, delays, strict=True)])


def _processors(row: Row, record: _Record) -> _GuidanceFirst:
    """transformers' filters in its own order, then the draw, then the record of the tokens."""
    processors, sampling = _GuidanceFirst(), row.sampling
    if sampling.do_sample:
        if sampling.temperature != 1:
            processors.then(TemperatureLogitsWarper(sampling.temperature))
        if sampling.top_k:
            processors.then(TopKLogitsWarper(sampling.top_k))
        if sampling.top_p < 1:
            processors.then(TopPLogitsWarper(sampling.top_p))
        processors.then(Draw(row.seed, row.before))
    processors.then(record)
    return processors


class _GuidanceFirst(LogitsProcessorList):
    """Puts at the front what `generate` appends: its guidance, which must come first."""

    def then(self, processor: LogitsProcessor) -> None:
        super().append(processor)

    def append(self, processor: Any) -> None:
        self.insert(0, processor)


class Draw(LogitsProcessor):
    """Adds the bridge engine's noise to the scores, so that their argmax is a sample."""

    def __init__(self, seed: int, first_step: int) -> None:
        """
        Args:
            first_step: the step of the piece that the first call draws.
        """
        self._seed, self._step = seed, first_step

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        noise = gumbel_noise(
            noise_keys([self._seed], scores.device), self._step, 1, *scores.shape
        )  # [1, 1, K, V]
        self._step += 1
        return scores + noise[0, 0]


class _Record(LogitsProcessor):
    """Records the token of each step, since `generate` returns only audio."""

    def __init__(self, after_step: Callable[[float], None], *, expected: int) -> None:
        self._after_step = after_step
        self._expected = expected
        self._tokens: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._tokens.append(scores.argmax(dim=-1))  # [K]
        self._after_step(min(1.0, len(self._tokens) / self._expected))
        return scores

    def tokens(self) -> NDArray[np.int64]:
        """The tokens `[K, n]`, in the order of the draws."""
        return torch.stack(self._tokens, dim=1).cpu().numpy()
