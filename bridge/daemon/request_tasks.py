"""The tasks of requests: whatever happens in one, its request ends in one answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from bridge.daemon.requests import DEFECT, RequestRegistry
from bridge.errors import BridgeError, Cancelled, Internal
from bridge.events import Failed

Work = Callable[[str], Coroutine[Any, Any, None]]
"""Called with the request's id; publishes what it does, and its end where that is no error."""

_log = logging.getLogger(__name__)


class RequestTasks:
    """The tasks that run. For the event loop's thread."""

    def __init__(self, requests: RequestRegistry) -> None:
        self._requests = requests
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._replies: set[asyncio.Task[None]] = set()

    def begin(self, id: str, kind: str, work: Work) -> None:
        """Begin a request of that kind and its work, unless the id is known."""
        if self._requests.begin(id, kind):
            self.start(id, work)

    def start(self, id: str, work: Work) -> asyncio.Task[None]:
        """Start the work of a request that has begun; an error ends the request."""
        task = asyncio.create_task(_run_to_end(id, work, self._requests.publish))
        self._tasks[id] = task

        def on_done(task: asyncio.Task[None]) -> None:
            self._tasks.pop(id, None)
            if task.cancelled():
                # Cancelled before its first step, as by a bundle that generates and cancels.
                self._requests.publish(Failed(id, Cancelled.code, "cancelled before it began"))
            elif error := task.exception():
                _log.error("request %s failed", id, exc_info=error)
                self._requests.publish(Failed(id, Internal.code, DEFECT))

        task.add_done_callback(on_done)
        return task

    def reply_later(self, id: str, work: Work, publish_error: Callable[[Failed], None]) -> None:
        """Do the work of a command about clips that have been made, in a task of its own."""
        task = asyncio.create_task(_run_to_end(id, work, publish_error))
        self._replies.add(task)
        task.add_done_callback(self._replies.discard)

    def cancel(self, id: str, because: str) -> bool:
        """Cancel a request's work; return whether it has any."""
        task = self._tasks.get(id)
        if task is not None:
            task.cancel(because)
        return task is not None

    async def all_ended(self) -> None:
        """Wait until no task runs, also none that another one started at its end."""
        while tasks := {*self._tasks.values(), *self._replies}:
            await asyncio.wait(tasks)


async def _run_to_end(id: str, work: Work, publish: Callable[[Failed], None]) -> None:
    """Do the work, and publish any error as the request's end."""
    try:
        await work(id)
    except asyncio.CancelledError as error:
        publish(Failed(id, Cancelled.code, str(error) or "cancelled"))
    except BridgeError as error:
        publish(Failed.of(id, error))
    except Exception:
        _log.exception("request %s failed", id)
        publish(Failed(id, Internal.code, DEFECT))
