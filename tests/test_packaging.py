"""The wheel: built, installed in an empty environment outside the repository, and used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy
import pytest
import soundfile

import bridge

ROOT = Path(bridge.__file__).parent.parent


@dataclass(frozen=True)
class Installation:
    """An environment with the wheel, which borrows the dependencies of the tests' own."""

    wheel: Path
    bin: Path
    environment: Mapping[str, str]

    def run(self, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment."""
        program, *arguments = command
        return subprocess.run(
            [str(self.bin / program), *arguments],
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Build the wheel and install it far from the repository."""
    folder = tmp_path_factory.mktemp("elsewhere")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    bin_folder = folder / "venv" / "bin"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(bin_folder / "python")),
            *("install", "--quiet", "--no-deps", "--no-index", str(wheel)),
        ],
        check=True,
        capture_output=True,
    )
    # The dependencies take gigabytes, so the environment borrows them by path. A folder named in a
    # .pth file comes after the environment's own packages, and its own .pth files, such as an
    # editable install's, are not followed.
    packages = str(Path(numpy.__file__).parents[1])
    (own,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (own / "borrowed.pth").write_text(packages + "\n")
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "HF_HUB_OFFLINE": "1",
    }
    return Installation(wheel, bin_folder, environment)


def test_the_installed_package_is_not_the_repository(
    installation: Installation, tmp_path: Path
) -> None:
    result = installation.run("python", "-c", "import bridge; print(bridge.__file__)", cwd=tmp_path)
    assert Path(result.stdout.strip()).is_relative_to(installation.bin.parent)


def test_presets_weights_and_demo_melody_are_in_the_wheel(installation: Installation) -> None:
    with zipfile.ZipFile(installation.wheel) as wheel:
        names = set(wheel.namelist())
    for preset in (ROOT / "presets").glob("*.toml"):
        assert f"bridge/data/presets/{preset.name}" in names
    assert "bridge/data/twinkle-hum-100bpm.flac" in names
    assert any(
        name.startswith("bridge/pocket/") and name.endswith(".safetensors") for name in names
    )
    assert not any(name.startswith("tests/") for name in names)


def test_presets_are_listed_from_the_wheel(installation: Installation, tmp_path: Path) -> None:
    result = installation.run("melody-bridge", "presets", cwd=tmp_path)
    assert result.returncode == 0
    for preset in (ROOT / "presets").glob("*.toml"):
        assert tomllib.loads(preset.read_text())["name"] in result.stdout


def test_the_demo_runs_from_the_wheel(installation: Installation, tmp_path: Path) -> None:
    result = installation.run("melody-bridge", "demo", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (clip,) = json.loads(result.stdout)["clips"]
    path = Path(clip["path"])
    assert path.parent == tmp_path / "melody-bridge-demo"
    audio = soundfile.info(path)
    # Four bars of 4/4 at 100 bpm.
    assert (audio.frames, audio.channels) == (round(9.6 * 44_100), 2)
    assert clip["model"] == "pocket"
    assert clip["melody_similarity"] > 0.5
