"""How exactly the decoder's steps are computed: as transformers does, or with weights of 8 bits.

Nothing here imports torch: a mistake is reported before it is loaded.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import get_args

from bridge.commands import Precision
from bridge.errors import BadArgument, Unsupported

PACKAGES = ("onnx", "onnxruntime")
"""What the extra `fast` installs."""


def installed() -> bool:
    """Whether the extra `fast` is installed."""
    return all(find_spec(package) is not None for package in PACKAGES)


def check_precision(precision: str, engine: str = "stream") -> None:
    """Refuse a precision that does not exist, or that needs what is not installed.

    Args:
        engine: as for `bridge.engine.load`.

    Raises:
        BadArgument: no such precision, or this engine has only the exact one.
        Unsupported: int8 without the extra `fast`.
    """
    if precision not in get_args(Precision):
        raise BadArgument(f"precision {precision!r}: give {' or '.join(get_args(Precision))}")
    if precision != "int8":
        return
    if engine == "reference":
        raise BadArgument("precision int8: the engine 'reference' has none; leave one of them out")
    if not installed():
        raise Unsupported(
            "precision int8 needs ONNX Runtime: pip install 'melody-bridge[fast]', or leave it out"
        )


def check_place(precision: str, device: str, dtype: str) -> None:
    """Refuse int8 on a device or with a number type that it does not exist for.

    Args:
        device: torch's name of its kind, such as `cuda`.
        dtype: torch's name of the type.

    Raises:
        Unsupported: precision int8, and not float32 on a CPU.
    """
    if precision == "int8" and (device, dtype) != ("cpu", "torch.float32"):
        kind = dtype.removeprefix("torch.")
        raise Unsupported(
            f"precision int8 is for float32 on a CPU, and this is {kind} on {device}: give device "
            "cpu, or leave it out"
        )
