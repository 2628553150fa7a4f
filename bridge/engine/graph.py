"""One step as one launch: CUDA's graphs behind the smallest seam.

A capture takes what a step does, and gives back what does it again: the same kernels on the same
tensors, without the host's part. Where there is none, the step itself is called.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Step = Callable[[], None]
GraphCapture = Callable[[Step], Step]
WARM_UP_STEPS = 3
"""Before a capture, as PyTorch's notes on CUDA graphs ask: libraries make their workspaces then."""


def capture_for(device: torch.device) -> GraphCapture | None:
    """How steps are captured on a device; None where they are not."""
    return _CudaCapture(device) if device.type == "cuda" else None


class _CudaCapture:
    """Captures graphs that share one pool of memory: they never run at the same time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, step: Step) -> Step:
        with torch.cuda.device(self._device):
            aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                for _ in range(WARM_UP_STEPS):
                    step()
            torch.cuda.current_stream().wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool):
                step()
        replay: Step = graph.replay
        return replay
