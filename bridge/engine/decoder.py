"""MusicGen Melody's decoder over a static key-value cache: one step is one column of tokens.

The weights are those of transformers' `MusicgenMelodyForCausalLM`, fused: query, key and value in
one matrix, the heads of all codebooks in one, and their embeddings in one table.

It does not know delays, sampling or text: tokens and states in, logits out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from bridge.engine.sampler import Sampler

Tensor = torch.Tensor
CPU_BLOCKS = 4
"""Blocks of a float32 matrix on the CPU. MKL gives a product of few rows to a single core, but
shares the blocks of a batched product among cores (README)."""


class DrawingSteps(Protocol):
    """Steps of a batch on the CPU, from tokens to tokens."""

    def begin(self) -> None:
        """Draw with the sampler's settings from now on."""

    def __call__(self, tokens: NDArray[np.int64], slot: int, row: int) -> NDArray[np.int64]:
        """Add one position to the cache, and draw the tokens after it.

        Args:
            tokens: int64 `[B, K]`.
            slot: the new position.
            row: of the noise.

        Returns:
            int64 `[B, K]`, valid until the next step.
        """


@dataclass(frozen=True, eq=False)
class _Norm:
    """A layer norm, without the cost of calling a module."""

    weight: Tensor  # [H]
    bias: Tensor  # [H]
    eps: float

    @classmethod
    def of(cls, module: Any) -> _Norm:
        """The same norm as a module's."""
        return cls(module.weight.detach(), module.bias.detach(), float(module.eps))

    def __call__(self, hidden: Tensor) -> Tensor:
        return torch.layer_norm(hidden, self.weight.shape, self.weight, self.bias, self.eps)


@dataclass(frozen=True, eq=False)
class _Layer:
    """One layer's weights, in G blocks: columns of the first product, rows of the second."""

    attention_norm: _Norm
    query_key_value: Tensor  # [G, H, 3 * H / G]
    attention_out: Tensor  # [G, H / G, H]
    feed_norm: _Norm
    feed_in: Tensor  # [G, H, ffn / G]
    feed_out: Tensor  # [G, ffn / G, H]
    activation: Callable[[Tensor], Tensor]


