"""Batches for the decoder: delayed codes, conditions dropped at random, noise in the inputs.

A dropped condition is exactly transformers' null, as in `generate`: text states at zero, and chroma
of class 0 at every step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from bridge.chroma import WINDOW_STEPS
from bridge.pocket.codec import CODEBOOK_SIZE, CODEBOOKS
from bridge.pocket.dataset import MELODIES, REST, Example

CHANNELS = 2
BOS = CODEBOOK_SIZE
DELAYS = tuple(k // CHANNELS for k in range(CODEBOOKS * CHANNELS))
"""Steps by which each interleaved codebook is late: 0 0 1 1 2 2 3 3, as in transformers."""
BATCH_SHORT, BATCH_LONG = 6, 3
TEXTLESS_BATCHES = 0.12
DROP_MELODY, DROP_BOTH = 0.1, 0.08
"""Shares of the rows that have text."""
NOISY_ROWS, MOST_NOISE = 0.25, 0.2
SWAPPED_ROWS = 0.3
"""Share of the rows whose prompt mentions drums: their inputs alternate between the versions with
and without drums."""
SWAPPED_STEPS = (25, 200)
"""Codec steps between alternations: 0.5 to 4 s."""
SHORTENED_ROWS = 0.2
IGNORED = -100
"""No target, as in `torch.nn.functional.cross_entropy`."""


@dataclass(frozen=True, eq=False)
class Batch:
    """The batch of one training step; L is the delayed length, S + 3.

    Attributes:
        inputs, targets: int64 `[B, K, L]`, delayed; targets are −100 where there is no target.
        chroma: float32 `[B, 235, 12]`.
        text, text_mask: int64 `[B, T]`.
        keep_text: float32 `[B]`, 0 where the text is dropped.
        classes: int64 `[B, L]`, the melody's pitch class, −100 in rests and where it is dropped.
        beats: int64 `[B, L]`, the beat phase of a step, −100 after the piece's end.
    """

    inputs: Tensor
    targets: Tensor
    chroma: Tensor
    text: Tensor
    text_mask: Tensor
    keep_text: Tensor
    classes: Tensor
    beats: Tensor

    def to(self, device: torch.device) -> Batch:
        """Copy the batch to a device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


def make_batch(
    pool: list[Example], is_long: bool, tokenizer: PreTrainedTokenizerFast, rng: np.random.Generator
) -> Batch:
    """Draw pieces, drop conditions, shorten prompts, and add noise to the input codes."""
    rows = [
        pool[int(i)] for i in rng.integers(len(pool), size=BATCH_LONG if is_long else BATCH_SHORT)
    ]
    longest = max(row.codes.shape[-1] for row in rows)
    books = CODEBOOKS * CHANNELS
    delayed = np.full((len(rows), books, longest + books // CHANNELS), BOS)
    classes = np.full((len(rows), longest + books // CHANNELS - 1), IGNORED)
    beats = classes.copy()
    chroma = np.zeros((len(rows), WINDOW_STEPS), dtype=np.int64)
    textless = rng.random() < TEXTLESS_BATCHES
    no_text, no_melody = _dropped(len(rows), textless, rng)
    prompts = []
    delayed_inputs = delayed.copy()
    for index, row in enumerate(rows):
        steps = row.codes.shape[-1]
        version = int(rng.integers(2))
        prompt = row.prompts[version]
        prompts.append(_shortened(prompt, rng) if rng.random() < SHORTENED_ROWS else prompt)
        codes = input_codes = row.codes[version]
        if "drums" in prompts[-1] and not no_text[index] and rng.random() < SWAPPED_ROWS:
            input_codes = np.where(_alternation(steps, rng), row.codes[1 - version], codes)
        for book, delay in enumerate(DELAYS):
            delayed[index, book, 1 + delay : 1 + delay + steps] = codes[book]
            delayed_inputs[index, book, 1 + delay : 1 + delay + steps] = input_codes[book]
        beats[index, :steps] = row.beats
        if not no_melody[index]:
            chroma[index] = row.chroma[int(rng.integers(MELODIES))]
            classes[index, :steps] = np.where(
                row.classes == REST, IGNORED, row.classes.astype(np.int64)
            )
    targets = delayed[:, :, 1:].copy()
    targets[targets == BOS] = IGNORED
    inputs = _noisy(delayed_inputs[:, :, :-1], rng)
    # As in the engine, no text is a text of its own, with another length.
    text: Any = tokenizer([""] * len(rows) if textless else prompts, return_tensors="pt")
    return Batch(
        inputs=torch.from_numpy(inputs),
        targets=torch.from_numpy(targets),
        chroma=functional.one_hot(torch.from_numpy(chroma), 12).float(),
        text=text.input_ids,
        text_mask=text.attention_mask,
        keep_text=torch.from_numpy(~no_text).float(),
        classes=torch.from_numpy(classes),
        beats=torch.from_numpy(beats),
    )


def _dropped(
    rows: int, textless: bool, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Rows whose text is dropped, and rows whose melody is, `[B]` each.

    The combinations are those of generation: in a batch without text, melody alone and nothing;
    else both, text alone, and guidance's null, which drops both.
    """
    draw = rng.random(rows)
    if textless:
        return np.ones(rows, dtype=np.bool_), draw < 0.4
    both = draw < DROP_BOTH
    return both, draw < DROP_BOTH + DROP_MELODY


def _alternation(steps: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Alternate between true and false `[steps]`, for `SWAPPED_STEPS` each.

    Without this, earlier codes show so well whether there are drums that the model would ignore the
    prompt's word: a clip that began without drums would never have any.
    """
    low, high = SWAPPED_STEPS
    ends = np.cumsum(rng.integers(low, high + 1, size=-(-steps // low)))
    turns = np.searchsorted(ends, np.arange(steps), side="right")
    return np.asarray((turns + rng.integers(2)) % 2 == 1)


def _noisy(inputs: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Put random codes into inputs `[B, K, L]`: at some steps of some rows, in all codebooks.

    Input codes are then less reliable than the chroma, and the model learns to live with mistakes.
    """
    rows, _, length = inputs.shape
    share = rng.random((rows, 1)) * MOST_NOISE * (rng.random((rows, 1)) < NOISY_ROWS)
    is_noise = (rng.random((rows, length)) < share)[:, None] & (inputs != BOS)
    return np.where(is_noise, rng.integers(CODEBOOK_SIZE, size=inputs.shape), inputs)


def _shortened(prompt: str, rng: np.random.Generator) -> str:
    """The prompt without one to all but one of its phrases, as written by somebody in a hurry."""
    phrases = prompt.split(", ")
    kept = rng.permutation(len(phrases))[: int(rng.integers(1, max(2, len(phrases))))]
    return ", ".join(phrases[i] for i in sorted(kept))
