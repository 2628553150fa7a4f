"""The tensors of several sequences that are decoded together, and one step over them.

The tensors are made once and never move. A step takes no value from the host: its position, the
given tokens and the sampling settings are all on the device. So a step can be captured, and nothing
is read back before the tokens are asked for. On a CPU a step may be the decoder's alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.engine.decoder import Decoder, DrawingSteps
from bridge.engine.graph import GraphCapture, Step
from bridge.engine.sampler import Sampler, Sampling, gumbel_noise, noise_keys

Tensor = torch.Tensor

DRAWN = -1
"""Marks a token that the step draws."""
NOISE_STEPS = 32
"""The noise of this many steps is hashed at once: a dozen kernels, not a dozen a step."""
SPAN_BLOCK = 256
"""A captured step reads the cache in blocks of this many positions: one graph for each number of
blocks."""


@dataclass(frozen=True, eq=False)
class WindowPlan:
    """One window of one sequence.

    Attributes:
        given: int64 `[K, columns]`, the delayed tokens from the start token's column on; `DRAWN`
            where the step draws one.
        seed: of the noise.
        sampling: how tokens are drawn.
    """

    given: NDArray[np.int64]
    seed: int
    sampling: Sampling


class Batch:
    """B sequences, each of one row, or of two with guidance: conditional and unconditional.

    Attributes:
        size: B, the number of sequences.
        rows: rows of a sequence.
        capacity: positions of the cache.
        positions: the sinusoids of the positions, `[capacity, H]`.
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        size: int,
        rows: int,
        capacity: int,
        columns: int,
        capture: GraphCapture | None,
    ) -> None:
        """Allocate the tensors; nothing runs.

        Args:
            columns: most tokens of a codebook in a window, including the start token.
            capture: turns a step into one launch; None runs steps as they are.
        """
        self.size, self.rows, self.capacity = size, rows, capacity
        self._decoder = decoder
        self._capture = capture
        device = decoder.device
        units, unit_rows = (size, rows) if decoder.exact else (1, size * rows)
        self._cache = decoder.cache(units, unit_rows, capacity)
        if capture is not None:
            # Masked positions are read as well, and a NaN there would reach the result.
            self._cache.zero_()
        self.positions = decoder.positions(capacity)
        self._cache_positions = torch.arange(capacity, device=device)
        self._tokens = torch.zeros(
            (size, decoder.num_codebooks, columns), dtype=torch.int64, device=device
        )
        self._noise = torch.zeros(
            (NOISE_STEPS, size, decoder.num_codebooks, decoder.codebook_size), device=device
        )
        self._sampler = Sampler(size, decoder.codebook_size, device)
        self._drawing_steps = None
        if capture is None:
            self._drawing_steps = decoder.drawing_steps(
                self._cache, self.positions, self._noise, self._sampler
            )
        # The step's position in the cache, its column of tokens, and its row of noise.
        self._at = torch.zeros(3, dtype=torch.int64, device=device)
        self._keys = torch.zeros(size, dtype=torch.int64, device=device)
        self._graphs: dict[int, Step] = {}
        self._prefix = self._column = self._first_step = self._noise_end = 0

    def cache_of(self, index: int) -> Tensor:
        """The rows of one sequence, `[layers, 2, G, rows, heads / G, capacity, D]`."""
        if self._decoder.exact:
            return self._cache[:, :, index]
        return self._cache[:, :, 0, :, index * self.rows : (index + 1) * self.rows]

    def prepare(self, length: int | None = None) -> None:
        """Capture the steps up to that length of the cache. Loses a window that was begun.

        Args:
            length: of prefix and tokens together; None: the full capacity.
        """
        if self._capture is None:
            return
        end = whole_blocks(length or self.capacity)
        for span in range(SPAN_BLOCK, end + 1, SPAN_BLOCK):
            if span not in self._graphs:
                # The capture's trial runs advance the position, which must stay in the tensors.
                self._at.zero_()
                self._graphs[span] = self._capture(partial(self._step, span, captured=True))

    def begin(
        self, plans: Sequence[WindowPlan], *, prefix: int, column: int, first_step: int
    ) -> None:
        """Begin a window; the cache already holds the prefix and the columns before `column`.

        Args:
            plans: one a sequence.
            prefix: positions before the start token.
            column: the column that the first step reads.
            first_step: the number of the first step in the complete piece; it selects the noise.
        """
        given = np.stack([plan.given for plan in plans])
        self._tokens[:, :, : given.shape[2]] = torch.from_numpy(given)
        self._keys.copy_(noise_keys([plan.seed for plan in plans], self._keys.device))
        self._sampler.set([plan.sampling for plan in plans])
        if self._drawing_steps is not None:
            self._drawing_steps.begin()
        self._at.copy_(torch.tensor([prefix + column, column, 0]))
        self._prefix, self._column = prefix, column
        self._first_step = first_step - column
        self._noise_end = column

    def step(self) -> None:
        """Draw the next column."""
        if self._column == self._noise_end:
            self._make_noise()
        span = self._prefix + self._column + 1
        self._column += 1
        if self._drawing_steps is not None:
            self._host_step(self._drawing_steps)
        elif self._capture is None:
            self._step(span, captured=False)
        else:
            self._graphs[whole_blocks(span)]()

    def drawn(self, first: int, end: int) -> NDArray[np.int64]:
        """Columns of tokens, `[B, K, end - first]`. Waits for the device."""
        return self._tokens[:, :, first:end].cpu().numpy()

    def _make_noise(self) -> None:
        self._noise.copy_(
            gumbel_noise(
                self._keys,
                self._first_step + self._column,
                NOISE_STEPS,
                self._decoder.num_codebooks,
                self._decoder.codebook_size,
            )
        )
        self._at[2:].zero_()
        self._noise_end = self._column + NOISE_STEPS

    def _host_step(self, steps: DrawingSteps) -> None:
        """One step on the CPU, which ends before `_column`."""
        tokens, column = self._tokens.numpy(), self._column - 1
        drawn = steps(
            tokens[:, :, column], self._prefix + column, column + NOISE_STEPS - self._noise_end
        )
        following = tokens[:, :, column + 1]
        np.copyto(following, drawn, where=following == DRAWN)

    def _step(self, span: int, *, captured: bool) -> None:
        """One step, entirely on the device."""
        slot, column, noise_row = torch.split(self._at, 1)
        following = column + 1
        mask = None
        if captured:
            mask = (self._cache_positions[:span] <= slot)[None, None, None]
        tokens = self._tokens.index_select(2, column)[:, :, 0]
        logits = self._decoder.step(tokens, self._cache, self.positions, slot, span, mask)
        drawn = self._sampler.draw(
            logits,
            self._noise.index_select(0, noise_row)[0],
            any_settings=captured,
        )[:, :, None]
        given = self._tokens.index_select(2, following)
        self._tokens.index_copy_(2, following, torch.where(given == DRAWN, drawn, given))
        self._at.add_(1)


def whole_blocks(positions: int) -> int:
    """A number of positions, rounded up to whole blocks."""
    return -(-positions // SPAN_BLOCK) * SPAN_BLOCK
