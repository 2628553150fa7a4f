"""Jobs of the engine for requests: one whose process dies or hangs is tried once more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bridge.engine.process.host import EngineHost, OnProgress
from bridge.engine.process.job import Job, Result
from bridge.engine.separation import Work
from bridge.errors import EngineDied, EngineFailed, EngineHung

PublishRemark = Callable[[str, str], None]
"""Publishes a sentence under a request's id."""

WaitFor = Callable[[Job], Awaitable[Result]]


class EngineJobs:
    """Submits work to the engine, and waits for its results. For the event loop's thread."""

    def __init__(self, engine: EngineHost, publish_remark: PublishRemark) -> None:
        self._engine, self._publish_remark = engine, publish_remark

    def submit(self, work: Work, on_progress: OnProgress, due_seconds: float | None = None) -> Job:
        """Queue work.

        Args:
            due_seconds: as for `EngineHost.submit`.

        Raises:
            BridgeError: as `EngineHost.submit`.
        """
        return self._engine.submit(work, on_progress, due_seconds=due_seconds)

    async def result(
        self, id: str, job: Job, on_progress: OnProgress, wait: WaitFor | None = None
    ) -> Result:
        """The result of a request's job; cancelling this task cancels the job.

        Args:
            wait: waits for what is needed of a job; None: for its whole result.

        Raises:
            EngineDied, EngineHung: at the second attempt too.
            BridgeError: as `Job.result`.
        """
        wait = wait or _whole
        try:
            return await wait(job)
        except EngineFailed:
            # A defect, which would occur again.
            raise
        except (EngineDied, EngineHung) as error:
            remark = f"{error}: this is the second attempt"
        self._publish_remark(id, remark)
        again = self._engine.submit(job.work, on_progress, first=True)
        try:
            result = await wait(again)
        except EngineFailed:
            raise
        except (EngineDied, EngineHung) as error:
            raise type(error)(f"{error}, at the second attempt too: ask again") from error
        return replace(result, remarks=(remark, *result.remarks))


async def _whole(job: Job) -> Result:
    try:
        return await job.result()
    except asyncio.CancelledError:
        job.cancel()
        raise
