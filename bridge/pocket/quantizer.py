"""Training of the codec's codebooks, which transformers' quantizer does not implement.

K-means initialises each codebook. Then each entry follows an exponential mean of the vectors that
it serves, as in SoundStream (Zeghidour et al., 2021, section III-C) and EnCodec (Défossez et al.,
2022, section 3.2).
"""

from __future__ import annotations

from typing import Protocol, cast

import torch
from torch import Tensor
from transformers import EncodecModel

EMA_DECAY = 0.99
DEAD_BELOW = 1 / 32
"""An entry that serves less than this share of the mean (vectors / entries) is restarted."""


class Codebook(Protocol):
    """The used part of transformers' `EncodecEuclideanCodebook`.

    Attributes:
        embed: `[entries, D]`.
        embed_avg: `[entries, D]`, exponential sum of the vectors each entry served.
        cluster_size: `[entries]`, exponential count of them.
    """

    embed: Tensor
    embed_avg: Tensor
    cluster_size: Tensor

    def quantize(self, hidden_states: Tensor) -> Tensor:
        """The nearest entry `[N]` of each vector `[N, D]`."""
        ...


class QuantizerTrainer:
    """Quantizer that trains the model's codebooks; gradients pass straight through it.

    Attributes:
        codebooks: the model's own, so that they are saved with it.
        started: False until the first call has initialised the codebooks by k-means.
    """

    def __init__(self, model: EncodecModel) -> None:
        self.codebooks = [cast(Codebook, layer.codebook) for layer in model.quantizer.layers]
        self.started = False

    def __call__(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Quantize `[B, D, S]`: the quantized latent of that shape, and the commitment loss."""
        vectors = latent.transpose(1, 2).reshape(-1, latent.shape[1])  # [B * S, D]
        with torch.no_grad():
            residual = vectors.detach().clone()
            quantized = torch.zeros_like(residual)
            for codebook in self.codebooks:
                if not self.started:
                    _k_means(codebook, residual)
                codes = codebook.quantize(residual)
                chosen = codebook.embed[codes]
                _move_entries(codebook, residual, codes)
                quantized += chosen
                residual = residual - chosen
            self.started = True
        commitment = (vectors - quantized).pow(2).mean()
        straight = vectors + (quantized - vectors).detach()
        shape = (latent.shape[0], latent.shape[2], latent.shape[1])
        return straight.reshape(shape).transpose(1, 2), commitment

    def used(self) -> list[int]:
        """Number of entries of each codebook that serve at least a quarter of the mean."""
        return [
            int((book.cluster_size > 0.25 * book.cluster_size.mean()).sum())
            for book in self.codebooks
        ]


def _k_means(codebook: Codebook, vectors: Tensor, rounds: int = 12) -> None:
    size = codebook.embed.shape[0]
    picks = torch.randint(len(vectors), (size,), device=vectors.device)
    codebook.embed.copy_(vectors[picks] + 1e-3 * torch.randn_like(vectors[picks]))
    for _ in range(rounds):
        codes = codebook.quantize(vectors)
        counts = torch.bincount(codes, minlength=size).to(vectors.dtype)
        sums = torch.zeros_like(codebook.embed).index_add_(0, codes, vectors)
        served = counts > 0
        codebook.embed[served] = sums[served] / counts[served, None]
    codebook.cluster_size.fill_(len(vectors) / size)
    codebook.embed_avg.copy_(codebook.embed * codebook.cluster_size[:, None])


def _move_entries(codebook: Codebook, vectors: Tensor, codes: Tensor) -> None:
    """Move each entry towards the mean of what it serves; restart those that serve nothing."""
    size = codebook.embed.shape[0]
    counts = torch.bincount(codes, minlength=size).to(vectors.dtype)
    sums = torch.zeros_like(codebook.embed).index_add_(0, codes, vectors)
    codebook.cluster_size.mul_(EMA_DECAY).add_(counts, alpha=1 - EMA_DECAY)
    codebook.embed_avg.mul_(EMA_DECAY).add_(sums, alpha=1 - EMA_DECAY)
    mean_size = len(vectors) / size
    dead = codebook.cluster_size < DEAD_BELOW * mean_size
    if bool(dead.any()):
        picks = torch.randint(len(vectors), (int(dead.sum()),), device=vectors.device)
        codebook.cluster_size[dead] = mean_size
        codebook.embed_avg[dead] = vectors[picks] * mean_size
    codebook.embed.copy_(codebook.embed_avg / codebook.cluster_size.clamp_min(1e-5)[:, None])
