"""The answer of a module that runs in a process of its own, since a driver may hang or crash it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def answer_of(module: str, timeout_seconds: float) -> dict[str, Any]:
    """Run a module that prints one JSON object, and return the object.

    Raises:
        TimeoutError: it takes longer.
        ValueError: it ends without an answer.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", module],
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{module} has not answered for {timeout_seconds} s") from error
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
