"""A checkpoint put together from parts is the model that loading the parts gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import MusicgenMelodyForCausalLM, MusicgenMelodyForConditionalGeneration

from bridge.cli import main
from bridge.engine import Request, load
from bridge.engine.compose import compose
from bridge.engine.weights import quiet
from bridge.errors import BadArgument, CheckpointUnusable
from tests.checkpoints import write_checkpoint, write_decoder


@pytest.fixture
def request_(melody: NDArray[np.float32]) -> Request:
    return Request(prompt="warm rhodes", melody=melody, seconds=0.6, seed=5)


def adapter_of(model: Any, folder: Path, targets: list[str]) -> Any:
    """Save a LoRA whose matrices are not zero; return the model with the LoRA in it."""
    torch.manual_seed(9)
    # peft uses a name that transformers is about to drop, which warns.
    with quiet():
        adapted: Any = get_peft_model(
            model, LoraConfig(r=2, lora_alpha=8, target_modules=targets, init_lora_weights=False)
        )
    adapted.save_pretrained(folder)
    return adapted


def test_a_decoder_trained_apart_is_saved_with_its_base(
    stereo_folder: Path, tmp_path: Path, request_: Request
) -> None:
    decoder = write_decoder(tmp_path / "decoder", channels=2, seed=3)
    done = compose(stereo_folder, tmp_path / "whole", decoder=decoder)
    (mine,) = load(done.folder).generate(request_)
    (its,) = load(stereo_folder, decoder=decoder).generate(request_)
    np.testing.assert_array_equal(mine.samples, its.samples)
    (other,) = load(stereo_folder).generate(request_)
    assert not np.array_equal(mine.samples, other.samples)
    defaults = json.loads((done.folder / "generation_config.json").read_text())
    assert defaults["guidance_scale"] == 3.0


def test_a_lora_of_the_decoder_is_merged(
    stereo_folder: Path, tmp_path: Path, request_: Request
) -> None:
    alone = write_decoder(tmp_path / "decoder", channels=2, seed=3)
    decoder: Any = MusicgenMelodyForCausalLM.from_pretrained(alone)
    adapted = adapter_of(decoder, tmp_path / "lora", ["q_proj", "v_proj", "fc1"])
    done = compose(stereo_folder, tmp_path / "whole", decoder=alone, adapter=tmp_path / "lora")
    assert done.adapted_weights == 2 * 3  # two layers
    merged = adapted.merge_and_unload().state_dict()
    written = load_file(done.folder / "model.safetensors")
    for name, weight in merged.items():
        torch.testing.assert_close(written[f"decoder.{name}"], weight)
    (mine,) = load(done.folder).generate(request_)
    (plain,) = load(stereo_folder, decoder=alone).generate(request_)
    assert not np.array_equal(mine.samples, plain.samples)


def test_a_lora_of_the_whole_model_is_merged(stereo_folder: Path, tmp_path: Path) -> None:
    model: Any = MusicgenMelodyForConditionalGeneration.from_pretrained(stereo_folder)
    targets = ["k_proj", "enc_to_dec_proj", "audio_enc_to_dec_proj", "lm_heads.0"]
    adapted = adapter_of(model, tmp_path / "lora", targets)
    done = compose(stereo_folder, tmp_path / "whole", adapter=tmp_path / "lora")
    merged = adapted.merge_and_unload().state_dict()
    written = load_file(done.folder / "model.safetensors")
    for name in ("enc_to_dec_proj.weight", "decoder.lm_heads.0.weight"):
        torch.testing.assert_close(written[name], merged[name])
    assert done.adapted_weights == 2 + 3


def test_the_number_type_stays_or_becomes_what_is_asked_for(
    stereo_folder: Path, tmp_path: Path
) -> None:
    decoder = write_decoder(tmp_path / "decoder", channels=2, seed=3)
    half = compose(stereo_folder, tmp_path / "half", decoder=decoder, dtype="bfloat16").folder
    kept = compose(half, tmp_path / "kept", decoder=decoder).folder
    for folder in (half, kept):
        weights = load_file(folder / "model.safetensors")
        assert weights["decoder.lm_heads.0.weight"].dtype == torch.bfloat16


def test_nothing_to_put_together_is_refused(stereo_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match="nothing to put together"):
        compose(stereo_folder, tmp_path / "whole")


def test_a_decoder_of_another_width_is_refused_and_leaves_nothing(
    stereo_folder: Path, tmp_path: Path
) -> None:
    decoder = write_decoder(tmp_path / "decoder", channels=2, seed=3, hidden_size=64)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CheckpointUnusable, match="64 wide"):
        compose(stereo_folder, tmp_path / "whole", decoder=decoder)
    assert sorted(tmp_path.iterdir()) == before


class Spoiled:
    """A sound LoRA of the stereo checkpoint's decoder, to spoil."""

    def __init__(self, base: Path, folder: Path) -> None:
        self.base, self.folder = base, folder
        model: Any = MusicgenMelodyForConditionalGeneration.from_pretrained(base)
        adapter_of(model.decoder, folder, ["q_proj"])

    def refused(self, message: str) -> None:
        """Assert that composing with it fails with this message, and leaves nothing."""
        before = sorted(self.folder.parent.iterdir())
        with pytest.raises(CheckpointUnusable, match=message):
            compose(self.base, self.folder.parent / "whole", adapter=self.folder)
        assert sorted(self.folder.parent.iterdir()) == before


