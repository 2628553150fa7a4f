"""Wait for a condition that nothing announces, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.01


def until(
    reached: Callable[[], object], what: str, patience_seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait until a condition is true; raise an AssertionError that names it if it never is."""
    deadline = time.perf_counter() + patience_seconds
    while not reached():
        assert time.perf_counter() < deadline, f"waited {patience_seconds} s until {what}"
        time.sleep(_POLL_SECONDS)
