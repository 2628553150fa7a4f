"""Weights in 8 bits, in the blocks of ONNX Runtime's `MatMulNBits`."""

from __future__ import annotations

import torch

Tensor = torch.Tensor

BLOCK = 128
"""Weights that share a scale. Half as many made pocket's products 1.15 times as slow (measured)."""
BITS = 8
ZERO = 1 << (BITS - 1)
"""The operator's number for a weight of zero, where it gets no zero points."""
LARGEST = ZERO - 1
INT8_SUMS = 4
"""The operator's `accuracy_level` for int8: it rounds each row's inputs to 8 bits too, block by
block, so that no row depends on another."""

CACHED_WEIGHTS = 1 << 17
"""Weights that are rounded at a time. All of a large matrix would leave the processor's cache after
each of the operations, which takes 1.7 times as long (measured)."""


def quantized(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round weights to 8 bits, each block of a row to its own scale.

    Args:
        weight: float32 `[out, in]`.

    Returns:
        uint8 `[out, blocks, BLOCK]`, zero at `ZERO` and padded with it, and the float32 scales
        `[out, blocks]`. A weight is off by half its block's scale at most.
    """
    rows, size = weight.shape
    blocks = -(-size // BLOCK)
    numbers = torch.empty((rows, blocks, BLOCK), dtype=torch.uint8)
    scales = torch.empty((rows, blocks))
    together = max(1, CACHED_WEIGHTS // size)
    parts = (torch.split(each, together) for each in (weight.detach(), numbers, scales))
    for part, its_numbers, its_scales in zip(*parts, strict=True):
        padded = torch.nn.functional.pad(part, (0, blocks * BLOCK - size))
        padded = padded.view(len(part), blocks, BLOCK)
        torch.linalg.vector_norm(padded, ord=torch.inf, dim=2, out=its_scales).div_(LARGEST)
        # A block of zeros has no scale, and keeps its zeros with any.
        its_scales.masked_fill_(its_scales == 0, 1.0)
        its_numbers.copy_(padded.div(its_scales[..., None]).round_().add_(ZERO))
    return numbers, scales