@pytest.fixture
def lora(stereo_folder: Path, tmp_path: Path) -> Spoiled:
    return Spoiled(stereo_folder, tmp_path / "lora")


def test_an_adapter_of_another_model_is_refused_by_the_weight(lora: Spoiled) -> None:
    weights = load_file(lora.folder / "adapter_model.safetensors")
    first = min(weights)
    renamed = {**weights, first.replace("layers.0", "layers.40"): weights[first].clone()}
    save_file(renamed, lora.folder / "adapter_model.safetensors")
    lora.refused(r"does not fit the model.*layers\.40")
    save_file(
        {"base_model.model.vision.x": weights[first]}, lora.folder / "adapter_model.safetensors"
    )
    lora.refused("changes vision.x, which MusicGen Melody does not have")
    save_file({**weights, first: torch.zeros(3, 3)}, lora.folder / "adapter_model.safetensors")
    lora.refused("does not fit the model")


def test_an_adapter_with_values_that_are_not_finite_is_refused(lora: Spoiled) -> None:
    weights = load_file(lora.folder / "adapter_model.safetensors")
    weights[min(weights)][0, 0] = float("nan")
    save_file(weights, lora.folder / "adapter_model.safetensors")
    lora.refused("not finite")


def test_a_pickled_adapter_is_refused(lora: Spoiled) -> None:
    (lora.folder / "adapter_model.safetensors").unlink()
    torch.save({}, lora.folder / "adapter_model.bin")
    lora.refused("pickled weights can run code")


def test_an_adapter_of_another_kind_or_without_settings_is_refused(lora: Spoiled) -> None:
    path = lora.folder / "adapter_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "peft_type": "LOHA"}))
    lora.refused("of type 'LOHA'")
    path.write_text("{")
    lora.refused("adapter_config.json cannot be read")
    path.unlink()
    lora.refused("adapter_config.json cannot be read")


def test_weights_that_were_cut_are_refused(lora: Spoiled) -> None:
    path = lora.folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    lora.refused("cannot be read")


def test_the_command_makes_a_folder_that_render_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_checkpoint(tmp_path / "base", channels=2)
    decoder = write_decoder(tmp_path / "decoder", channels=2, seed=4)
    out = tmp_path / "whole"
    arguments = ["compose", str(out), "--base", str(base), "--decoder", str(decoder), "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["decoder"] == str(decoder)
    made = []
    for name, options in (
        ("composed", ["--model", str(out)]),
        ("apart", ["--model", str(base), "--decoder", str(decoder)]),
    ):
        path = tmp_path / f"{name}.wav"
        render = ["render", "--prompt", "warm", "--bars", "1", "--tempo", "240", "--seed", "3"]
        assert main([*render, *options, "--out", str(path)]) == 0
        made.append(path.read_bytes())
        sidecar = json.loads(path.with_suffix(".json").read_text())
        assert sidecar["decoder"] == (str(decoder) if name == "apart" else None)
    assert made[0] == made[1]


def test_the_command_reports_a_mistake_before_torch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compose", str(tmp_path / "out"), "--base", "pocket"]) == 2
    assert "--decoder, --adapter, or both" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    assert not (tmp_path / "out").exists()
