"""Parts of every training loop: states that survive a kill, learning rates, running means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

_BFLOAT16 = ("amx_bf16", "avx512_bf16", "bf16")
"""Instruction sets that multiply in bfloat16: Intel's, AMD's and Intel's, Arm's."""


def autocast(device: torch.device) -> torch.autocast:
    """The number type of a training's products: bfloat16 where the device multiplies in it.

    Without such instructions a CPU emulates bfloat16: a step then takes 6 times as long as in
    float32, with them 0.8 of it (a decoder of 256 channels, one thread, measured).
    """
    is_fast = device.type != "cpu" or any(cpu_capabilities().get(name) for name in _BFLOAT16)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_fast)


def cpu_capabilities() -> Mapping[str, Any]:
    """The instruction sets of this CPU, by torch's names; empty with a torch that has no list."""
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return capabilities


def save_state(path: Path, state: dict[str, object]) -> None:
    """Write a training state atomically: after a kill the file is the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def cosine(step: int, steps: int, peak: float, *, warm_up: int) -> float:
    """Learning rate: linear to the peak over `warm_up` steps, then a half cosine to 2 % of it."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return peak * (0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * min(done, 1.0)))))


class RunningMean:
    """An exponential mean over about the last 50 values, without the bias of its start.

    (The correction is Adam's: Kingma and Ba, 2015, section 3.)
    """

    _DECAY = 0.98

    def __init__(self) -> None:
        self._sum = 0.0
        self._weight = 0.0

    def add(self, value: float) -> None:
        """Add a value; NaN, a missing measurement, does not change the mean."""
        if math.isnan(value):
            return
        self._sum = self._DECAY * self._sum + (1 - self._DECAY) * value
        self._weight = self._DECAY * self._weight + (1 - self._DECAY)

    @property
    def value(self) -> float:
        """The mean; NaN before the first value."""
        return self._sum / self._weight if self._weight else math.nan
