"""The draw: transformers' filters and probabilities, and noise that depends on its number alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from bridge.engine.sampler import Sampler, Sampling, gumbel_noise, noise_keys

CPU = torch.device("cpu")
PLAIN = Sampling(True, 1.0, 1.0, 0, 1.0)


def sampler(*samplings: Sampling, size: int) -> Sampler:
    made = Sampler(len(samplings), size, CPU)
    made.set(samplings)
    return made


@pytest.mark.parametrize("any_settings", [False, True])
@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1.0, 0, 1.0), (0.6, 0, 1.0), (1.0, 7, 1.0), (1.7, 20, 0.8), (1.0, 0, 0.35), (0.9, 3, 0.99)],
)
def test_draws_have_the_probabilities_of_transformers_filters(
    temperature: float, top_k: int, top_p: float, any_settings: bool
) -> None:
    """A chi-square test at one in ten thousand, of 20,000 draws from each of two codebooks."""
    size, steps = 40, 20_000
    logits = torch.randn(2, size, generator=torch.Generator().manual_seed(3)) * 2
    scores = TemperatureLogitsWarper(temperature)(None, logits)
    if top_k:
        scores = TopKLogitsWarper(top_k)(None, scores)
    if top_p < 1:
        scores = TopPLogitsWarper(top_p)(None, scores)
    expected = scores.double().softmax(dim=-1).numpy()

    noise = gumbel_noise(noise_keys([11], CPU), 0, steps, 2, size)
    draws = sampler(Sampling(True, 1.0, temperature, top_k, top_p), size=size)
    counts = np.zeros((2, size))
    for step in range(steps):
        drawn = draws.draw(logits[None, None], noise[step], any_settings=any_settings)
        counts[[0, 1], drawn[0].numpy()] += 1
    for seen, share in zip(counts, expected, strict=True):
        assert seen[share == 0].sum() == 0
        kept = share > 0
        assert kept.sum() == 1 or chisquare(seen[kept], share[kept] * steps).pvalue > 1e-4


def test_guidance_uses_transformers_formula() -> None:
    logits = torch.randn(1, 2, 4, 30)
    guided = logits[:, 1] + 3.0 * (logits[:, 0] - logits[:, 1])
    draws = sampler(Sampling(False, 3.0, 1.0, 0, 1.0), size=30)
    drawn = draws.draw(logits, torch.zeros(1, 4, 30), any_settings=False)
    assert torch.equal(drawn, guided.argmax(dim=-1))


def test_greedy_takes_the_likeliest_token_with_any_noise_and_filters() -> None:
    logits = torch.randn(2, 1, 4, 30)
    greedy = Sampling(False, 1.0, 0.3, 2, 0.1)
    noise = gumbel_noise(noise_keys([1, 2], CPU), 0, 1, 4, 30)[0]
    drawn = sampler(greedy, PLAIN, size=30).draw(logits, noise, any_settings=False)
    assert torch.equal(drawn[0], logits[0, 0].argmax(dim=-1))
    assert torch.equal(drawn[1], (logits[1, 0] + noise[1]).argmax(dim=-1))


def test_each_sequence_has_its_own_settings() -> None:
    logits = torch.randn(3, 1, 4, 30)
    settings = [Sampling(True, 1.0, 0.5, 3, 1.0), PLAIN, Sampling(True, 1.0, 1.0, 0, 0.3)]
    noise = gumbel_noise(noise_keys([1, 2, 3], CPU), 0, 1, 4, 30)[0]
    together = sampler(*settings, size=30).draw(logits, noise, any_settings=False)
    for index, one in enumerate(settings):
        row = slice(index, index + 1)
        alone = sampler(one, size=30).draw(logits[row], noise[row], any_settings=False)
        assert torch.equal(alone, together[row])


def test_a_top_k_beyond_the_codebook_keeps_all_of_it() -> None:
    logits = torch.randn(1, 1, 4, 30)
    noise = gumbel_noise(noise_keys([1], CPU), 0, 1, 4, 30)[0]
    drawn = [
        sampler(Sampling(True, 1.0, 1.0, top_k, 1.0), size=30).draw(
            logits, noise, any_settings=False
        )
        for top_k in (0, 30, 250)
    ]
    assert torch.equal(drawn[0], drawn[1]) and torch.equal(drawn[0], drawn[2])


def test_noise_depends_only_on_seed_step_codebook_and_token() -> None:
    keys = noise_keys([7, 8, 2**63 - 1], CPU)
    noise = gumbel_noise(keys, 0, 10, 4, 64)  # [10, 3, 4, 64]
    assert noise.isfinite().all()
    # The same with other steps in the call, and without the other seeds.
    assert torch.equal(noise[3:7], gumbel_noise(keys, 3, 4, 4, 64))
    assert torch.equal(noise[:, 1:2], gumbel_noise(keys[1:2], 0, 10, 4, 64))
    assert len(set(noise.flatten().tolist())) > 0.99 * noise.numel()


def test_noise_is_gumbel_and_uncorrelated_between_close_seeds_and_steps() -> None:
    noise = gumbel_noise(noise_keys(range(20), CPU), 0, 25, 4, 64)
    assert kstest(noise.flatten().numpy(), "gumbel_r").pvalue > 1e-3
    by_seed = noise.transpose(0, 1).flatten(1)
    by_step = noise.flatten(1)
    for rows in (by_seed, by_step):
        correlation = torch.corrcoef(rows) - torch.eye(len(rows))
        assert correlation.abs().max() < 5 / rows.shape[1] ** 0.5


def test_the_hash_is_splitmix64() -> None:
    """Its first numbers for seed 1234567, as published with the reference implementation."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    keys = torch.tensor([1234567])
    uniform = torch.tensor([(number >> 41) + 0.5 for number in published]) * 2.0**-23
    expected = -(-uniform.log()).log()
    assert torch.equal(gumbel_noise(keys, 0, 1, 1, 3).flatten(), expected)
