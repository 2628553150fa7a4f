"""A small `HTDemucs` of random weights, in the form in which Demucs 4.1's own weights come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from bridge.engine.stems import SOURCES, WEIGHTS

SEGMENT_SECONDS = 2
LOUDER = 30.0
"""Random weights make stems 30 dB softer than the mix; their last layers times this, as loud."""
KWARGS: dict[str, Any] = {
    **{"channels": 8, "depth": 4, "t_layers": 1, "t_heads": 2, "dconv_comp": 4},
    "segment": SEGMENT_SECONDS,
}


def write_weights(folder: Path) -> Path:
    """Write the file into a folder, which is made, and return its path.

    Without Demucs the test is skipped.
    """
    demucs = pytest.importorskip("demucs.htdemucs", reason="the extra stems is not installed")
    torch.manual_seed(0)
    model = demucs.HTDemucs(SOURCES, **KWARGS)
    with torch.no_grad():
        for layer in (model.decoder[-1].conv_tr, model.tdecoder[-1].conv_tr):
            layer.weight *= LOUDER
            layer.bias *= LOUDER
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {key: value.contiguous() for key, value in model.state_dict().items()},
        folder / WEIGHTS,
        {
            "klass": "demucs.htdemucs.HTDemucs",
            "args": json.dumps([SOURCES]),
            "kwargs": json.dumps(KWARGS),
        },
    )
    return folder / WEIGHTS
