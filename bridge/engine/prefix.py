"""What stands before the audio in the decoder's sequence: the melody's chroma, then the text.

Of each part no more is computed than is new. A prompt's text states are kept. The unconditional
row's prefix is the same for every request but for its length, and a shorter one is the beginning of
a longer one, so there is a single one, which grows.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch

from bridge.engine.decoder import Decoder
from bridge.engine.prompt import encode, null_chroma, tokenize
from bridge.engine.request import Request
from bridge.engine.weights import Checkpoint

Tensor = torch.Tensor

KEPT_PROMPTS = 16
NULL_BLOCK = 64
"""Places by which the unconditional prefix grows. The blocks are always the same, so that what is
asked first changes no bit of what is asked later."""


class Conditioner:
    """The prefixes of one checkpoint, whose requests come one at a time."""

    def __init__(self, checkpoint: Checkpoint, decoder: Decoder) -> None:
        self._checkpoint = checkpoint
        self._decoder = decoder
        self._texts: OrderedDict[str | None, Tensor] = OrderedDict()
        self._null = decoder.cache(1, 1, 0)[:, :, 0]
        self._null_positions = decoder.positions(1)

    def length(self, prompt: str | None) -> int:
        """Places of the prefix: the chroma's, and the text's tokens."""
        ids, _ = tokenize(prompt, self._checkpoint.tokenizer)
        return self._checkpoint.chroma_length + len(ids)

    def states(self, request: Request, first_chroma_step: int) -> Tensor:
        """The conditional prefix `[1, length, H]`, in the decoder's number type.

        Args:
            first_chroma_step: where the window begins in the melody, in steps of 4096/32000 s.
        """
        conditions = encode(
            request.prompt,
            request.melody,
            tokenizer=self._checkpoint.tokenizer,
            chroma_length=self._checkpoint.chroma_length,
            first_chroma_step=first_chroma_step,
            device=self._decoder.device,
            dtype=self._decoder.dtype,
        )
        text = self._texts.get(request.prompt)
        if text is None:
            text = self._text_states(conditions.input_ids, conditions.attention_mask)
            self._texts[request.prompt] = text
            while len(self._texts) > KEPT_PROMPTS:
                self._texts.popitem(last=False)
        self._texts.move_to_end(request.prompt)
        chroma = self._chroma_states(conditions.input_features)
        return torch.cat([chroma, text], dim=1)

    def null(self, length: int) -> Tensor:
        """The cache of the unconditional prefix, `[layers, 2, G, 1, heads / G, length, D]`."""
        have = self._null.shape[5]
        if have < length:
            first = -(-self._checkpoint.chroma_length // NULL_BLOCK) * NULL_BLOCK
            wanted = max(first, -(-length // NULL_BLOCK) * NULL_BLOCK)
            grown = self._decoder.cache(1, 1, wanted)[:, :, 0]
            grown[..., :have, :] = self._null
            self._null, self._null_positions = grown, self._decoder.positions(wanted)
            if not have:
                self._fill_null(0, first)
            for start in range(max(have, first), wanted, NULL_BLOCK):
                self._fill_null(start, start + NULL_BLOCK)
        return self._null[..., :length, :]

    def _fill_null(self, start: int, end: int) -> None:
        """Zero text, and chroma of class 0, as transformers gives the unconditional row."""
        states = torch.zeros(
            (1, end - start, self._decoder.hidden_size),
            device=self._decoder.device,
            dtype=self._decoder.dtype,
        )
        chroma_length = self._checkpoint.chroma_length
        if start < chroma_length:
            chroma = torch.from_numpy(null_chroma(chroma_length)[None]).to(states)
            states[:, :chroma_length] = self._chroma_states(chroma)
        self._decoder.prefill(states, self._null, self._null_positions, start)

    def _text_states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """`[1, T, H]`; a token whose mask is 0 leaves zeros."""
        model: Any = self._checkpoint.model
        states: Tensor = model.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        if model.text_encoder.config.hidden_size != self._decoder.hidden_size:
            states = model.enc_to_dec_proj(states)
        return states * mask[..., None]

    def _chroma_states(self, chroma: Tensor) -> Tensor:
        """`[1, chroma_length, H]`."""
        model: Any = self._checkpoint.model
        if chroma.shape[-1] == self._decoder.hidden_size:
            return chroma
        states: Tensor = model.audio_enc_to_dec_proj(chroma)
        return states