class Decoder:
    """The decoder of one checkpoint.

    A unit is the rows that go into one matrix product. In float32 each sequence is its own unit, so
    its logits are bit for bit the same whatever other sequences are in the batch. In the smaller
    types all rows are one unit.

    Attributes:
        hidden_size: H.
        heads: of attention.
        num_codebooks: K.
        codebook_size: V; token V is the start token and the padding.
        blocks: G, into which the heads are grouped.
        exact: whether each sequence is its own unit.
    """

    def __init__(self, causal_lm: Any, *, blocks: int | None = None) -> None:
        """Fuse the weights.

        In several blocks they are copied; otherwise transformers' parameters become views of the
        fused ones.

        Args:
            causal_lm: a `MusicgenMelodyForCausalLM` on its device, in its number type.
            blocks: G; None: several in float32 on the CPU.
        """
        config, decoder = causal_lm.config, causal_lm.model.decoder
        self.hidden_size = int(config.hidden_size)
        self.heads = int(config.num_attention_heads)
        self.num_codebooks = int(config.num_codebooks)
        self.codebook_size = int(config.vocab_size)
        self._embeddings = _stacked([table.weight for table in decoder.embed_tokens])
        self.exact = self.dtype is torch.float32
        self.blocks = blocks or 1
        if blocks is None and self.device.type == "cpu" and self.exact:
            sizes = (self.heads, int(config.ffn_dim))
            self.blocks = max(n for n in (1, 2, CPU_BLOCKS) if not any(size % n for size in sizes))
        self._first_rows = torch.arange(self.num_codebooks, device=self.device) * (
            self.codebook_size + 1
        )
        self._layers = [_layer(module, self.blocks) for module in decoder.layers]
        self._last_norm = _Norm.of(decoder.layer_norm)
        logit_heads = [head.weight for head in causal_lm.lm_heads]
        if self.blocks == 1:
            self._logit_heads = _columns(logit_heads, 1)  # [1, H, K * V]
        else:
            self._logit_heads = torch.stack(
                [head.detach().t() for head in logit_heads]
            ).contiguous()  # [K, H, V]
        self._sinusoids = decoder.embed_positions.get_embedding

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self._embeddings.device

    @property
    def dtype(self) -> torch.dtype:
        """The number type of weights and cache."""
        return self._embeddings.dtype

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights that a step reads: all matrices; the embeddings hardly count."""
        matrices = [self._logit_heads]
        for layer in self._layers:
            matrices += [
                layer.query_key_value,
                layer.attention_out,
                layer.feed_in,
                layer.feed_out,
            ]
        return sum(matrix.nbytes for matrix in matrices)

    def cache(self, units: int, rows: int, capacity: int) -> Tensor:
        """An uninitialized cache of keys and values.

        Its shape is `[layers, 2, units, G, rows, heads / G, capacity, D]`, D the size of a head.
        """
        return torch.empty(
            (
                len(self._layers),
                2,
                units,
                self.blocks,
                rows,
                self.heads // self.blocks,
                capacity,
                self.hidden_size // self.heads,
            ),
            device=self.device,
            dtype=self.dtype,
        )

    def positions(self, count: int) -> Tensor:
        """The sinusoids to add to the states of the first `count` positions, `[count, H]`."""
        table: Tensor = self._sinusoids(count, self.hidden_size)
        return table.to(device=self.device, dtype=self.dtype)

    def embed(self, tokens: Tensor) -> Tensor:
        """The sum of the codebooks' embeddings: int64 `[..., K]` to states `[..., H]`."""
        return functional.embedding(tokens + self._first_rows, self._embeddings).sum(-2)

    def prefill(self, states: Tensor, cache: Tensor, positions: Tensor, start: int) -> None:
        """Write the keys and values of states into the cache, from position `start` on.

        The positions before `start` must be filled. Returns no logits: the first drawn token comes
        from a step.

        Args:
            states: `[N, n, H]`, without the sinusoids of their positions.
            cache: of N rows of one unit, `[layers, 2, G, N, heads / G, capacity, D]`.
            positions: the sinusoids, at least as many as the cache's capacity.
        """
        rows, count, _ = states.shape
        end = start + count
        mask = None
        if start:
            mask = torch.ones((count, end), dtype=torch.bool, device=states.device).tril(start)
        hidden = (states + positions[start:end]).flatten(0, 1)[None]  # [1, N * n, H]
        for layer, kept in zip(self._layers, cache, strict=True):
            fused = column_parallel(layer.attention_norm(hidden), layer.query_key_value)
            fused = fused.view(self.blocks, rows, count, 3, self.heads // self.blocks, -1)
            query, key, value = fused.transpose(2, 4).unbind(3)  # [G, N, heads / G, n, D] each
            kept[0, ..., start:end, :] = key
            kept[1, ..., start:end, :] = value
            if layer is self._layers[-1]:
                # Later steps need only the keys and values of the last layer.
                return
            mixed = functional.scaled_dot_product_attention(
                query.flatten(0, 1),
                kept[0, ..., :end, :].flatten(0, 1),
                kept[1, ..., :end, :].flatten(0, 1),
                attn_mask=mask,
                is_causal=mask is None,
            )  # [G * N, heads / G, n, D]
            mixed = mixed.transpose(1, 2).reshape(1, self.blocks, rows * count, -1)
            hidden = row_parallel(hidden, mixed, layer.attention_out)
            inner = layer.activation(column_parallel(layer.feed_norm(hidden), layer.feed_in))
            hidden = row_parallel(hidden, inner, layer.feed_out)

    def drawing_steps(
        self, cache: Tensor, positions: Tensor, noise: Tensor, sampler: Sampler
    ) -> DrawingSteps | None:
        """Steps over a batch's cache that draw as well; None: this decoder has only `step`.

        Args:
            cache, positions: of the batch.
            noise: float32 `[steps, B, K, V]`, of which each step takes a row.
            sampler: of the batch; the steps draw as it does.
        """
        del cache, positions, noise, sampler
        return None

    def step(
        self,
        tokens: Tensor,
        cache: Tensor,
        positions: Tensor,
        slot: Tensor,
        span: int,
        mask: Tensor | None,
    ) -> Tensor:
        """Add one position to the cache, and predict the tokens after it.

        Args:
            tokens: int64 `[B, K]`; all rows of a sequence get the same.
            cache: of those sequences, as `cache` makes it.
            positions: the sinusoids, at least as many as the cache's capacity.
            slot: int64 `[1]`, the new position, on the device.
            span: how many positions of the cache are read, from its start; over the slot.
            mask: bool `[1, 1, 1, span]`, False past the slot; None where the span ends at the slot.

        Returns:
            float32 logits `[B, rows, K, V]`.
        """
        batch, (units, rows) = len(tokens), (cache.shape[2], cache.shape[4])
        hidden = self.embed(tokens) + positions.index_select(0, slot)  # [B, H]
        per_sequence = units * rows // batch
        hidden = hidden[:, None].expand(-1, per_sequence, -1).reshape(units, rows, -1)
        kept = cache.flatten(2, 4)  # [layers, 2, units * G * rows, heads / G, capacity, D]
        seen = kept[..., :span, :]
        for layer, kept_here, seen_here in zip(self._layers, kept, seen, strict=True):
            fused = column_parallel(layer.attention_norm(hidden), layer.query_key_value)
            fused = fused.view(kept.shape[2], 3, kept.shape[3], 1, -1)
            kept_here.index_copy_(3, slot, fused[:, 1:].transpose(0, 1))
            keys, values = seen_here.unbind(0)
            mixed = functional.scaled_dot_product_attention(
                fused[:, 0], keys, values, attn_mask=mask
            )  # [units * G * rows, heads / G, 1, D]
            mixed = mixed.reshape(units, self.blocks, rows, -1)
            hidden = row_parallel(hidden, mixed, layer.attention_out)
            inner = layer.activation(column_parallel(layer.feed_norm(hidden), layer.feed_in))
            hidden = row_parallel(hidden, inner, layer.feed_out)
        logits = column_parallel(self._last_norm(hidden), self._logit_heads)  # [units, G', rows, …]
        logits = logits.view(units, logits.shape[1], batch // units, per_sequence, -1)
        logits = logits.movedim(1, 3)  # [units, B / units, rows of one, G', …]
        return logits.reshape(batch, per_sequence, self.num_codebooks, -1).float()


def column_parallel(hidden: Tensor, blocks: Tensor) -> Tensor:
    """Multiply `[units, rows, in]` by each block of columns `[G, in, out]`.

    Returns `[units, G, rows, out]`.
    """
    if len(blocks) == 1 and len(hidden) == 1:
        return (hidden[0] @ blocks[0])[None, None]
    if len(hidden) == 1:
        return torch.bmm(hidden.expand(len(blocks), -1, -1), blocks)[None]
    # Unit by unit, so that a product does not depend on the other units.
    return torch.stack([torch.bmm(unit.expand(len(blocks), -1, -1), blocks) for unit in hidden])


def row_parallel(onto: Tensor, inner: Tensor, blocks: Tensor) -> Tensor:
    """Add the product of `[units, G, rows, in]` and blocks of rows `[G, in, out]` onto `onto`.

    `onto` and the result are `[units, rows, out]`.
    """
    if len(blocks) == 1 and len(inner) == 1:
        return torch.addmm(onto[0], inner[0, 0], blocks[0])[None]
    if len(inner) == 1:
        return onto + torch.bmm(inner[0], blocks).sum(0)
    return onto + torch.stack([torch.bmm(unit, blocks).sum(0) for unit in inner])


def _layer(module: Any, blocks: int) -> _Layer:
    attention = module.self_attn
    parts = (attention.q_proj, attention.k_proj, attention.v_proj)
    return _Layer(
        attention_norm=_Norm.of(module.self_attn_layer_norm),
        query_key_value=_columns([part.weight for part in parts], blocks),
        attention_out=_rows(attention.out_proj.weight, blocks),
        feed_norm=_Norm.of(module.final_layer_norm),
        feed_in=_columns([module.fc1.weight], blocks),
        feed_out=_rows(module.fc2.weight, blocks),
        activation=module.activation_fn,
    )


def _columns(parameters: Sequence[torch.nn.Parameter], blocks: int) -> Tensor:
    """Weights `[out, in]` side by side as `[G, in, all out / G]`; a block has a part of each."""
    if blocks == 1:
        return _stacked(parameters).t()[None]
    parts = [parameter.detach().view(blocks, -1, parameter.shape[1]) for parameter in parameters]
    return torch.cat(parts, dim=1).transpose(1, 2).contiguous()


def _rows(parameter: torch.nn.Parameter, blocks: int) -> Tensor:
    """A weight `[out, in]` as `[G, in / G, out]`."""
    if blocks == 1:
        return parameter.detach().t()[None]
    transposed = parameter.detach().t().contiguous()
    return transposed.view(blocks, -1, transposed.shape[1])


def _stacked(parameters: Sequence[torch.nn.Parameter]) -> Tensor:
    """The parameters concatenated; each becomes a view of the result, and frees its own memory."""
    stacked = torch.cat([parameter.detach() for parameter in parameters])
    parts = torch.split(stacked, [len(parameter) for parameter in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.data = part
    return stacked
