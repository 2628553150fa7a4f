"""The picture of a training, from logs like those of the recipe."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from bridge.pocket.curves import draw, read_logs

CODEC_LOG = """\
2026-01-05 10:00:00,123 codec step 0 spectral 1.4882 bands 0.9000 wave 1.0395 commitment 0.0000 used [0, 0] 1.2 s/step
2026-01-05 10:00:09,456 codec step 50 spectral 1.2957 bands 0.8000 wave 1.0276 commitment 0.0000 used [0, 0] 1.1 s/step
2026-01-05 10:00:10,000 codec goes on from step 50
2026-01-05 10:00:19,456 codec step 50 spectral 1.1000 bands 0.7000 wave 1.0100 commitment 0.2000 used [9, 8] 1.1 s/step
"""  # noqa: E501
DECODER_LOG = """\
2026-01-05 11:00:00,123 decoder step 0 loss 6.2800 first codebook 6.2700 pitch class found nan beat found 0.190 pieces 4 6.63 s/step
2026-01-05 11:01:00,123 decoder step 50 loss 5.5000 first codebook 5.1000 pitch class found 0.250 beat found 0.500 pieces 4 6.63 s/step
"""  # noqa: E501


@pytest.fixture
def logs(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "codec.log", tmp_path / "decoder.log"]
    paths[0].write_text(CODEC_LOG, encoding="utf-8")
    paths[1].write_text(DECODER_LOG, encoding="utf-8")
    return paths


def test_losses_are_read_and_a_repeated_step_counts_once(logs: list[Path]) -> None:
    curves = read_logs(logs)
    assert np.array_equal(curves.codec, [[0, 1.4882, 0.9, 1.0395, 0.0], [50, 1.1, 0.7, 1.01, 0.2]])
    assert curves.decoder[:, :3].tolist() == [[0, 6.28, 6.27], [50, 5.5, 5.1]]
    assert math.isnan(curves.decoder[0, 3]) and curves.decoder[1, 3] == 0.25
    assert curves.decoder[:, 4].tolist() == [0.19, 0.5]


def test_a_log_without_losses_gives_no_curves(tmp_path: Path) -> None:
    (tmp_path / "codes.log").write_text("shard 0003.npz written, 4 of 12\n", encoding="utf-8")
    curves = read_logs([tmp_path / "codes.log"])
    assert curves.codec.shape == curves.decoder.shape == (0, 5)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_unfinished_training_can_be_drawn(logs: list[Path], count: int, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(logs[:count], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
