"""Batches for fine-tuning: delayed codes, and conditions dropped at random.

A dropped condition is exactly transformers' null, as in `generate`: text states at zero, and chroma
of class 0 at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bridge.chroma import one_hot
from bridge.training.examples import Example

DROP_MELODY, DROP_TEXT, DROP_BOTH = 0.1, 0.1, 0.1
"""Shares of the rows. Guidance needs the last kind; text alone and melody alone the others."""
IGNORED = -100
"""No target, as in `torch.nn.functional.cross_entropy`."""


@dataclass(frozen=True, eq=False)
class Batch:
    """The batch of one training step; L is the delayed length.

    Attributes:
        inputs, targets: int64 `[B, K, L]`, delayed; targets are −100 where there is no target.
        chroma: float32 `[B, chroma_length, 12]`.
        text, text_mask: int64 `[B, T]`.
        keep_text: float32 `[B]`, 0 where the text is dropped.
    """

    inputs: Tensor
    targets: Tensor
    chroma: Tensor
    text: Tensor
    text_mask: Tensor
    keep_text: Tensor

    def to(self, device: torch.device) -> Batch:
        """Copy the batch to a device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


def delayed(codes: NDArray[np.uint16], delays: NDArray[np.int64], start: int) -> NDArray[np.int64]:
    """Codes `[K, S]` as the decoder has them, `[K, 1 + max(delays) + S]`.

    Codebook k begins after the start token and `delays[k]` steps; elsewhere is the start token.
    """
    codebooks, steps = codes.shape
    pattern = np.full((codebooks, 1 + int(delays.max()) + steps), start, dtype=np.int64)
    for row, delay in enumerate(delays):
        pattern[row, 1 + delay : 1 + delay + steps] = codes[row]
    return pattern


def make_batch(
    rows: Sequence[Example],
    tokenizer: Any,
    delays: NDArray[np.int64],
    start: int,
    rng: np.random.Generator | None,
) -> Batch:
    """Delay the codes, tokenize the captions, and drop conditions.

    Args:
        start: the special token.
        rng: draws which conditions are dropped; None: none is, as for evaluation.
    """
    patterns = [delayed(row.codes, delays, start) for row in rows]
    longest = max(pattern.shape[1] for pattern in patterns)
    tokens = np.full((len(rows), len(delays), longest), start, dtype=np.int64)
    for index, pattern in enumerate(patterns):
        tokens[index, :, : pattern.shape[1]] = pattern
    targets = tokens[:, :, 1:].copy()
    targets[targets == start] = IGNORED
    chroma = np.stack([one_hot(row.chroma.astype(np.int64)) for row in rows])
    keep_text = np.ones(len(rows), dtype=np.float32)
    if rng is not None:
        draw = rng.random(len(rows))
        no_melody = draw < DROP_BOTH + DROP_MELODY
        no_text = (draw < DROP_BOTH) | (draw > 1 - DROP_TEXT)
        chroma[no_melody] = one_hot(np.zeros(chroma.shape[1], dtype=np.int64))
        keep_text[no_text] = 0
    text = tokenizer([row.caption for row in rows], return_tensors="pt", padding=True)
    return Batch(
        inputs=torch.from_numpy(tokens[:, :, :-1].copy()),
        targets=torch.from_numpy(targets),
        chroma=torch.from_numpy(chroma),
        text=text.input_ids,
        text_mask=text.attention_mask,
        keep_text=torch.from_numpy(keep_text),
    )


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean cross-entropy of logits `[..., V]` in nats, without the `IGNORED` targets."""
    return functional.cross_entropy(
        logits.float().flatten(0, -2), targets.flatten(), ignore_index=IGNORED
    )
