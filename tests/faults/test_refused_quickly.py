"""Files that are no music, settings or checkpoint are refused by name, in well under a second."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no pipes and devices in folders", allow_module_level=True)

pytestmark = pytest.mark.exclusive

DEADLINE_SECONDS = 5.0
"""Five times the second that a refusal may take: a busy machine must not fail the test."""


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def deep(path: Path) -> None:
    path.write_text("a = " + "[" * 5000 + "]" * 5000)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def refused(home: Path, *arguments: str) -> str:
    """What a command that fails in time prints to stderr."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        cwd=home,
        env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")},
        capture_output=True,
        text=True,
        timeout=10 * DEADLINE_SECONDS,
    )
    seconds = time.perf_counter() - begin
    print(f"{arguments}: {seconds:.2f} s")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert seconds < DEADLINE_SECONDS
    return done.stderr


@pytest.mark.parametrize("make", [pipe, device, deep, huge])
@pytest.mark.parametrize(
    ("name", "option"), [("config.toml", "--prompt"), ("presets/mine.toml", "--preset")]
)
def test_settings_that_are_no_file_or_too_deep(
    tmp_path: Path, make: Callable[[Path], None], name: str, option: str
) -> None:
    path = tmp_path / "config" / "melody-bridge" / name
    path.parent.mkdir(parents=True)
    make(path)
    assert path.name in refused(tmp_path, "render", option, "mine")


@pytest.mark.parametrize("make", [pipe, device])
def test_a_melody_that_is_no_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "melody.wav")
    assert "melody.wav" in refused(tmp_path, "render", "melody.wav", "--prompt", "piano")


@pytest.mark.parametrize(
    ("key", "value"), [("num_hidden_layers", 1_000_000_000), ("hidden_size", 1_000_000)]
)
def test_a_checkpoint_of_impossible_size(model: Path, tmp_path: Path, key: str, value: int) -> None:
    folder = shutil.copytree(model, tmp_path / "large")
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["decoder"][key] = value
    path.write_text(json.dumps(config))
    arguments = ("render", "--prompt", "piano", "--model", str(folder))
    assert f"decoder.{key}" in refused(tmp_path, *arguments)


def test_a_truncated_checkpoint(model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model, tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    arguments = ("render", "--prompt", "piano", "--model", str(folder))
    assert "model.safetensors" in refused(tmp_path, *arguments)
