"""Reading a checkpoint: number types, shards, separate decoders, and broken files."""

from __future__ import annotations

import contextlib
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from transformers import MusicgenMelodyForConditionalGeneration

from bridge.engine import Engine, Request, load
from bridge.errors import BadArgument, CheckpointUnusable
from tests.checkpoints import write_checkpoint, write_decoder

REQUEST = Request(prompt="warm rhodes", seconds=0.4, seed=5)


def samples(engine: Engine) -> NDArray[np.float32]:
    return engine.generate(REQUEST)[0].samples


@pytest.fixture
def broken(stereo_folder: Path, tmp_path: Path) -> Path:
    """A copy of the stereo checkpoint, to break."""
    return shutil.copytree(stereo_folder, tmp_path / "copy")


def test_loading_prints_nothing_and_restores_the_loggers(
    stereo_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = transformers.logging.get_verbosity()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        samples(load(stereo_folder))
    assert capfd.readouterr() == ("", "")
    assert warned == []
    assert transformers.logging.get_verbosity() == before
    assert transformers.utils.logging.is_progress_bar_enabled()


def test_a_float16_file_runs_in_float32_on_the_cpu(stereo_folder: Path, tmp_path: Path) -> None:
    model: Any = MusicgenMelodyForConditionalGeneration.from_pretrained(stereo_folder)
    model.half().save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(stereo_folder / name, tmp_path)
    halved = load(tmp_path, device="cpu")._checkpoint.model
    assert {parameter.dtype for parameter in halved.parameters()} == {torch.float32}


@pytest.mark.parametrize("dtype", ["bfloat16", torch.bfloat16])
def test_bfloat16_keeps_the_codec_in_float32(
    stereo_folder: Path, melody: NDArray[np.float32], dtype: str | torch.dtype
) -> None:
    engine = load(stereo_folder, device="cpu", dtype=dtype)
    model = engine._checkpoint.model
    assert model.decoder.dtype == model.text_encoder.dtype == torch.bfloat16
    exact = load(stereo_folder, device="cpu", dtype="float32")._checkpoint.model.audio_encoder
    for name, weight in exact.state_dict().items():
        # Equal, and not only close: it was never rounded to bfloat16.
        assert torch.equal(model.audio_encoder.state_dict()[name], weight), name
    made = engine.generate(Request(prompt="warm", melody=melody, seconds=0.4))[0]
    assert made.frames == 12_800


def test_a_sharded_checkpoint_loads(stereo: Engine, stereo_folder: Path, tmp_path: Path) -> None:
    model = MusicgenMelodyForConditionalGeneration.from_pretrained(stereo_folder)
    model.save_pretrained(tmp_path, max_shard_size="100KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(stereo_folder / name, tmp_path)
    assert np.array_equal(samples(load(tmp_path)), samples(stereo))


def test_a_separate_decoder_replaces_the_models_own(
    stereo: Engine, stereo_folder: Path, tmp_path: Path
) -> None:
    decoder = write_decoder(tmp_path / "decoder", channels=2, seed=3)
    engine = load(stereo_folder, decoder=decoder)
    alone = load_file(decoder / "model.safetensors")["lm_heads.0.weight"]
    assert torch.equal(engine._checkpoint.model.decoder.lm_heads[0].weight, alone)
    assert not np.array_equal(samples(engine), samples(stereo))


def test_the_decoder_of_a_complete_checkpoint_can_be_used(
    stereo_folder: Path, mono_folder: Path, mono: Engine
) -> None:
    engine = load(stereo_folder, decoder=mono_folder)
    assert (engine.num_codebooks, engine.audio_channels) == (4, 1)
    assert torch.equal(
        engine._checkpoint.model.decoder.lm_heads[0].weight,
        mono._checkpoint.model.decoder.lm_heads[0].weight,
    )
    assert samples(engine).shape == (12_800, 1)


def test_a_decoder_of_another_width_is_refused(stereo_folder: Path, tmp_path: Path) -> None:
    decoder = write_decoder(tmp_path / "wide", channels=2, seed=0, hidden_size=64)
    with pytest.raises(CheckpointUnusable, match=r"wide' is 64 wide.*are 32"):
        load(stereo_folder, decoder=decoder)


def test_a_decoder_with_more_codes_than_the_codec_is_refused(
    stereo_folder: Path, tmp_path: Path
) -> None:
    decoder = write_decoder(tmp_path / "many", channels=2, seed=0, vocab_size=128)
    with pytest.raises(CheckpointUnusable, match=r"many' makes 4 codebooks of 128.*has 4 of 64"):
        load(stereo_folder, decoder=decoder)


def test_a_decoder_alone_is_refused_as_a_model(tmp_path: Path) -> None:
    write_decoder(tmp_path, channels=1, seed=0)
    with pytest.raises(CheckpointUnusable, match="is a decoder alone"):
        load(tmp_path)


def test_a_truncated_file_is_refused(broken: Path) -> None:
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(CheckpointUnusable, match="is cut, or is not safetensors"):
        load(broken)


def test_missing_weights_are_refused(broken: Path) -> None:
    weights = load_file(broken / "model.safetensors")
    del weights["decoder.lm_heads.0.weight"]
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointUnusable, match=r"lacks 1 weights, such as decoder\.lm_heads\.0"):
        load(broken)


def test_weights_of_another_shape_are_refused(broken: Path) -> None:
    weights = load_file(broken / "model.safetensors")
    weights["decoder.lm_heads.0.weight"] = torch.zeros(5, 5)
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointUnusable, match=r"lm_heads\.0.*\[5, 5\].*\[64, 32\]"):
        load(broken)
    del weights["decoder.lm_heads.0.weight"]
    weights["decoder.lm_heads.1.weight"] = torch.zeros(5, 5)
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointUnusable, match="cannot be read"):
        load(broken)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(broken: Path, value: float) -> None:
    weights = load_file(broken / "model.safetensors")
    weights["decoder.lm_heads.3.weight"][2, 1] = value
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointUnusable, match=r"lm_heads\.3\.weight has values that are not"):
        load(broken)


