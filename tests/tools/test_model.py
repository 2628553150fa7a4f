"""`melody-bridge model show`: what a checkpoint is made of."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import MusicgenMelodyForConditionalGeneration

from bridge.cli import main
from bridge.engine.checkpoint import find
from bridge.engine.description import describe
from tests.checkpoints import write_checkpoint, write_decoder


def test_parameters_are_those_that_transformers_counts(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", channels=2)
    model: Any = MusicgenMelodyForConditionalGeneration.from_pretrained(folder)
    described = describe(find(folder))
    counted = {part.name: part.parameters for part in described.parts}
    codebooks = sum(
        each.numel() for name, each in model.named_buffers() if name.endswith("codebook.embed")
    )
    expected = {
        "text encoder": sum(each.numel() for each in model.text_encoder.parameters()),
        "codec": sum(each.numel() for each in model.audio_encoder.parameters()) + codebooks,
        "decoder": sum(each.numel() for each in model.decoder.parameters()),
        "text projection": sum(each.numel() for each in model.enc_to_dec_proj.parameters()),
        "chroma projection": sum(each.numel() for each in model.audio_enc_to_dec_proj.parameters()),
    }
    assert counted == expected
    assert described.is_finite is True


def test_the_facts_are_printed_as_text_and_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_checkpoint(tmp_path / "model", channels=2)
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# A model\n")
    assert main(["model", "show", str(folder), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["audio_channels"], shown["num_codebooks"], shown["codebook_size"]) == (2, 8, 64)
    assert (shown["sample_rate"], shown["chroma_length"]) == (32_000, 235)
    assert (shown["layers"], shown["hidden_size"], shown["heads"]) == (2, 32, 4)
    assert shown["text_encoder"] == "t5, 24 wide"
    assert shown["licence"] == "cc-by-nc-4.0"
    assert shown["defaults"] == {"do_sample": True, "guidance_scale": 3.0, "max_length": 1500}
    assert main(["model", "show", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "stereo, 8 codebooks of 64, 32000 Hz" in text
    assert "licence        cc-by-nc-4.0" in text


def test_a_decoder_alone_is_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_decoder(tmp_path / "decoder", channels=1, seed=0)
    assert main(["model", "show", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "mono, 4 codebooks of 64" in text
    assert "compose" in text


def test_a_model_that_is_not_here_is_not_fetched(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "show", "someone/melody-model"]) == 2
    assert "is not on this machine yet" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["[", "[]"])
def test_unreadable_defaults_are_refused_by_name(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_checkpoint(tmp_path / "model", channels=1)
    (folder / "generation_config.json").write_text(text)
    assert main(["model", "show", str(folder)]) == 2
    assert "generation_config.json" in capsys.readouterr().err


def test_weights_in_several_files_are_added_up(tmp_path: Path) -> None:
    whole = write_checkpoint(tmp_path / "model", channels=1)
    model: Any = MusicgenMelodyForConditionalGeneration.from_pretrained(whole)
    sharded = tmp_path / "sharded"
    model.save_pretrained(sharded, max_shard_size="100KB")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(whole / name, sharded)
    assert describe(find(sharded)).parts == describe(find(whole)).parts
