"""The headers of safetensors files: which tensors a checkpoint has, without reading one.

The format: https://github.com/huggingface/safetensors, section Format.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridge.config.small_file import read_small_file
from bridge.errors import CheckpointUnusable

WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
_LENGTH_BYTES = 8
"""The length of a safetensors header, before the header."""
_MOST_HEADER_BYTES = 100_000_000
"""The limit of the safetensors library."""
_MOST_DIMENSIONS = 8
_BYTES_PER_VALUE = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64"), 8),
}
_EXPONENTS: Mapping[str, tuple[type[np.unsignedinteger], int]] = {
    "F16": (np.uint16, 0x7C00),
    "BF16": (np.uint16, 0x7F80),
    "F32": (np.uint32, 0x7F80_0000),
    "F64": (np.uint64, 0x7FF0_0000_0000_0000),
}
"""The exponent's bits, all set in infinity and NaN (IEEE 754; bfloat16 is float32's upper half)."""
_BLOCK_VALUES = 1 << 20


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file.

    Attributes:
        shape: its lengths.
        dtype: safetensors' name of the number type, such as `F16`.
        file: the file that has it.
        start: its first byte in the file.
        num_bytes: how many it takes.
    """

    shape: tuple[int, ...]
    dtype: str
    file: Path
    start: int
    num_bytes: int

    @property
    def size(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)


def missing_weights(folder: Path) -> list[str]:
    """Names of the safetensors files that the folder lacks."""
    if (folder / WEIGHTS).is_file():
        return []
    try:
        shards = _shards(folder)
    except FileNotFoundError:
        return [WEIGHTS]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [f"a readable {INDEX}"]
    if not all(shard.name.endswith(".safetensors") for shard in shards):
        return [f"{INDEX} of safetensors alone"]
    return [shard.name for shard in shards if not shard.is_file()]


def stored_tensors(name: str, folder: Path) -> dict[str, StoredTensor]:
    """Every tensor in the folder's safetensors, after checking that the files are whole.

    Args:
        name: the checkpoint's, for the error.

    Raises:
        CheckpointUnusable: a file is not safetensors, was cut, or contradicts itself.
    """
    tensors: dict[str, StoredTensor] = {}
    single = folder / WEIGHTS
    files = [single] if single.is_file() else _shards(folder)
    for file in files:
        try:
            tensors |= _tensors_in(file)
        # Whatever bytes the file has instead of a header.
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CheckpointUnusable(
                f"model {name!r}: {file.name} is cut, or is not safetensors ({error}); copy or "
                "fetch it again"
            ) from error
    return tensors


def first_not_finite(tensors: Mapping[str, StoredTensor]) -> str | None:
    """The name of a tensor with infinity or NaN in it; None where there is none.

    It reads every tensor, a block at a time.

    Raises:
        OSError: a file cannot be read.
    """
    for name, tensor in tensors.items():
        if tensor.dtype in _EXPONENTS and not _is_finite(tensor):
            return name
    return None


def total_bytes(tensors: Iterable[StoredTensor]) -> int:
    """What the tensors take on the disk."""
    return sum(tensor.num_bytes for tensor in tensors)


def _is_finite(tensor: StoredTensor) -> bool:
    word, exponent = _EXPONENTS[tensor.dtype]
    with tensor.file.open("rb") as opened:
        opened.seek(tensor.start)
        left = tensor.size
        while left:
            values: NDArray[np.unsignedinteger] = np.fromfile(
                opened, dtype=word, count=min(left, _BLOCK_VALUES)
            )
            if not values.size:
                return True
            if bool(((values & word(exponent)) == word(exponent)).any()):
                return False
            left -= values.size
    return True


def _shards(folder: Path) -> list[Path]:
    """The files that the index of a checkpoint in several files names, by name.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError: there is no index,
            or it is not one.
    """
    weights = json.loads(read_small_file(folder / INDEX, _MOST_HEADER_BYTES))["weight_map"]
    names = sorted(set(weights.values()))
    for name in names:
        # A name with folders in it would leave this one.
        if Path(name).name != name:
            raise ValueError(f"{INDEX} names {name!r}, which is not in the folder")
    return [folder / name for name in names]


def _tensors_in(file: Path) -> dict[str, StoredTensor]:
    """The tensors of one file.

    Raises:
        ValueError: the file is shorter or longer than its header says, has no valid header, or a
            tensor's bytes are not those of its shape.
    """
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(_LENGTH_BYTES), "little")
        if not 0 < length <= min(_MOST_HEADER_BYTES, size - _LENGTH_BYTES):
            raise ValueError(f"{size} bytes, and a header of {length}")
        header = json.loads(opened.read(length))
    header.pop("__metadata__", None)
    tensors: dict[str, StoredTensor] = {}
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"][0]):
        shape = tuple(int(extent) for extent in entry["shape"])
        dtype, (start, stop) = entry["dtype"], entry["data_offsets"]
        expected = math.prod(shape) * _BYTES_PER_VALUE[dtype]
        if len(shape) > _MOST_DIMENSIONS or min(shape, default=0) < 0:
            raise ValueError(f"{name} has the shape {list(shape)}")
        if start != end or stop - start != expected:
            raise ValueError(f"{name} has bytes {start} to {stop}, and {expected} from {end} on")
        end = stop
        tensors[name] = StoredTensor(shape, dtype, file, _LENGTH_BYTES + length + start, expected)
    if size != _LENGTH_BYTES + length + end:
        raise ValueError(f"{size} bytes of {_LENGTH_BYTES + length + end}")
    return tensors
