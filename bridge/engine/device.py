"""Chooses the device and the number type of a model, and recognizes out-of-memory errors."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bridge.errors import BadArgument, OutOfMemory

_DTYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}

_OUT_OF_MEMORY_TEXTS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    # The only text from oneDNN, which does the CPU's matrix products, after a failed malloc.
    "could not create a primitive",
)


def resolve_device(device: str | None) -> torch.device:
    """The device by name; None or `auto` takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        BadArgument: no such device, or this machine lacks it.
    """
    if device is None or device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise BadArgument(f"device {device!r}: give auto, cpu, cuda, cuda:N or mps") from error
    present = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }.get(resolved.type, 0)
    if (resolved.index or 0) >= present:
        raise BadArgument(f"device {device!r}: PyTorch finds none here; give auto or cpu")
    return resolved


def describe_device(device: str | None) -> str:
    """The device that a model would run on, and its memory, for people.

    Raises:
        BadArgument: no such device, or this machine lacks it.
    """
    resolved = resolve_device(device)
    if resolved.type == "cpu":
        return f"cpu, {torch.get_num_threads()} threads"
    if resolved.type != "cuda":
        return "mps"
    free, total = torch.cuda.mem_get_info(resolved)
    name = torch.cuda.get_device_name(resolved)
    return f"{resolved}, {name}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free"


def resolve_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """The number type by name; None or `auto` takes bfloat16 on CUDA and else float32.

    Raises:
        BadArgument: none of float32, float16 and bfloat16.
    """
    if dtype is None or dtype == "auto":
        if device.type != "cuda":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    name = str(dtype).removeprefix("torch.")
    if name not in _DTYPES:
        raise BadArgument(f"dtype {dtype!r}: give auto, {', '.join(_DTYPES)}")
    return _DTYPES[name]


@contextmanager
def oom_as_error(remedy: str) -> Iterator[None]:
    """Raise `OutOfMemory` with that remedy where torch, on any device, runs out of memory."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        # The failed call's frames hold tensors; clearing them frees memory for the next request.
        traceback.clear_frames(error.__traceback__)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise OutOfMemory(f"out of memory: {remedy}") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means out of memory.

    CUDA has a class for it; the CPU's allocator, mmap and MPS only have texts.
    """
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    message = str(error).lower()
    return isinstance(error, (RuntimeError, OSError)) and any(
        text in message for text in _OUT_OF_MEMORY_TEXTS
    )
