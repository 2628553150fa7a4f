"""Turns prompt and melody into the tensors that transformers expects, without its processor.

The processor's feature extractor needs torchaudio; chroma comes from `bridge.chroma` instead. A
condition that is left out becomes exactly transformers' null: the model sees what it saw in
training when that condition was dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from bridge.engine.request import PITCH_CLASSES


@dataclass(frozen=True, eq=False)
class Conditions:
    """The conditions of one row.

    Attributes:
        input_ids: int64 `[1, T]`, the prompt's tokens.
        attention_mask: int64 `[1, T]`; 0 throughout where text is left out.
        input_features: `[1, chroma_length, 12]`, one-hot chroma in the model's number type.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    input_features: torch.Tensor


def encode(
    prompt: str | None,
    melody: NDArray[np.float32] | None,
    *,
    tokenizer: PreTrainedTokenizerBase,
    chroma_length: int,
    first_chroma_step: int = 0,
    device: torch.device,
    dtype: torch.dtype,
) -> Conditions:
    """The conditions of one row. Never padded: the length of the text moves the audio's positions.

    Args:
        first_chroma_step: the step of the repeating melody where the window begins.
    """
    ids, mask = tokenize(prompt, tokenizer)
    chroma = null_chroma(chroma_length)
    if melody is not None:
        chroma = tile(melody, chroma_length, first_chroma_step)
    return Conditions(
        torch.tensor([ids], dtype=torch.int64, device=device),
        torch.tensor([mask], dtype=torch.int64, device=device),
        torch.from_numpy(chroma[None]).to(device=device, dtype=dtype),
    )


def tokenize(prompt: str | None, tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Token ids and their mask.

    None gives the tokenizer's empty text with its mask at 0, as transformers'
    `MusicgenMelodyProcessor.get_unconditional_inputs` does. Always pass the ids: without them
    `generate` feeds the decoder's start token to the text encoder, which a small vocabulary lacks.
    """
    ids = list(tokenizer(prompt or "")["input_ids"])
    if not ids:
        # The tokenizer adds no `</s>`: use a masked padding token for no text.
        return [tokenizer.pad_token_id or 0], [0]
    return ids, [0 if prompt is None else 1] * len(ids)


def null_chroma(steps: int) -> NDArray[np.float32]:
    """`[steps, 12]` with class 0 at 1, as `MusicgenMelodyForConditionalGeneration` fills it in."""
    chroma = np.zeros((steps, PITCH_CLASSES), dtype=np.float32)
    chroma[:, 0] = 1
    return chroma


def tile(melody: NDArray[np.float32], steps: int, first: int = 0) -> NDArray[np.float32]:
    """The melody, repeated in whole steps as in transformers, as `[steps, 12]` from `first` on."""
    return melody[(first + np.arange(steps)) % len(melody)]
