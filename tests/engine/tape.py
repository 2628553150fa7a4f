"""A stand-in for CUDA's graphs with their rules: what was captured is all that is done again.

The step is traced once into a graph of tensor operations. Playing it back runs those, on the same
tensors and with the same numbers: what the step took from the host is as it was at the capture, and
what it reads from a tensor on the host cannot be captured at all.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from bridge.engine.graph import WARM_UP_STEPS, Step


class Tape:
    """A capture that counts what it was asked for and how often it was played."""

    def __init__(self) -> None:
        self.captured = self.played = 0

    def __call__(self, step: Step) -> Step:
        self.captured += 1
        for _ in range(WARM_UP_STEPS):
            step()

        def traced(nothing: torch.Tensor) -> torch.Tensor:
            step()
            return nothing

        play: Callable[[torch.Tensor], torch.Tensor] = make_fx(traced)(torch.zeros(1))

        def again() -> None:
            self.played += 1
            play(torch.zeros(1))

        return again
