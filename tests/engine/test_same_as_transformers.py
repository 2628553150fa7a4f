"""The bridge's engine against transformers': its logits, its greedy tokens, and its draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import T5Config

from bridge.engine import Engine, Request, load
from bridge.engine.batch import Batch, WindowPlan
from bridge.engine.onnx_step import OnnxSteps
from bridge.engine.piece import Piece
from bridge.engine.process.messages import EngineFacts
from bridge.errors import BadArgument, Unsupported
from tests.checkpoints import VOCABULARY, write_checkpoint, write_parts
from tests.engine.chunks import codes, joined_chunks

STEPS = 200
TIE = 1e-4
"""Logits closer than this may swap: float32 rounding depends on the order of sums."""
SHAPES: dict[str, dict[str, int]] = {
    "mono": {"channels": 1},
    "stereo": {"channels": 2},
    # Neither 2 nor 4 blocks divide the heads, so the products are not split.
    "odd": {"channels": 2, "hidden_size": 48, "num_attention_heads": 3, "num_hidden_layers": 3},
    "deep": {"channels": 1, "num_hidden_layers": 5, "num_attention_heads": 2, "ffn_dim": 96},
}


@pytest.fixture(scope="module", params=["pocket", *SHAPES])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    if request.param == "pocket":
        return load("pocket", device="cpu")
    folder = tmp_path_factory.mktemp(f"shape-{request.param}")
    return load(write_checkpoint(folder, seed=4, **SHAPES[request.param]), device="cpu")


@pytest.fixture(scope="module", params=[1, 2], ids=["mono", "stereo"])
def flan_t5(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A checkpoint whose text encoder is wider than its decoder, gated as Flan-T5's is."""
    text_encoder = T5Config(
        vocab_size=len(VOCABULARY),
        d_model=72,
        d_kv=12,
        d_ff=80,
        num_layers=2,
        num_heads=5,
        feed_forward_proj="gated-gelu",
    )
    folder = tmp_path_factory.mktemp("flan-t5")
    return load(
        write_parts(folder, text_encoder, channels=request.param, seed=6),
        device="cpu",
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("small")
    yield load(write_checkpoint(folder, channels=2, seed=4), device="cpu")


class _Steps:
    """A batch's steps, and the logits of each."""

    def __init__(self, engine: Engine, request: Request, tokens: NDArray[np.int64]) -> None:
        """Run the request's prefix, then the given tokens `[K, columns]` instead of drawn ones."""
        assert engine._pipeline is not None
        pipeline = engine._pipeline
        self.logits: list[torch.Tensor] = []
        piece = Piece(pipeline, engine._rows(request), 1)
        piece.next_chunk(lambda share: None)
        assert piece._batch is not None
        batch: Batch = piece._batch
        prefix = pipeline.conditioner.length(request.prompt)
        row = piece._rows[0]
        step = pipeline.decoder.step

        def recorded(*arguments: Any) -> torch.Tensor:
            logits = step(*arguments)
            self.logits.append(logits[0].clone())
            return logits

        with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
            patch.setattr(pipeline.decoder, "step", recorded)
            plan = WindowPlan(tokens, row.seed, row.sampling)
            batch.begin([plan], prefix=prefix, column=0, first_step=0)
            for _ in range(tokens.shape[1] - 1):
                batch.step()
                if isinstance(batch._drawing_steps, OnnxSteps):
                    self.logits.append(batch._drawing_steps.logits[0].clone())


def transformers_logits(
    engine: Engine, request: Request, tokens: NDArray[np.int64]
) -> torch.Tensor:
    """Logits `[columns, rows, K, V]` of one plain forward pass, conditional and unconditional."""
    checkpoint = engine._checkpoint
    model: Any = checkpoint.model
    from bridge.engine.prompt import encode

    logits = []
    for null in (False, True):
        conditions = encode(
            request.prompt,
            None if null else request.melody,
            tokenizer=checkpoint.tokenizer,
            chroma_length=checkpoint.chroma_length,
            device=model.device,
            dtype=torch.float32,
        )
        with torch.no_grad():
            made = model(
                input_ids=conditions.input_ids,
                attention_mask=conditions.attention_mask * (not null),
                input_features=conditions.input_features,
                decoder_input_ids=torch.from_numpy(tokens),
            ).logits  # [K, prefix + columns, V]
        logits.append(made[:, -tokens.shape[1] :])
    return torch.stack(logits).permute(2, 0, 1, 3)


@pytest.mark.parametrize("prompt", [None, "warm drums"])
@pytest.mark.parametrize("with_melody", [False, True])
def test_logits_of_200_steps_are_transformers(
    engine: Engine, melody: NDArray[np.float32], prompt: str | None, with_melody: bool
) -> None:
    generator = np.random.default_rng(5)
    size = engine._checkpoint.codebook_size
    tokens = generator.integers(0, size + 1, (engine.num_codebooks, STEPS))
    request = Request(prompt, melody if with_melody else None, seconds=1, guidance_scale=3.0)
    ours = torch.stack(_Steps(engine, request, tokens).logits)
    theirs = transformers_logits(engine, request, tokens)[: STEPS - 1]
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_a_flan_t5_of_another_width_gives_transformers_logits_and_tokens(
    flan_t5: Engine, melody: NDArray[np.float32]
) -> None:
    model = flan_t5._checkpoint.model
    assert model.text_encoder.config.is_gated_act
    assert model.text_encoder.config.d_model != model.decoder.config.hidden_size
    tokens = np.random.default_rng(5).integers(0, 65, (flan_t5.num_codebooks, 50))
    request = Request("warm drums", melody, seconds=1, guidance_scale=3.0)
    ours = torch.stack(_Steps(flan_t5, request, tokens).logits)
    theirs = transformers_logits(flan_t5, request, tokens)[:49]
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    other = transformers_logits(flan_t5, replace(request, prompt="bass"), tokens)[:49]
    assert (theirs - other).abs().max() > 1e-2, "the words change nothing"
    request = replace(request, seconds=STEPS / 50, seed=9)
    assert_same(flan_t5, request, codes(flan_t5, request)[0])


def settings() -> Iterator[Any]:
    """Yield every combination; half of them, in which any three settings meet, are quick."""
    values = [(None, "warm drums"), (False, True), (1.0, 3.0), (False, True)]
    for chosen in product((0, 1), repeat=len(values)):
        marks = [pytest.mark.slow] * (sum(chosen) % 2)
        yield pytest.param(
            *(pair[index] for pair, index in zip(values, chosen, strict=True)), marks=marks
        )


@pytest.mark.parametrize(("prompt", "with_melody", "guidance_scale", "do_sample"), list(settings()))
def test_tokens_of_200_steps_are_transformers(
    engine: Engine,
    melody: NDArray[np.float32],
    prompt: str | None,
    with_melody: bool,
    guidance_scale: float,
    do_sample: bool,
) -> None:
    """Also sampled tokens, because both engines draw with the same noise."""
    request = Request(
        prompt,
        melody if with_melody else None,
        seconds=STEPS / 50,
        seed=9,
        guidance_scale=guidance_scale,
        do_sample=do_sample,
    )
    assert_same(engine, request, codes(engine, request)[0])


@pytest.mark.parametrize("guidance_scale", [1.0, 3.0])
@pytest.mark.parametrize("do_sample", [False, True])
def test_a_batch_of_three_gives_transformers_codes_for_each(
    small: Engine, melody: NDArray[np.float32], guidance_scale: float, do_sample: bool
) -> None:
    request = Request("warm drums", melody, 4.0, guidance_scale=guidance_scale, do_sample=do_sample)
    for index, row in enumerate(codes(small, replace(request, variations=3))):
        assert_same(small, replace(request, seed=index), row)


def test_a_variation_is_bit_for_bit_the_same_when_made_alone(
    engine: Engine, melody: NDArray[np.float32]
) -> None:
    request = Request("warm drums", melody, 1.0, seed=20, variations=3)
    together = joined_chunks(engine, request)
    for index in range(3):
        alone = joined_chunks(engine, replace(request, seed=20 + index, variations=1))
        assert np.array_equal(alone.codes[0], together.codes[index])
        assert np.array_equal(alone.audio[0], together.audio[index])


def test_continuing_gives_transformers_codes(small: Engine, melody: NDArray[np.float32]) -> None:
    before = codes(small, Request("bass", melody, 1.0, seed=3))[0]
    request = Request("bass", melody, 2.0, seed=4, continue_from=before)
    assert np.array_equal(codes(small, request), codes(small.as_reference(), request))


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_short_pieces_have_transformers_codes(small: Engine, steps: int) -> None:
    request = Request("bass", seconds=steps / 50, seed=3)
    assert np.array_equal(codes(small, request), codes(small.as_reference(), request))


@pytest.mark.parametrize("more_tokens", [0, 1, 40])
def test_max_new_tokens_give_the_samples_of_generate_with_the_same_number(
    engine: Engine, melody: NDArray[np.float32], more_tokens: int
) -> None:
    """The number goes to transformers as it is: the delays take the same tokens there and here."""
    from bridge.engine.prompt import encode

    tokens = 2 * engine.longest_delay + more_tokens
    request = Request("warm drums", melody, do_sample=False, max_new_tokens=tokens)
    checkpoint = engine._checkpoint
    conditions = encode(
        request.prompt,
        request.melody,
        tokenizer=checkpoint.tokenizer,
        chroma_length=checkpoint.chroma_length,
        device=checkpoint.model.device,
        dtype=torch.float32,
    )
    theirs = checkpoint.model.generate(
        input_ids=conditions.input_ids,
        attention_mask=conditions.attention_mask,
        input_features=conditions.input_features,
        do_sample=False,
        guidance_scale=3.0,
        max_new_tokens=tokens,
    )[0].T.numpy()
    (ours,) = engine.generate(replace(request, guidance_scale=3.0))
    assert ours.samples.shape == theirs.shape
    np.testing.assert_allclose(ours.samples, theirs, atol=1e-6)
    with engine.stream(request) as stream:
        frames = sum(chunk.audio.shape[2] for chunk in stream)
    facts = EngineFacts(
        *("pocket", None, "cpu", engine.sample_rate, engine.audio_channels, engine.frame_rate),
        longest_delay=engine.longest_delay,
    )
    assert facts.shape(request) == (1, engine.audio_channels, frames)
    drawn = replace(request, do_sample=True, seed=7)
    (ours,), (theirs,) = (each.generate(drawn) for each in (engine, engine.as_reference()))
    np.testing.assert_allclose(ours.samples, theirs.samples, atol=1e-6)
    assert ours.frames == frames


def test_fewer_tokens_than_make_music_are_refused(small: Engine) -> None:
    with pytest.raises(BadArgument, match=r"max new tokens 5: .* makes music of 6 or more"):
        small.generate(Request("warm", max_new_tokens=5))
    with pytest.raises(Unsupported, match="at most 30003"):
        Request("warm", max_new_tokens=30_004)


def test_the_audio_is_transformers_audio(engine: Engine, melody: NDArray[np.float32]) -> None:
    request = Request("warm drums", melody, 1.0, seed=2)
    ours, theirs = (made.generate(request)[0] for made in (engine, engine.as_reference()))
    np.testing.assert_allclose(ours.samples, theirs.samples, atol=1e-6)


def assert_same(engine: Engine, request: Request, made: NDArray[np.int64]) -> None:
    """Assert that the codes are transformers', or first differ at a tie."""
    expected = codes(engine.as_reference(), request)[0]
    if np.array_equal(made, expected):
        return
    delays = engine._checkpoint.delays
    columns = np.full((engine.num_codebooks, STEPS + 4), engine._checkpoint.codebook_size)
    for codebook, delay in enumerate(delays):
        columns[codebook, 1 + delay : 1 + delay + STEPS] = expected[codebook]
    different = np.argwhere(made != expected)
    column, codebook = min((step + delays[k], k) for k, step in different)
    # The logits alone do not show a tie between scores with noise.
    assert not request.do_sample, f"a draw differs at column {column}, codebook {codebook}"
    logits = transformers_logits(engine, request, columns)[column]
    scale = request.guidance_scale or 1.0
    guided = logits[1] + scale * (logits[0] - logits[1])
    step = column - delays[codebook]
    ours, theirs = made[codebook, step], expected[codebook, step]
    assert abs(guided[codebook, ours] - guided[codebook, theirs]) < TIE
