"""Steps with weights of 8 bits: how far they are from the exact ones, and where there are none."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bridge import cli
from bridge.config import merge_run
from bridge.engine import Engine, Request, load, precision
from bridge.engine.checkpoint import COMPOSITE, Location
from bridge.engine.fullsize import full_config, random_checkpoint, random_engine
from bridge.engine.int8 import BLOCK, ZERO, quantized
from bridge.engine.onnx_step import MOST_WEIGHT_BYTES, OnnxSteps
from bridge.engine.process.hosts import make_engine
from bridge.engine.sampler import Sampler
from bridge.errors import BadArgument, Unsupported
from tests.checkpoints import write_checkpoint
from tests.engine.chunks import codes, needs_fast
from tests.engine.recorder import Recorder

pytestmark = pytest.mark.usefixtures("two_threads")
SHAPES: dict[str, dict[str, int]] = {
    "mono": {"channels": 1},
    "odd": {"channels": 2, "hidden_size": 48, "num_attention_heads": 3, "num_hidden_layers": 3},
    "wide": {"channels": 2, "hidden_size": 160, "num_attention_heads": 4, "ffn_dim": 320},
}


@pytest.fixture(scope="module", params=["pocket", *SHAPES])
def pair(
    request: pytest.FixtureRequest, two_threads: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Engine, Engine]:
    """Two engines of one checkpoint: with weights of 8 bits, and exact."""
    model: str | Path = "pocket"
    if request.param != "pocket":
        folder = tmp_path_factory.mktemp(f"int8-{request.param}")
        model = write_checkpoint(folder, seed=4, **SHAPES[request.param])
    return load(model, device="cpu", precision="int8"), load(model, device="cpu")


def last_logits(engine: Engine, tokens: torch.Tensor) -> torch.Tensor:
    """The logits after known tokens `[columns, K]`, `[K, V]`."""
    decoder = engine.pipeline.decoder
    noise = torch.zeros((1, 1, decoder.num_codebooks, decoder.codebook_size))
    sampler = Sampler(1, decoder.codebook_size, decoder.device)
    with torch.inference_mode():
        cache, positions = decoder.cache(1, 1, len(tokens)).zero_(), decoder.positions(len(tokens))
        steps = decoder.drawing_steps(cache, positions, noise, sampler)
        assert isinstance(steps, OnnxSteps)
        for position, column in enumerate(tokens):
            steps(column[None].numpy(), position, 0)
        return steps.logits[0, 0].clone()


@pytest.mark.parametrize("size", [1, 48, BLOCK, 2 * BLOCK, 300])
def test_a_weight_is_off_by_half_its_scale_at_most(size: int) -> None:
    weight = torch.randn(40, size, generator=torch.Generator().manual_seed(1))
    weight[3] = 0.0
    numbers, scales = quantized(weight)
    assert numbers.shape == (40, -(-size // BLOCK), BLOCK) and scales.shape == numbers.shape[:2]
    restored = ((numbers.float() - ZERO) * scales[..., None]).flatten(1)
    off = (restored[:, :size] - weight).abs() / scales.repeat_interleave(BLOCK, dim=1)[:, :size]
    assert float(off.max()) <= 0.5 + 1e-3
    assert not restored[3].any() and not restored[:, size:].any()


@needs_fast
def test_logits_are_close_to_the_exact_ones(pair: tuple[Engine, Engine]) -> None:
    rounded, exact = pair
    size = exact.pipeline.decoder.codebook_size
    generator = torch.Generator().manual_seed(2)
    tokens = torch.randint(0, size, (40, exact.num_codebooks), generator=generator)
    made, expected = (last_logits(engine, tokens) for engine in (rounded, exact))
    assert 0 < float((made - expected).square().mean().sqrt()) < 0.05 * float(expected.std())


@needs_fast
def test_a_piece_has_its_length_and_is_the_same_again(
    pair: tuple[Engine, Engine], melody: NDArray[np.float32]
) -> None:
    request = Request("warm drums", melody, 2.0, seed=8)
    first = codes(pair[0], request)
    assert first.shape == (1, pair[0].num_codebooks, 100)
    codes(pair[0], Request("slow bass", None, 1.0, seed=9))
    assert np.array_equal(codes(pair[0], request), first)
    assert pair[0].remarks == ()


@needs_fast
def test_a_variation_is_bit_for_bit_the_same_when_made_alone(
    pair: tuple[Engine, Engine], melody: NDArray[np.float32]
) -> None:
    request = Request("warm drums", melody, 1.0, seed=20, variations=5)
    together = pair[0].generate(request)
    for index, waveform in enumerate(together):
        alone = pair[0].generate(replace(request, seed=20 + index, variations=1))[0]
        assert np.array_equal(alone.samples, waveform.samples)


@needs_fast
def test_a_piece_without_guidance_is_made_too(pair: tuple[Engine, Engine]) -> None:
    request = Request("warm", None, 0.5, seed=2, guidance_scale=1.0)
    assert codes(pair[0], request).shape == (1, pair[0].num_codebooks, 25)


@pytest.mark.slow
@needs_fast
def test_layers_of_the_published_size_run_beside_each_other_and_in_one_session() -> None:
    """Two layers of the 1.5 B with its heads; over the size of models that get two sessions."""
    config = full_config(
        channels=2, layers=2, hidden_size=1536, num_attention_heads=24, ffn_dim=6144
    )
    checkpoint = random_checkpoint(config, torch.device("cpu"), torch.float32)
    assert sum(each.nbytes for each in checkpoint.model.decoder.parameters()) > MOST_WEIGHT_BYTES
    location = Location("random", Path(), None, COMPOSITE)
    exact = Engine(location, checkpoint)
    assert "MB of weights" in exact.remarks[0]
    before = exact.pipeline.decoder.weight_bytes
    engine = Engine(location, checkpoint, precision="int8")
    assert 3.8 < before / engine.pipeline.decoder.weight_bytes < 4
    request = Request("a slow warm pad", seconds=0.5, seed=1)
    assert codes(engine, request).shape == (1, 8, 25)


@needs_fast
@pytest.mark.parametrize("sizes", [{"hidden_size": 36, "num_attention_heads": 3}])
def test_a_model_that_cannot_is_refused_with_the_reason(
    tmp_path: Path, sizes: dict[str, int]
) -> None:
    folder = write_checkpoint(tmp_path, channels=1, **sizes)
    with pytest.raises(Unsupported, match=r"int8 cannot run this model: .*heads of 12.*leave it"):
        load(folder, device="cpu", precision="int8")


@needs_fast
def test_another_number_type_is_refused(mono_folder: Path) -> None:
    with pytest.raises(Unsupported, match="this is bfloat16 on cpu"):
        load(mono_folder, device="cpu", dtype="bfloat16", precision="int8")
    with pytest.raises(Unsupported, match="this is float16 on cpu"):
        random_engine("full", device="cpu", dtype="float16", precision="int8")


def test_a_precision_that_does_not_exist_is_refused_before_the_model_is_looked_for() -> None:
    with pytest.raises(BadArgument, match="precision 'int4': give exact or int8"):
        load("no such folder", precision="int4")  # type: ignore[arg-type]
    with pytest.raises(BadArgument, match="'reference'"):
        load("no such folder", precision="int8", engine="reference")


def test_without_the_extra_int8_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(precision, "PACKAGES", ("no_such_package",))
    arguments = ["render", "--prompt", "warm", "--precision", "int8", "--out", str(tmp_path)]
    assert cli.main(arguments) == 2
    assert "pip install 'melody-bridge[fast]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@needs_fast
def test_a_render_records_the_precision_and_differs(tmp_path: Path) -> None:
    made = {}
    for name in ("exact", "int8"):
        out = tmp_path / f"{name}.wav"
        arguments = ["render", "--prompt", "warm keys", "--seconds", "3", "--seed", "4"]
        assert cli.main([*arguments, "--precision", name, "--out", str(out)]) == 0
        assert json.loads(out.with_suffix(".json").read_text())["precision"] == name
        made[name] = out.read_bytes()
    assert made["exact"] != made["int8"]


@needs_fast
def test_the_daemons_engine_has_it(
    stereo_folder: Path, monkeypatch: pytest.MonkeyPatch, melody: NDArray[np.float32]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    request = Request("warm", melody, 4.0, seed=3)

    async def rendered() -> NDArray[np.float32]:
        recorder = Recorder()
        options = merge_run({"model": str(stereo_folder), "device": "cpu", "precision": "int8"})
        engine = make_engine(options, recorder.state, queue_size=1)
        engine.start()
        try:
            result = await engine.submit(request).result()
            return result.waveforms[0].samples
        finally:
            await engine.stop()

    made = asyncio.run(rendered())
    expected = load(stereo_folder, device="cpu", precision="int8").generate(request)[0]
    exact = load(stereo_folder, device="cpu").generate(request)[0]
    assert np.abs(made - expected.samples).max() < 1e-4 < np.abs(made - exact.samples).max()
