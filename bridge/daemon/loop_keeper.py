"""Writes the state of the live loops to disk while they change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bridge.daemon.loop_file import LoopFile, SavedLoops
from bridge.events import Event, Remark

SPACING_SECONDS = 1.0
"""The file is written so often at most; a crash costs what changed since."""
_NO_ID = "-"


class LoopKeeper:
    """Keeps one file as the loops are. For the event loop's thread."""

    def __init__(self, file: LoopFile, publish: Callable[[Event], None]) -> None:
        """Args:
        publish: sends an event to every client.
        """
        self._file, self._publish = file, publish
        # A run without loops leaves the file of an earlier one alone.
        self._written = SavedLoops()
        self._next_seconds = 0.0
        self._task: asyncio.Task[None] | None = None
        self._has_failed = False

    def keep(self, saved: SavedLoops, now_seconds: float) -> None:
        """Write the loops in a thread if they have changed; call it ten times a second."""
        is_busy = self._task is not None and not self._task.done()
        if saved != self._written and not is_busy and now_seconds >= self._next_seconds:
            self._next_seconds = now_seconds + SPACING_SECONDS
            self._task = asyncio.create_task(self._write(saved))

    async def close(self, saved: SavedLoops) -> None:
        """Write the loops as they are at the end."""
        if self._task is not None:
            await self._task
        if saved != self._written:
            await self._write(saved)

    async def _write(self, saved: SavedLoops) -> None:
        try:
            await asyncio.to_thread(self._file.write, saved)
        except OSError as error:
            if not self._has_failed:
                text = f"the live loops cannot be kept for --resume: {error.strerror or error}"
                self._publish(Remark(_NO_ID, text))
            self._has_failed = True
        else:
            self._written, self._has_failed = saved, False
