"""Batches for the decoder: delayed codes, conditions now and then dropped, noise in what is heard.

A dropped condition is exactly transformers' null, as in `generate`: text states at zero, and chroma
of class 0 at every step.
"""

from __future__ import annotations

from collections.abc import Iterable
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
DROP_TEXT = DROP_MELODY = DROP_BOTH = 0.1
NOISY_ROWS, MOST_NOISE = 0.25, 0.2
SWAPPED_ROWS = 0.5
"""Of those whose prompt says drums or none: what is heard back has them now and then, now not."""
SWAPPED_STEPS = (25, 200)
"""How long it stays so: 0.5 to 4 s."""
SHORTENED_BATCHES = 0.4
IGNORED = -100
"""A target that is not asked for, as in `torch.nn.functional.cross_entropy`."""


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's material; L is the delayed length, S + 3.

    Attributes:
        inputs, targets: int64 `[B, K, L]`, delayed; targets are −100 where nothing is asked.
        chroma: float32 `[B, 235, 12]`.
        text, text_mask: int64 `[B, T]`.
        keep_text: float32 `[B]`, 0 where the text is dropped.
        classes: int64 `[B, L]`, the melody's pitch class, −100 in rests and where it is dropped.
        beats: int64 `[B, L]`, where in its beat a step begins, −100 after the piece's end.
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
        """The same on a device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


def make_batch(
    pool: list[Example], is_long: bool, tokenizer: PreTrainedTokenizerFast, rng: np.random.Generator
) -> Batch:
    """Draw pieces, with dropped conditions, shortened prompts and a poor memory of what was heard."""
    rows = [
        pool[int(i)] for i in rng.integers(len(pool), size=BATCH_LONG if is_long else BATCH_SHORT)
    ]
    longest = max(row.codes.shape[1] for row in rows)
    books = CODEBOOKS * CHANNELS
    delayed = np.full((len(rows), books, longest + books // CHANNELS), BOS)
    classes = np.full((len(rows), longest + books // CHANNELS - 1), IGNORED)
    beats = classes.copy()
    chroma = np.zeros((len(rows), WINDOW_STEPS), dtype=np.int64)
    no_text, no_melody = _dropped(len(rows), rng)
    prompts = [row.prompt for row in rows]
    if rng.random() < SHORTENED_BATCHES:
        prompts = _shortened(prompts, int(rng.integers(2, 17)), rng)
    heard = delayed.copy()
    for index, row in enumerate(rows):
        steps = row.codes.shape[1]
        codes = heard_codes = row.codes
        if "drums" in prompts[index] and not no_text[index] and rng.random() < SWAPPED_ROWS:
            heard_codes = np.where(_by_turns(steps, rng), row.others, codes)
        if rng.random() < 0.5:  # the mirror image of the stereo picture
            codes, heard_codes = (
                given.reshape(CODEBOOKS, CHANNELS, steps)[:, ::-1].reshape(books, steps)
                for given in (codes, heard_codes)
            )
        for book, delay in enumerate(DELAYS):
            delayed[index, book, 1 + delay : 1 + delay + steps] = codes[book]
            heard[index, book, 1 + delay : 1 + delay + steps] = heard_codes[book]
        beats[index, :steps] = row.beats
        if not no_melody[index]:
            chroma[index] = row.chroma[int(rng.integers(MELODIES))]
            classes[index, :steps] = np.where(
                row.classes == REST, IGNORED, row.classes.astype(np.int64)
            )
    targets = delayed[:, :, 1:].copy()
    targets[targets == BOS] = IGNORED
    inputs = _noisy(heard[:, :, :-1], rng)
    text: Any = tokenizer(prompts, padding=True, return_tensors="pt")
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


def _dropped(rows: int, rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whose text is dropped and whose melody, `[B]` each: one, the other, or both at once."""
    fate = rng.random(rows)
    both = fate > 1 - DROP_BOTH
    no_text = (fate < DROP_TEXT) | both
    no_melody = (fate > DROP_TEXT) & (fate < DROP_TEXT + DROP_MELODY) | both
    return no_text, no_melody


def _by_turns(steps: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """True and false `[steps]` by turns, for `SWAPPED_STEPS` each.

    What was played tells so well whether there are drums that their word would go unread: a
    clip that began without them would never have any.
    """
    low, high = SWAPPED_STEPS
    ends = np.cumsum(rng.integers(low, high + 1, size=-(-steps // low)))
    turn = np.searchsorted(ends, np.arange(steps), side="right")
    return np.asarray((turn + rng.integers(2)) % 2 == 1)


def _noisy(inputs: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Inputs `[B, K, L]` with random codes at some steps of some rows, in all codebooks at once.

    What is heard back is then a poorer witness than the chroma, and mistakes are lived with.
    """
    rows, _, length = inputs.shape
    share = rng.random((rows, 1)) * MOST_NOISE * (rng.random((rows, 1)) < NOISY_ROWS)
    struck = (rng.random((rows, length)) < share)[:, None] & (inputs != BOS)
    return np.where(struck, rng.integers(CODEBOOK_SIZE, size=inputs.shape), inputs)


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
