"""What a step has to read, how fast a device's memory is, and how much of it is in use."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch

from bridge.engine.pipeline import Pipeline
from bridge.process import memory

MOST_COPIED_BYTES = 2**30
"""Beyond any cache; more would only take memory."""
LEAST_TRAFFIC_BYTES = 2**32
"""Of a timing, so that what starts and ends it is no part worth counting."""
TIMINGS = 5


@dataclass(frozen=True)
class Sizes:
    """Of an engine's decoder.

    Attributes:
        weight_bytes: read in every step.
        layers, hidden_size: of the cache, and `value_bytes` of a number in it.
        dtype: of weights and cache.
    """

    weight_bytes: int
    layers: int
    hidden_size: int
    value_bytes: int
    dtype: str


def sizes(pipeline: Pipeline) -> Sizes:
    """What a step has to read."""
    decoder = pipeline.decoder
    return Sizes(
        weight_bytes=decoder.weight_bytes,
        layers=int(pipeline.checkpoint.model.config.decoder.num_hidden_layers),
        hidden_size=decoder.hidden_size,
        value_bytes=decoder.dtype.itemsize,
        dtype=str(decoder.dtype).removeprefix("torch."),
    )


def bandwidth_gb_s(device: str, size: int) -> float:
    """GB/s that copies read and write together, the best of several timings.

    Args:
        size: bytes that source and target have together, up to 1 GiB: as many as a step reads, so
            that where a step's weights stay in a cache, it is the cache that is measured.
    """
    source = torch.zeros(
        max(min(size, MOST_COPIED_BYTES) // 2, 1), dtype=torch.uint8, device=device
    )
    target = torch.zeros_like(source)
    moved = 2 * source.nbytes
    copies = math.ceil(LEAST_TRAFFIC_BYTES / moved)
    best = math.inf
    for _ in range(TIMINGS):
        _wait_for(source.device)
        start = time.perf_counter()
        for _ in range(copies):
            target.copy_(source)
        _wait_for(source.device)
        best = min(best, time.perf_counter() - start)
    return copies * moved / best / 1e9


def peak_memory_mb(device: str) -> float:
    """The most that was in use so far: on CUDA of its memory, else of the process's."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 1e6
    return memory.peak_bytes() / 1e6


def memory_mb(device: str) -> float:
    """What is in use now, likewise; where the system does not tell, the most so far."""
    if device.startswith("cuda"):
        return torch.cuda.memory_allocated(device) / 1e6
    return memory.resident_bytes() / 1e6


def device_name(device: str) -> str:
    """For people: the GPU's own name, else the device and its threads."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    if device != "cpu":
        return device
    return "cpu, 1 thread" if threads() == 1 else f"cpu, {threads()} threads"


def threads() -> int:
    """That PyTorch uses on the CPU."""
    return torch.get_num_threads()


def _wait_for(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
