"""The prefix: the part of the decoder's sequence before the audio, chroma first, then text.

Only new parts are computed. The text states of recent prompts are kept. The unconditional row's
prefix differs between requests only in its length, and a shorter one is the beginning of a longer
one, so a single one is kept, which grows.
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
"""Positions by which the unconditional prefix grows. The blocks are always the same, so that an
earlier request changes no bit of a later one."""


class Conditioner:
    """Makes the prefixes of one checkpoint. Only one request may use it at a time."""

    def __init__(self, checkpoint: Checkpoint, decoder: Decoder) -> None:
        self._checkpoint = checkpoint
        self._decoder = decoder
        self._texts: OrderedDict[str | None, Tensor] = OrderedDict()
        self._null = decoder.cache(1, 1, 0)[:, :, 0]
        self._null_positions = decoder.positions(1)

    def length(self, prompt: str | None) -> int:
        """Positions of the prefix: the steps of chroma, and the tokens of the text."""
        ids, _ = tokenize(prompt, self._checkpoint.tokenizer)
        return self._checkpoint.chroma_length + len(ids)

    def states(self, request: Request, first_chroma_step: int) -> Tensor:
        """The conditional prefix `[1, length, H]`, in the decoder's number type.

        Args:
            first_chroma_step: the step of the melody, of 4096/32000 s, where the window begins.
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
        filled = self._null.shape[5]
        if filled < length:
            first = -(-self._checkpoint.chroma_length // NULL_BLOCK) * NULL_BLOCK
            end = max(first, -(-length // NULL_BLOCK) * NULL_BLOCK)
            grown = self._decoder.cache(1, 1, end)[:, :, 0]
            grown[..., :filled, :] = self._null
            self._null, self._null_positions = grown, self._decoder.positions(end)
            if not filled:
                self._fill_null(0, first)
            for start in range(max(filled, first), end, NULL_BLOCK):
                self._fill_null(start, start + NULL_BLOCK)
        return self._null[..., :length, :]

    def _fill_null(self, start: int, end: int) -> None:
        """Fill positions as transformers' unconditional row: zero text, chroma of class 0."""
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
        """The states of the text, `[1, T, H]`; zeros where the mask is 0."""
        model: Any = self._checkpoint.model
        states: Tensor = model.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        if model.text_encoder.config.hidden_size != self._decoder.hidden_size:
            states = model.enc_to_dec_proj(states)
        return states * mask[..., None]

    def _chroma_states(self, chroma: Tensor) -> Tensor:
        """The states of the chroma, `[1, chroma_length, H]`."""
        model: Any = self._checkpoint.model
        if chroma.shape[-1] == self._decoder.hidden_size:
            return chroma
        states: Tensor = model.audio_enc_to_dec_proj(chroma)
        return states
