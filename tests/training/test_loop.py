"""The parts that both training loops use."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from bridge.training.loop import RunningMean, autocast, cosine, save_state


def test_the_mean_starts_at_the_first_value_and_moves_slowly() -> None:
    mean = RunningMean()
    assert math.isnan(mean.value)
    mean.add(5.0)
    assert mean.value == pytest.approx(5.0)
    mean.add(3.0)
    assert mean.value == pytest.approx(4.0, abs=0.02)
    for _ in range(500):
        mean.add(3.0)
    mean.add(13.0)
    assert mean.value == pytest.approx(3.2, abs=0.01)


def test_nan_does_not_change_the_mean() -> None:
    mean, other = RunningMean(), RunningMean()
    for value in (math.nan, 0.2, math.nan, math.nan, 0.4):
        mean.add(value)
    for value in (0.2, 0.4):
        other.add(value)
    assert mean.value == other.value


def test_the_learning_rate_rises_to_its_peak_and_falls_to_a_fiftieth() -> None:
    rates = [cosine(step, 1000, 0.5, warm_up=100) for step in range(1000)]
    assert rates[0] == pytest.approx(0.005)
    assert max(rates) == rates[99] == pytest.approx(0.5)
    assert np.all(np.diff(rates[:100]) > 0) and np.all(np.diff(rates[100:]) < 0)
    assert rates[-1] == pytest.approx(0.01, abs=1e-4)


def test_a_failed_write_keeps_the_old_state(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.pt"
    save_state(path, {"step": 1})
    with pytest.raises((RuntimeError, TypeError, AttributeError)):
        save_state(path, {"step": lambda: None})
    assert torch.load(path, weights_only=True) == {"step": 1}


@pytest.mark.parametrize(
    ("instructions", "number_type"),
    [
        ("avx2", torch.float32),
        ("avx512_bf16", torch.bfloat16),
        ("amx_bf16", torch.bfloat16),
        ("bf16", torch.bfloat16),
    ],
)
def test_a_cpu_multiplies_in_bfloat16_only_where_it_has_the_instructions(
    instructions: str, number_type: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.training.loop.cpu_capabilities", lambda: {instructions: True})
    with autocast(torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == number_type
