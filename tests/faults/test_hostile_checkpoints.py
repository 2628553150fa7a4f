"""Folders that claim to be checkpoints are refused in well under a second, and run nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.tools.doctor import check_model
from tests.faults.test_refused_quickly import DEADLINE_SECONDS, device, pipe, refused

if sys.platform == "win32":
    pytest.skip("Windows has no pipes and devices in folders", allow_module_level=True)

pytestmark = pytest.mark.exclusive

Spoil = Callable[[Path], None]


@pytest.fixture
def folder(model: Path, tmp_path: Path) -> Path:
    """A sound checkpoint, to spoil."""
    return shutil.copytree(model, tmp_path / "spoiled")


def edit_json(folder: Path, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / name
    content = json.loads(path.read_text()) if path.exists() else {}
    change(content)
    path.write_text(json.dumps(content))


def code_of_its_own(folder: Path) -> None:
    (folder / "modeling.py").write_text("open('ran', 'w')")
    edit_json(
        folder, "config.json", lambda c: c.update(auto_map={"AutoModel": "modeling.Malicious"})
    )


def tokenizer_code(folder: Path) -> None:
    (folder / "tokenizing.py").write_text("open('ran', 'w')")
    edit_json(
        folder,
        "tokenizer_config.json",
        lambda c: c.update(auto_map={"AutoTokenizer": ["tokenizing.Malicious", None]}),
    )


def another_rate(folder: Path) -> None:
    edit_json(folder, "config.json", lambda c: c["audio_encoder"].update(sampling_rate=24_000))


def another_codec(folder: Path) -> None:
    edit_json(folder, "config.json", lambda c: c["audio_encoder"].update(codebook_size=32))


def another_number_of_codebooks(folder: Path) -> None:
    edit_json(folder, "config.json", lambda c: c["decoder"].update(num_codebooks=16))


def edit_header(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "model.safetensors"
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header)
    changed = json.dumps(header).encode()
    path.write_bytes(len(changed).to_bytes(8, "little") + changed + content[8 + length :])


def huge_tensor(folder: Path) -> None:
    edit_header(folder, lambda h: h["decoder.lm_heads.0.weight"].update(shape=[10**12, 10**12]))


def overlapping_tensors(folder: Path) -> None:
    def change(header: dict[str, Any]) -> None:
        header["decoder.lm_heads.0.weight"]["data_offsets"] = header["decoder.lm_heads.1.weight"][
            "data_offsets"
        ]

    edit_header(folder, change)


def wrong_shape(folder: Path) -> None:
    def change(header: dict[str, Any]) -> None:
        rows, columns = header["decoder.lm_heads.0.weight"]["shape"]
        header["decoder.lm_heads.0.weight"]["shape"] = [columns, rows]

    edit_header(folder, change)


def not_a_number(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[:8], "little")
    entry = json.loads(content[8 : 8 + length])["decoder.lm_heads.2.weight"]
    start = 8 + length + entry["data_offsets"][0]
    nan = np.array([np.nan], {"F32": np.float32, "F16": np.float16}[entry["dtype"]]).tobytes()
    content[start : start + len(nan)] = nan
    path.write_bytes(content)


def weights_that_are(make: Callable[[Path], None]) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        make(folder / "model.safetensors")

    return spoil


def circular_link(path: Path) -> None:
    path.symlink_to(path.name)


def shards_elsewhere(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder.parent / "other.safetensors")
    index = {"weight_map": {"a": "../other.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def huge_tokenizer(folder: Path) -> None:
    with (folder / "tokenizer.json").open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (code_of_its_own, "config.json asks for code of its own"),
        (tokenizer_code, "tokenizer_config.json asks for code of its own"),
        (another_rate, "codec of 24000 Hz, and MusicGen Melody needs 32000 Hz"),
        (another_codec, "decoder of 64 codes and a codec of 32"),
        (another_number_of_codebooks, "decoder of 8 codebooks a channel and a codec of 4"),
        (huge_tensor, "lm_heads.0.weight has bytes"),
        (overlapping_tensors, "lm_heads"),
        (wrong_shape, "shape [32, 64], but by config.json it is [64, 32]"),
        (not_a_number, "lm_heads.2.weight has values that are not finite"),
        (weights_that_are(pipe), "model.safetensors is missing"),
        (weights_that_are(device), "model.safetensors is missing"),
        (weights_that_are(circular_link), "model.safetensors is missing"),
        (shards_elsewhere, "is missing"),
        (huge_tokenizer, "tokenizer.json has"),
    ],
    ids=lambda value: getattr(value, "__qualname__", None),
)
def test_a_hostile_folder(folder: Path, tmp_path: Path, spoil: Spoil, message: str) -> None:
    spoil(folder)
    assert message in refused(tmp_path, "model", "show", str(folder))
    begin = time.perf_counter()
    finding = check_model(str(folder))
    assert time.perf_counter() - begin < DEADLINE_SECONDS
    assert finding.verdict == "failure" and message in finding.found
    assert not (tmp_path / "ran").exists()


def test_doctor_reports_a_hostile_decoder_and_the_model_that_is_sound(
    folder: Path, model: Path, tmp_path: Path
) -> None:
    not_a_number(folder)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bridge", "doctor", "--json", "--osc-port", "0"),
            *("--input", "none", "--midi", "none", "--model", model, "--decoder", folder),
        ],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    findings = {each["about"]: each for each in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1
    assert findings[f"model {model}"]["verdict"] == "ok"
    assert findings[f"decoder {folder}"]["verdict"] == "failure"
    assert "lm_heads.2.weight has values that" in findings[f"decoder {folder}"]["found"]
