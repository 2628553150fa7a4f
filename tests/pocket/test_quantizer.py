"""Training of the codebooks: initial entries, gradients, and how entries move."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import EncodecModel

from bridge.pocket.codec import CODEBOOK_SIZE, HIDDEN_SIZE, codec_config
from bridge.pocket.quantizer import EMA_DECAY, QuantizerTrainer


@pytest.fixture
def model() -> EncodecModel:
    torch.manual_seed(0)
    return EncodecModel(codec_config())


def latent(vectors: Tensor, batch: int = 2) -> Tensor:
    """Vectors `[B * S, D]` in the encoder's layout, `[B, D, S]`."""
    return vectors.reshape(batch, -1, HIDDEN_SIZE).transpose(1, 2)


def vectors(count: int, seed: int) -> Tensor:
    return torch.randn(count, HIDDEN_SIZE, generator=torch.Generator().manual_seed(seed))


def test_k_means_puts_the_entries_at_the_vectors(model: EncodecModel) -> None:
    trainer = QuantizerTrainer(model)
    assert not trainer.started
    clusters = vectors(40, seed=1) * 5
    crowd = clusters.repeat(20, 1) + 0.01 * vectors(800, seed=2)
    _, commitment = trainer(latent(crowd))
    assert trainer.started
    assert commitment < 0.01**2
    nearest = torch.cdist(trainer.codebooks[0].embed, clusters).min(dim=1).values
    assert float(nearest.max()) < 0.2


def test_k_means_runs_only_once(model: EncodecModel) -> None:
    trainer = QuantizerTrainer(model)
    trainer(latent(vectors(600, seed=1)))
    before = trainer.codebooks[0].embed.clone()
    trainer(latent(vectors(600, seed=2) + 30.0))
    moved = (trainer.codebooks[0].embed - before).norm(dim=1)
    assert float(moved.median()) < 0.2 * 30.0


def test_it_quantizes_like_the_model(model: EncodecModel) -> None:
    trainer = QuantizerTrainer(model)
    inputs = latent(vectors(600, seed=1))
    trainer(inputs)
    with torch.no_grad():
        codes = model.quantizer.encode(inputs, model.config.target_bandwidths[-1])
        expected = model.quantizer.decode(codes)
    assert codes.shape == (4, 2, 300)
    quantized, commitment = trainer(inputs)
    torch.testing.assert_close(quantized, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(commitment, (inputs - expected).pow(2).mean())
    assert commitment < (inputs**2).mean()


def test_gradients_pass_straight_through(model: EncodecModel) -> None:
    trainer = QuantizerTrainer(model)
    inputs = latent(vectors(600, seed=1)).requires_grad_()
    weights = latent(vectors(600, seed=2))
    quantized, _ = trainer(inputs)
    (quantized * weights).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(inputs.grad, weights)


def test_the_commitment_loss_pulls_vectors_to_their_entries(model: EncodecModel) -> None:
    trainer = QuantizerTrainer(model)
    inputs = latent(vectors(600, seed=1)).requires_grad_()
    quantized, commitment = trainer(inputs)
    commitment.backward()  # type: ignore[no-untyped-call]
    away = (inputs - quantized).detach()
    torch.testing.assert_close(inputs.grad, 2 * away / away.numel(), atol=1e-8, rtol=1e-4)


def test_entries_move_with_the_mean_of_what_they_serve(model: EncodecModel) -> None:
    trainer = QuantizerTrainer(model)
    trainer(latent(vectors(600, seed=1)))
    book = trainer.codebooks[0]
    inputs = vectors(600, seed=3)
    codes = book.quantize(inputs)
    entry = int(codes.mode().values)
    served = inputs[codes == entry]
    size, total = book.cluster_size[entry].clone(), book.embed_avg[entry].clone()
    trainer(latent(inputs))
    size = EMA_DECAY * size + (1 - EMA_DECAY) * len(served)
    total = EMA_DECAY * total + (1 - EMA_DECAY) * served.sum(0)
    torch.testing.assert_close(book.cluster_size[entry], size)
    torch.testing.assert_close(book.embed[entry], total / size)


def test_unused_entries_are_moved_to_vectors(model: EncodecModel) -> None:
    trainer = QuantizerTrainer(model)
    trainer(latent(vectors(600, seed=1)))
    book = trainer.codebooks[0]
    dead = torch.arange(0, CODEBOOK_SIZE, 8)
    book.embed[dead] = 1000.0
    book.embed_avg[dead] = 0.0
    book.cluster_size[dead] = 0.0
    assert trainer.used()[0] <= CODEBOOK_SIZE - len(dead)
    inputs = vectors(600, seed=4)
    trainer(latent(inputs))
    assert float(torch.cdist(book.embed[dead], inputs).min(dim=1).values.max()) < 0.05
    assert trainer.used()[0] >= len(dead)
