"""Background tasks that run for as long as the program: a defect is logged, and they go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

PAUSE_SECONDS = 1.0
"""A task that died begins again after this time, so that a lasting defect does not fill the log."""

_log = logging.getLogger(__name__)


def keep_running(
    name: str,
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    pause_seconds: float = PAUSE_SECONDS,
) -> asyncio.Task[None]:
    """Run work in a task until it returns or is cancelled; begin it again when it raises.

    Args:
        name: the task's, for the log.
        work: makes the coroutine anew each time.
        pause_seconds: how long to wait before it begins again.
    """

    async def run() -> None:
        while True:
            try:
                return await work()
            except Exception:
                _log.exception("%s failed, and begins again", name)
                await asyncio.sleep(pause_seconds)

    return asyncio.get_running_loop().create_task(run(), name=name)


async def all_of(steps: dict[str, Callable[[], Awaitable[None]]]) -> None:
    """Carry out every step in order; log one that raises, and go on with the next.

    Args:
        steps: by name, for the log.
    """
    for name, step in steps.items():
        try:
            await step()
        except Exception:
            _log.exception("%s failed", name)
