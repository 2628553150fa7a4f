"""Deletes old takes once a day, in a thread."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path

from bridge.daemon.logs import log_fields
from bridge.delivery.old_takes import delete_old_takes
from bridge.errors import BridgeError
from bridge.process.tasks import keep_running

INTERVAL_SECONDS = 24 * 3600.0

_log = logging.getLogger(__name__)


class OldTakes:
    """Deletes the old takes of a clips folder at the start, and once a day.

    Args:
        days: as in `delete_old_takes`; 0: none is ever deleted.
    """

    def __init__(self, folder: Path, days: int) -> None:
        self._folder, self._days = folder, days
        self._stopping = threading.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; in a running event loop."""
        if self._days:
            self._task = keep_running(
                "deleting old takes", self._delete, pause_seconds=INTERVAL_SECONDS
            )

    async def stop(self) -> None:
        """Delete no more; the thread ends within milliseconds."""
        self._stopping.set()
        if self._task is not None:
            self._task.cancel()

    async def _delete(self) -> None:
        while True:
            try:
                deleted = await asyncio.to_thread(
                    delete_old_takes, self._folder, self._days, self._stopping.is_set
                )
            except (BridgeError, OSError) as error:
                _log.warning("old takes stay for another day: %s", error)
            else:
                self._report(len(deleted))
            await asyncio.sleep(INTERVAL_SECONDS)

    def _report(self, count: int) -> None:
        if count:
            _log.info(
                "%d takes deleted: no kept clip follows them, and none of the last %d days",
                *(count, self._days),
                extra=log_fields(event="takes_deleted", count=count, days=self._days),
            )
