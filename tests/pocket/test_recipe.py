"""The whole recipe at its smallest: trained, killed, resumed, exported, played by the engine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import EncodecModel, MusicgenMelodyForConditionalGeneration

from bridge.chroma import one_hot
from bridge.engine import Request, load
from bridge.pocket import checkpoint_folder
from bridge.pocket.__main__ import main
from tests.processes import KILLED

CODEC_STEPS, DECODER_STEPS = 2, 5
DECAY_FROM = 4
"""Where the decoder's learning rate begins to fall: a state is saved there, a step early."""


@dataclass(frozen=True)
class Trained:
    """Results of the recipe: its folders, and the second run's log."""

    folder: Path
    checkpoint: Path
    log: str


def recipe(folder: Path, checkpoint: Path) -> list[str]:
    return [
        sys.executable, "-m", "bridge.pocket", "--folder", str(folder), "--out", str(checkpoint),
        "--codec-steps", str(CODEC_STEPS), "--codec-pieces", "2", "--shards", "1",
        "--shard-pieces", "2", "--decoder-steps", str(DECODER_STEPS),
        "--aim-steps", "3",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """Killed once the decoder has saved a state, and started again."""
    folder = tmp_path_factory.mktemp("training")
    checkpoint = tmp_path_factory.mktemp("checkpoint")
    command = recipe(folder, checkpoint)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        log = []
        for line in first.stderr:
            log.append(line)
            if f"decoder saved at step {DECAY_FROM}" in line:
                first.kill()
    assert first.returncode == KILLED, "".join(log)
    assert not list(checkpoint.iterdir())
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 0, second.stderr
    yield Trained(folder, checkpoint, second.stderr)


@pytest.mark.slow
def test_a_killed_run_resumes_where_it_was(trained: Trained) -> None:
    assert f"codec goes on from step {CODEC_STEPS}" in trained.log
    assert f"decoder goes on from step {DECAY_FROM}" in trained.log
    assert f"decoder saved at step {DECODER_STEPS}" in trained.log
    assert "npz written" not in trained.log and "codec step" not in trained.log
    full_log = (trained.folder / "train.log").read_text(encoding="utf-8")
    assert full_log.count("shard 0000.npz written") == 1
    assert "codec step 0" in full_log and "decoder step 0" in full_log


@pytest.mark.slow
def test_the_state_before_the_decay_is_kept_for_a_longer_run(trained: Trained) -> None:
    before, after = (
        torch.load(trained.folder / name, weights_only=True)
        for name in ("before-decay.pt", "decoder.pt")
    )
    assert (before["step"], after["step"]) == (DECAY_FROM, DECODER_STEPS)
    moved = [
        name
        for name, value in after["model"].items()
        if not torch.equal(value, before["model"][name])
    ]
    assert len(moved) > 50


@pytest.mark.slow
def test_the_losses_are_drawn(trained: Trained) -> None:
    pytest.importorskip("matplotlib")
    assert (trained.folder / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_checkpoint_is_small_and_half_precision(trained: Trained) -> None:
    weights = list(trained.checkpoint.glob("*.safetensors"))
    assert len(weights) == 1
    assert weights[0].stat().st_size <= 24 * 2**20
    assert not list(trained.checkpoint.glob("*.bin"))


@pytest.mark.slow
def test_plain_transformers_loads_every_weight(trained: Trained) -> None:
    model_class: Any = MusicgenMelodyForConditionalGeneration
    model, found = model_class.from_pretrained(trained.checkpoint, output_loading_info=True)
    assert not any(found.values())
    assert next(model.parameters()).dtype == torch.float16
    assert (model.config.decoder.num_codebooks, model.config.chroma_length) == (8, 235)
    average = torch.load(trained.folder / "decoder.pt", weights_only=True)["average"]
    torch.testing.assert_close(
        model.enc_to_dec_proj.weight, average["text_proj.weight"].half(), atol=0, rtol=0
    )
    codec = torch.load(trained.folder / "codec.pt", weights_only=True)["model"]
    embed = model.audio_encoder.quantizer.layers[0].codebook.embed
    torch.testing.assert_close(
        embed, codec["quantizer.layers.0.codebook.embed"].half(), atol=0, rtol=0
    )


@pytest.mark.slow
def test_the_engine_plays_it(trained: Trained) -> None:
    engine = load(trained.checkpoint, device="cpu")
    assert (engine.num_codebooks, engine.audio_channels, engine.frame_rate) == (8, 2, 50)
    melody = one_hot(np.repeat(np.array([0, 4, 7]), 8))
    request = Request(prompt="warm piano, drums, 92 bpm", melody=melody, seconds=0.4, seed=1)
    (played,) = engine.generate(request)
    assert (played.frames, played.channels) == (12_800, 2)
    decoded = engine.reconstruct(played)
    assert (decoded.frames, decoded.channels) == (12_800, 2)


def test_a_checkpoint_can_be_trained_further(tmp_path: Path) -> None:
    """The codec stays the same; the decoder changes, but only by a few steps."""
    folder, longer = tmp_path / "training", tmp_path / "longer"
    arguments = [*recipe(folder, longer)[3:], "--from", str(checkpoint_folder())]
    assert main(arguments) == 0
    assert not (folder / "codec.pt").exists()
    model_class: Any = MusicgenMelodyForConditionalGeneration
    before, after = (
        model_class.from_pretrained(path).state_dict() for path in (checkpoint_folder(), longer)
    )
    for name, value in before.items():
        if name.startswith("audio_encoder."):
            assert torch.equal(value, after[name]), name
    name = "decoder.model.decoder.layers.0.fc1.weight"
    away = float((after[name].float() - before[name].float()).norm() / before[name].float().norm())
    assert 0 < away < 0.05
    (played,) = load(longer, device="cpu").generate(Request(prompt="warm piano", seconds=0.4))
    assert (played.frames, played.channels) == (12_800, 2)


def test_the_codec_can_start_from_a_checkpoints_weights(tmp_path: Path) -> None:
    folder = tmp_path / "training"
    arguments = [*recipe(folder, tmp_path / "none")[3:], "--codec-from", str(checkpoint_folder())]
    assert main([*arguments, "--stages", "codec"]) == 0
    model_class: Any = MusicgenMelodyForConditionalGeneration
    before = model_class.from_pretrained(checkpoint_folder()).audio_encoder.state_dict()
    after = EncodecModel.from_pretrained(folder / "codec").state_dict()
    moved = [
        float((after[name] - value.float()).norm() / value.float().norm())
        for name, value in before.items()
        if name.endswith(".weight_v") or "original1" in name
    ]
    assert len(moved) > 10
    assert 0 < max(moved) < 0.05


@pytest.mark.parametrize("seed", ["9000", "9001", "9002"])
def test_seeds_of_the_evaluation_are_refused(
    seed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--folder", str(tmp_path / "training"), "--seed", seed])
    assert stopped.value.code == 2
    assert f"seed {seed}: " in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "training").exists()
