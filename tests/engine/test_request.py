"""Request: it refuses bad values, and cannot be changed afterwards."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.chroma import one_hot
from bridge.engine import Request
from bridge.errors import BadArgument, Unsupported

SCALE = one_hot(np.arange(12))


def changed(step: int, class_: int, value: float) -> NDArray[np.float32]:
    melody = SCALE.copy()
    melody[step, class_] = value
    return melody


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("prompt", b"warm", "b'warm'"),
        ("seconds", 0, "0"),
        ("seconds", -1.5, r"-1\.5"),
        ("seconds", float("nan"), "nan"),
        ("seconds", float("inf"), "inf"),
        ("seconds", "8", "'8'"),
        ("seconds", True, "True"),
        ("seed", -1, "-1"),
        ("seed", 2**63, "9223372036854775808"),
        ("seed", 7.0, r"7\.0"),
        ("guidance_scale", 0.5, r"0\.5"),
        ("guidance_scale", -3, "-3"),
        ("guidance_scale", float("nan"), "nan"),
        ("temperature", 0, "0"),
        ("temperature", -1.0, r"-1\.0"),
        ("top_k", -1, "-1"),
        ("top_k", 2.5, r"2\.5"),
        ("top_p", 0, "0"),
        ("top_p", 1.5, r"1\.5"),
        ("do_sample", 1, "1"),
        ("variations", 0, "0"),
        ("variations", 2.0, r"2\.0"),
        ("melody", [0, 2, 4], "list"),
        ("melody", SCALE[0], r"\[12\]"),
        ("melody", SCALE[:0], r"\[0, 12\]"),
        ("melody", SCALE[:, :10], r"\[12, 10\]"),
        ("melody", one_hot(np.zeros(4689, dtype=np.int64)), r"1 to 4688 steps.*\[4689, 12\]"),
        ("melody", SCALE.astype(complex), "complex"),
        ("melody", changed(5, 5, 0.0), "at step 5"),
        ("melody", changed(5, 6, 1.0), "at step 5"),
        ("melody", changed(5, 5, 0.7), "0.69"),
        ("melody", changed(5, 5, np.nan), "nan"),
        ("continue_from", [[1, 2]], "list"),
        ("continue_from", np.zeros(8, dtype=np.int64), r"\[8\]"),
        ("continue_from", np.zeros((8, 0), dtype=np.int64), r"\[8, 0\]"),
        ("continue_from", np.zeros((8, 4)), "float64"),
        ("continue_from", np.full((8, 4), -1), "-1"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_value(
    field: str, value: Any, message: str
) -> None:
    with pytest.raises(BadArgument, match=message):
        Request(**{field: value})


def test_more_than_600_seconds_is_unsupported() -> None:
    assert Request(seconds=600).seconds == 600
    with pytest.raises(Unsupported, match=r"600\.02: a piece has at most 600"):
        Request(seconds=600.02)


def test_the_last_variations_seed_must_be_in_range_too() -> None:
    assert Request(seed=2**63 - 2, variations=2).variations == 2
    with pytest.raises(BadArgument, match="seed 9223372036854775806"):
        Request(seed=2**63 - 2, variations=3)


def test_numpy_numbers_are_accepted() -> None:
    request = Request(
        seconds=np.float32(1.5),  # type: ignore[arg-type]
        seed=np.int64(3),  # type: ignore[arg-type]
        temperature=np.float64(0.8),
    )
    assert (request.seconds, request.seed) == (1.5, 3)


def test_arrays_are_copied_and_cannot_be_written_to() -> None:
    melody, codes = SCALE.astype(np.float64), np.ones((8, 4), dtype=np.int32)
    request = Request(melody=melody, continue_from=codes)  # type: ignore[arg-type]
    melody[:] = 0
    codes[:] = 0
    assert request.melody is not None and isinstance(request.continue_from, np.ndarray)
    assert request.melody.dtype == np.float32 and request.continue_from.dtype == np.int64
    assert np.array_equal(request.melody, SCALE)
    assert request.continue_from.min() == 1
    for array in (request.melody, request.continue_from):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_making_a_request_imports_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; from bridge.engine import Request, load; Request(prompt='x', seconds=2);"
        "print([m for m in ('torch', 'transformers', 'huggingface_hub') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
