"""A stand-in for CUDA graphs with the same rule: a replay repeats only what was captured.

The step is traced once into a graph of tensor operations. A replay runs these on the same tensors
and with the same numbers: a value that the step took from the host stays as it was at the capture,
and a step that reads a tensor's value on the host cannot be captured at all.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from bridge.engine.graph import WARM_UP_STEPS, Step


class Tape:
    """A capture that counts the captured steps and the replays."""

    def __init__(self) -> None:
        self.captured = self.replayed = 0

    def __call__(self, step: Step) -> Step:
        self.captured += 1
        for _ in range(WARM_UP_STEPS):
            step()

        def traced(unused: torch.Tensor) -> torch.Tensor:
            step()
            return unused

        replay_trace: Callable[[torch.Tensor], torch.Tensor] = make_fx(traced)(torch.zeros(1))

        def replay() -> None:
            self.replayed += 1
            replay_trace(torch.zeros(1))

        return replay
