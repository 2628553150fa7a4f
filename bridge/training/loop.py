"""Parts of every training loop: states that survive a kill, learning rates, running means."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch


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
