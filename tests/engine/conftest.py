"""Tiny checkpoints with random weights, written once a session, and engines that loaded them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bridge.chroma import one_hot
from bridge.engine import Engine, load
from tests.checkpoints import write_checkpoint


@pytest.fixture(scope="session")
def mono_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("mono"), channels=1)


@pytest.fixture(scope="session")
def stereo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("stereo"), channels=2)


@pytest.fixture(scope="session")
def mono(mono_folder: Path) -> Engine:
    return load(mono_folder, device="cpu")


@pytest.fixture(scope="session")
def stereo(stereo_folder: Path) -> Engine:
    return load(stereo_folder, device="cpu")


@pytest.fixture(scope="module")
def two_threads() -> Iterator[None]:
    """Two threads of torch, whatever the machine: a step in ONNX Runtime then has two sessions."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def melody() -> NDArray[np.float32]:
    """A scale, three steps a note: shorter than the window."""
    return one_hot(np.repeat(np.array([0, 2, 4, 5, 7, 9, 11, 0]), 3))


@pytest.fixture(scope="session")
def other_melody() -> NDArray[np.float32]:
    return one_hot(np.repeat(np.array([7, 6, 5, 4, 3, 2, 1, 0]), 3))
