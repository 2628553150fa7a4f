"""Measures the bytes that a step reads, and a device's memory: its speed and how much is in use."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch

from bridge.engine.pipeline import Pipeline
from bridge.process import memory

MOST_COPIED_BYTES = 2**30
"""Larger than any cache; more would only take memory."""
LEAST_TRAFFIC_BYTES = 2**32
"""Copied in one timing, so that its start and end do not count."""
TIMINGS = 5


@dataclass(frozen=True)
class Sizes:
    """The sizes of an engine's decoder.

    Attributes:
        weight_bytes: weights read in every step.
        layers, hidden_size: of the cache.
        value_bytes: size of a number in the cache.
        dtype: of weights and cache.
    """

    weight_bytes: int
    layers: int
    hidden_size: int
    value_bytes: int
    dtype: str


def sizes(pipeline: Pipeline) -> Sizes:
    """The sizes that decide what a step reads."""
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
        size: bytes of source and target together, up to 1 GiB. Give as many as a step reads: where
            the weights stay in a cache, this then measures the cache.
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
    """The most memory in use so far: the GPU's on CUDA, otherwise the process's."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 1e6
    return memory.peak_bytes() / 1e6


def memory_mb(device: str) -> float:
    """The memory in use now, likewise; the most so far on systems that do not report it."""
    if device.startswith("cuda"):
        return torch.cuda.memory_allocated(device) / 1e6
    return memory.resident_bytes() / 1e6


def device_name(device: str) -> str:
    """A name for people: the GPU's own name, or the device and its threads."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    if device != "cpu":
        return device
    return "cpu, 1 thread" if threads() == 1 else f"cpu, {threads()} threads"


def threads() -> int:
    """Threads that PyTorch uses on the CPU."""
    return torch.get_num_threads()


def _wait_for(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