def test_an_impossible_configuration_is_refused(broken: Path) -> None:
    config = json.loads((broken / "config.json").read_text())
    config["decoder"]["num_attention_heads"] = 5
    (broken / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointUnusable, match="cannot be read"):
        load(broken)


def test_a_broken_tokenizer_is_refused(broken: Path) -> None:
    (broken / "tokenizer.json").write_text("{")
    with pytest.raises(CheckpointUnusable, match=r"tokenizer of model .* cannot be read"):
        load(broken)


def test_a_tokenizer_of_another_checkpoint_is_refused(broken: Path) -> None:
    tokenizer = json.loads((broken / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"] |= {f"word{index}": index for index in range(10, 20)}
    (broken / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(CheckpointUnusable, match=r"has 20 tokens, .* knows 10"):
        load(broken)


def test_pickled_weights_are_not_read_even_when_an_index_names_them(broken: Path) -> None:
    (broken / "model.safetensors").unlink()
    torch.save({}, broken / "pytorch_model.bin")
    shards = {"metadata": {}, "weight_map": {"decoder.lm_heads.0.weight": "pytorch_model.bin"}}
    (broken / "model.safetensors.index.json").write_text(json.dumps(shards))
    with pytest.raises(CheckpointUnusable, match="of safetensors alone is missing"):
        load(broken)


def test_code_in_a_checkpoint_is_not_run(broken: Path) -> None:
    evidence = broken / "ran"
    (broken / "own.py").write_text(f"open({str(evidence)!r}, 'w').close()\n")
    for name, key in (("config.json", "AutoConfig"), ("tokenizer_config.json", "AutoTokenizer")):
        config = json.loads((broken / name).read_text())
        config["auto_map"] = {key: ["own.Own", None] if key == "AutoTokenizer" else "own.Own"}
        (broken / name).write_text(json.dumps(config))
    with contextlib.suppress(CheckpointUnusable):
        load(broken)
    assert not evidence.exists()


def test_an_end_token_or_beams_in_the_generation_config_change_nothing(
    stereo: Engine, broken: Path
) -> None:
    config = json.loads((broken / "generation_config.json").read_text())
    config |= {"eos_token_id": 0, "num_beams": 4, "max_new_tokens": 3, "repetition_penalty": 9.0}
    (broken / "generation_config.json").write_text(json.dumps(config))
    assert np.array_equal(samples(load(broken)), samples(stereo))


def test_a_request_without_sampling_settings_uses_the_checkpoints(broken: Path) -> None:
    config = json.loads((broken / "generation_config.json").read_text())
    config |= {"do_sample": False, "guidance_scale": 1.0}
    (broken / "generation_config.json").write_text(json.dumps(config))
    engine = load(broken)
    explicit = Request(prompt="warm rhodes", seconds=0.4, do_sample=False, guidance_scale=1.0)
    assert np.array_equal(samples(engine), engine.generate(explicit)[0].samples)
    assert not np.array_equal(
        samples(engine),
        engine.generate(Request(prompt="warm rhodes", seconds=0.4, do_sample=True))[0].samples,
    )


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "gpu", "meta"])
def test_a_missing_device_is_refused(stereo_folder: Path, device: str) -> None:
    with pytest.raises(BadArgument, match=f"device '{device}'"):
        load(stereo_folder, device=device)


@pytest.mark.parametrize("dtype", ["int8", torch.float64])
def test_an_unknown_number_type_is_refused(stereo_folder: Path, dtype: str | torch.dtype) -> None:
    with pytest.raises(BadArgument, match=f"dtype {dtype!r}"):
        load(stereo_folder, device="cpu", dtype=dtype)


def test_two_checkpoints_with_one_seed_are_equal(tmp_path: Path) -> None:
    """Other tests compare engines, so the test checkpoints must not vary."""
    first, second = (write_checkpoint(tmp_path / name, channels=1) for name in "ab")
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()
