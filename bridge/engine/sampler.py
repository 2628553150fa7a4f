"""From logits to tokens, on the device: guidance, temperature, top-k, top-p and the draw.

The draw takes the largest score plus Gumbel noise, which is a sample of the scores' softmax
(Gumbel-max). The noise of a token is a hash of only its seed, step, codebook and number. So it is
the same with any other sequences in the batch, on every device, with any chunk sizes, and in a
captured graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

Tensor = torch.Tensor

_GOLDEN = 0x9E3779B97F4A7C15
_MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT = 31
"""Shift and factor of each round, and the last shift: SplitMix64 (Steele, Lea and Flood, "Fast
splittable pseudorandom number generators", 2014) in Vigna's public-domain form, where the n-th
number of a seed is the mix of seed + n * golden."""
_WORD = 64
_UNIFORM_BITS = 23
"""The most bits that stay exact in float32 with a half added, so that 0 and 1 never occur."""


@dataclass(frozen=True)
class Sampling:
    """How the tokens of one sequence are drawn.

    Attributes:
        do_sample: False takes the likeliest token.
        guidance_scale: over 1 with an unconditional row, 1 without.
        temperature: over 0.
        top_k: draw from this many; 0 is all.
        top_p: over 0 and at most 1.
    """

    do_sample: bool
    guidance_scale: float
    temperature: float
    top_k: int
    top_p: float


@dataclass(frozen=True)
class WithOneTopK:
    """The settings of a draw from as many tokens in every sequence.

    Attributes:
        weights: float32 `[B, rows, 1, 1]`; the scores are the sum of the rows' logits, so weighted.
        top_k: int64 `[1]`: draw from this many, 1 or more.
        top_p: float32 `[B, 1, 1]`: draw from the likeliest that add up to this share of them; over
            1: from all of them.
        sampled: float32 `[B, 1, 1]`: 1 adds the noise, 0 takes the likeliest token.
    """

    weights: Tensor
    top_k: Tensor
    top_p: Tensor
    sampled: Tensor


class Sampler:
    """Draws tokens for B sequences. Settings are tensors: a captured graph sees new ones."""

    def __init__(self, batch: int, codebook_size: int, device: torch.device) -> None:
        self._codebook_size = codebook_size
        self._reals = torch.ones((4, batch, 1, 1), device=device)
        self._settings = self._reals.unbind(0)
        self._top_k = torch.ones((batch, 1, 1), dtype=torch.int64, device=device)
        self._most = codebook_size
        self._needs_top_p = True
        self._same_top_k = False

    def set(self, samplings: Sequence[Sampling]) -> None:
        """Set how to draw, a sampling for each sequence."""
        drawn = [
            # Filters never remove the likeliest token, so greedy decoding needs none.
            one if one.do_sample else Sampling(False, one.guidance_scale, 1.0, 0, 1.0)
            for one in samplings
        ]
        reals = [
            [one.guidance_scale for one in drawn],
            [one.temperature for one in drawn],
            [one.top_p for one in drawn],
            [float(one.do_sample) for one in drawn],
        ]
        self._reals.copy_(torch.tensor(reals)[..., None, None])
        kept = [min(one.top_k or self._codebook_size, self._codebook_size) for one in drawn]
        self._top_k.copy_(torch.tensor(kept)[:, None, None])
        self._most = max(kept)
        self._needs_top_p = any(one.top_p < 1 for one in drawn)
        self._same_top_k = len(set(kept)) == 1

    def with_one_top_k(self, rows: int) -> WithOneTopK | None:
        """The settings where all sequences have the same top-k; None elsewhere.

        Args:
            rows: of a sequence, 1 or 2.
        """
        if not self._same_top_k:
            return None
        guidance, temperature, kept_mass, sampled = self._settings
        weights = torch.ones_like(guidance)
        if rows == 2:
            weights = torch.cat([guidance, 1 - guidance], dim=1)
        weights = (weights / temperature)[..., None]
        return WithOneTopK(
            weights=weights,
            top_k=torch.tensor([self._most]),
            # Rounding may sum the chances to more than 1.
            top_p=kept_mass.masked_fill(kept_mass >= 1, torch.inf),
            sampled=sampled,
        )

    def draw(self, logits: Tensor, noise: Tensor, *, any_settings: bool) -> Tensor:
        """Draw one token of each codebook.

        The order of the filters is transformers': guidance, temperature, top-k, top-p.

        Args:
            logits: float32 `[B, rows, K, V]`; of two rows the second is the unconditional one.
            noise: float32 `[B, K, V]`.
            any_settings: compute what any settings need, not only these; the result is the same.

        Returns:
            int64 `[B, K]`.
        """
        guidance, temperature, kept_mass, sampled = self._settings
        scores = logits[:, 0]
        if logits.shape[1] == 2:
            scores = torch.lerp(logits[:, 1], scores, guidance)
        scores = scores / temperature
        least = self._least(scores, kept_mass, any_settings=any_settings)
        scores = scores.masked_fill(scores < least, -torch.inf)
        return torch.addcmul(scores, noise, sampled).argmax(dim=-1)

    def _least(self, scores: Tensor, kept_mass: Tensor, *, any_settings: bool) -> Tensor:
        """The smallest score that the filters keep, `[B, K, 1]`."""
        if not any_settings and self._same_top_k and not self._needs_top_p:
            # Sorting takes longer than finding the last score that is kept.
            return scores.topk(self._most, dim=-1, sorted=False).values.amin(dim=-1, keepdim=True)
        most = self._codebook_size if any_settings else self._most
        ordered = scores.topk(most, dim=-1).values
        least = ordered.gather(-1, (self._top_k - 1).expand(*scores.shape[:2], 1))
        if any_settings or self._needs_top_p:
            chances = ordered.masked_fill(ordered < least, -torch.inf).softmax(dim=-1)
            likelier = chances.cumsum(dim=-1) - chances
            outside = likelier >= kept_mass
            # The first is always inside; rounding could put it outside.
            outside[..., 0] = False
            nucleus = ordered.masked_fill(outside, torch.inf).amin(dim=-1, keepdim=True)
            least = torch.maximum(least, nucleus)
        return least


def gumbel_noise(keys: Tensor, first_step: int, steps: int, codebooks: int, size: int) -> Tensor:
    """The noise of consecutive steps.

    Args:
        keys: int64 `[B]`, from `noise_keys`.
        first_step: the number of the first step in the piece, from 0.
        size: V, the tokens of a codebook.

    Returns:
        float32 `[steps, B, K, V]`, standard Gumbel noise.
    """
    count = codebooks * size
    numbers = torch.arange(steps * count, device=keys.device).view(steps, 1, codebooks, size)
    # Steps times tokens stay far below 2^63; the products wrap, as the hash requires.
    hashed = (numbers + (first_step * count + 1)) * _signed(_GOLDEN)
    hashed = hashed + keys[:, None, None]
    for shift, factor in _MIX:
        hashed.bitwise_xor_(_shifted(hashed, shift)).mul_(_signed(factor))
    hashed.bitwise_xor_(_shifted(hashed, _LAST_SHIFT))
    uniform = _shifted(hashed, _WORD - _UNIFORM_BITS).float().add_(0.5).mul_(2.0**-_UNIFORM_BITS)
    return uniform.log_().neg_().log_().neg_()


def noise_keys(seeds: Sequence[int], device: torch.device) -> Tensor:
    """The start of each seed's noise, int64 `[B]`; keys of close seeds are far apart."""
    keys = []
    for seed in seeds:
        key = (seed + _GOLDEN) % 2**_WORD
        for shift, factor in _MIX:
            key = (key ^ (key >> shift)) * factor % 2**_WORD
        keys.append(_signed(key ^ (key >> _LAST_SHIFT)))
    return torch.tensor(keys, dtype=torch.int64, device=device)


def _shifted(words: Tensor, bits: int) -> Tensor:
    """Shift right as unsigned; torch's own shift copies the sign."""
    return (words >> bits).bitwise_and_(2 ** (_WORD - bits) - 1)


def _signed(word: int) -> int:
    """The same 64 bits as a signed number, as torch's int64 needs them."""
    return word - 2**_WORD if word >= 2 ** (_WORD - 1) else word
