"""Waiting for a state that nothing tells of, with an end to the patience."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.01


def until(
    reached: Callable[[], object], what: str, patience_seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait until it is true; an AssertionError that names it if it never is."""
    deadline = time.perf_counter() + patience_seconds
    while not reached():
        assert time.perf_counter() < deadline, f"waited {patience_seconds} s until {what}"
        time.sleep(_LOOK_SECONDS)
