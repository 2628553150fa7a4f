"""One step as one launch, by CUDA graphs.

A capture records a step, and returns a function that repeats it: the same kernels on the same
tensors, without the work of the host. On devices without captures the step itself is called.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Step = Callable[[], None]
GraphCapture = Callable[[Step], Step]
WARM_UP_STEPS = 3
"""Run before a capture, as PyTorch's notes on CUDA graphs ask: libraries make their workspaces."""


def capture_for(device: torch.device) -> GraphCapture | None:
    """The way to capture steps on a device; None on devices that have none."""
    return _CudaCapture(device) if device.type == "cuda" else None


class _CudaCapture:
    """Captures graphs that share one pool of memory: they never run at the same time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, step: Step) -> Step:
        with torch.cuda.device(self._device):
            side_stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side_stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side_stream):
                for _ in range(WARM_UP_STEPS):
                    step()
            torch.cuda.current_stream().wait_stream(side_stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool):
                step()
        replay: Step = graph.replay
        return replay
