"""What all tests share: the melodies, and how a test asks for a program that may be missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A landing is judged on the same examples each time; a developer's runs look for new ones.
settings.register_profile("landing", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("landing")

pytest_plugins = ["tests.peers.jack"]

MELODIES = Path(__file__).parent / "melodies"


@pytest.fixture(scope="session")
def melodies() -> Path:
    """The folder of tunes: hums as WAV and their notes as MIDI, the tempo in the name."""
    return MELODIES


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny stereo checkpoint of random weights, for `--model`."""
    import torch

    from tests.checkpoints import write_checkpoint

    # It is so small that a second thread only waits.
    torch.set_num_threads(1)
    return write_checkpoint(tmp_path_factory.mktemp("model"), channels=2)


@pytest.fixture(scope="session")
def require_program() -> Callable[[str], str]:
    """Gives a program's path; without it the test is skipped, or fails where all must be there."""

    def require(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            missing = f"{name} is not installed"
            if os.environ.get("MELODY_BRIDGE_REQUIRE_ALL"):
                pytest.fail(missing)
            pytest.skip(missing)
        return path

    return require
