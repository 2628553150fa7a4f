"""Keeps an engine's process alive, and gives it the submitted requests, one at a time.

Everything runs in the event loop's thread, and nothing in it blocks. When the process dies or
hangs, its current request fails with an error; a new process does the requests that wait.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from bridge.engine.process.active_job import ActiveJob
from bridge.engine.process.host import BaseEngineHost, OnProgress, OnState
from bridge.engine.process.job import Job
from bridge.engine.process.messages import (
    Begin,
    BufferOpened,
    Cancel,
    Failed,
    Finished,
    FramesWritten,
    Progressed,
    Ready,
    Refused,
    WorkCounters,
)
from bridge.engine.process.shared_audio import SharedAudio
from bridge.engine.process.worker import run_engine
from bridge.engine.request import Request
from bridge.engine.separation import Work
from bridge.errors import (
    BridgeError,
    Cancelled,
    EngineDied,
    EngineFailed,
    EngineHung,
    OutOfMemory,
)
from bridge.process.child import Child, Heartbeat, end_reason
from bridge.process.tasks import keep_running

DEATHS_IN_A_ROW = 3
"""After this many processes have died before they were ready, no other one is started."""
RETRY_SECONDS = 1.0
"""This long after a failure, a new request makes the supervisor try again."""
LOADING_PATIENCE = 3
"""A process that loads may be silent this many times longer: while a library comes off a cold disk,
such as CUDA's 1 GB, it holds Python's lock, and so stops the heartbeat."""

_log = logging.getLogger(__name__)


class Supervisor(BaseEngineHost):
    """The `EngineHost` that runs the engine in a child process.

    Make and use it in the thread of a running event loop.
    """

    def __init__(
        self,
        model: str,
        device: str | None,
        on_state: OnState,
        *,
        queue_size: int = 8,
        hung_seconds: float = 10.0,
        target: Callable[..., None] = run_engine,
    ) -> None:
        """Nothing runs before `start`.

        Args:
            model, device: as for `bridge.engine.load`.
            on_state: called in the event loop with each change: the state, and a sentence.
            queue_size: how many requests may wait beside the one that is generated, 1 or more.
            hung_seconds: how long the process may make no progress; well over the heartbeat's
                0.5 s.
            target: the process calls it with its `Line`, the model and the device.
        """
        super().__init__(on_state, queue_size)
        self._model, self._device = model, device
        self._hung_seconds, self._target = hung_seconds, target
        self._queue: deque[Job] = deque()
        self._active: ActiveJob | None = None
        self._number = 0
        self._child: Child | None = None
        self._ready = False
        self._kill_reason: str | None = None
        self._deaths = 0
        self._failed_seconds = 0.0
        self._counters = WorkCounters(0, 0.0)
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The number of the process; None while there is none."""
        return self._child.pid if self._child is not None else None

    @property
    def waiting(self) -> int:
        """How many requests wait, without the one that is being generated."""
        return len(self._queue)

    def start(self) -> None:
        """Start the process, which loads the model."""
        self._watch = keep_running("watching the engine", self._watch_process)
        self._load()

    async def stop(self) -> None:
        """Kill the process. Cancel the requests that wait or run."""
        self._stopping, self._ready = True, False
        if self._watch is not None:
            self._watch.cancel()
        self._fail_jobs(Cancelled("cancelled: the engine is being stopped"))
        if self._child is not None:
            self._child.kill()
            await self._child.wait()

    def submit(
        self,
        work: Work,
        on_progress: OnProgress = lambda share: None,
        *,
        first: bool = False,
        due_seconds: float | None = None,
    ) -> Job:
        """Queue a request or a separation.

        Args:
            on_progress: called about ten times a second. The share rises, but starts again where
                fewer variations are tried.
            first: it goes before those that wait.
            due_seconds: of no effect: what comes late is made all the same.

        Raises:
            QueueFull: `queue_size` requests wait already.
            BridgeError: why the engine failed less than `RETRY_SECONDS` ago. A later request makes
                the supervisor try again, and waits for the engine.
            Cancelled: the supervisor is being stopped.
        """
        self._check_running()
        if self._failure is not None and self._may_try_again():
            self._failure, self._deaths = None, 0
            self._load()
        if self._failure is not None:
            raise self._failure
        self._check_room(self.waiting)
        job = Job(work, on_progress, self._cancel)
        if first:
            self._queue.appendleft(job)
        else:
            self._queue.append(job)
        self._begin_next()
        return job

    def _may_try_again(self) -> bool:
        return self._child is None and time.perf_counter() - self._failed_seconds >= RETRY_SECONDS

    def _load(self) -> None:
        self._set_state("loading", f"loading {self._model}")
        self._spawn()

    def _spawn(self) -> None:
        try:
            self._child = Child(
                self._target,
                self._model,
                self._device,
                name="engine",
                on_message=self._on_message,
                on_exit=self._on_exit,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            self._fail(
                EngineDied(f"the engine's process cannot be started ({reason}): free some memory")
            )

    def _on_message(self, message: Any) -> None:
        # Ignore a process that was given up or is being killed.
        if self._kill_reason is not None or self._failure is not None or self._stopping:
            return
        match message:
            case Heartbeat():
                self._on_heartbeat(message.status)
            case Ready():
                self._facts, self._ready, self._deaths = message.facts, True, 0
                for remark in message.facts.remarks:
                    _log.warning("%s", remark)
                self._begin_next()
            case Refused():
                if message.trace:
                    _log.error("the model could not be loaded\n%s", message.trace)
                self._fail(message.error)
            case BufferOpened() | Progressed() | FramesWritten() | Finished() | Failed():
                if self._active is not None and self._active.number == message.number:
                    self._on_job_message(self._active, message)

    def _on_heartbeat(self, counters: WorkCounters) -> None:
        self._counters = counters
        if self._active is not None:
            now = time.perf_counter()
            self._active.update(counters, now, self._hung_seconds, on_cpu=self._on_cpu())

    def _on_cpu(self) -> bool:
        return self._facts is not None and self._facts.device.startswith("cpu")

    def _on_job_message(
        self,
        active: ActiveJob,
        message: BufferOpened | Progressed | FramesWritten | Finished | Failed,
    ) -> None:
        match message:
            case BufferOpened():
                # Both processes have it open: whichever way they end, the system frees it.
                active.audio.unlink()
            case Progressed():
                if message.doing:
                    self._set_state("busy", message.doing)
                active.job.report_progress(message.share)
            case FramesWritten():
                active.frames = message.frames
                self._set_written(active)
            case Finished() if active.frames < (expected := active.audio.ref.shape[2]):
                error = EngineFailed(
                    f"{active.frames} of {expected} frames were made; please report it"
                )
                self._on_request_failed(active, error)
            case Finished():
                assert self._facts is not None
                self._active = None
                if active.job.ended:
                    active.audio.close_soon()
                else:
                    active.job.finish(
                        partial(active.audio.take_waveforms, self._facts.rate(active.work))
                    )
                self._begin_next()
            case Failed():
                if message.trace:
                    _log.error("a request failed\n%s", message.trace)
                self._on_request_failed(active, message.error)

    def _on_request_failed(self, active: ActiveJob, error: BridgeError) -> None:
        self._active = None
        active.audio.close_soon()
        self._retry_or_fail(active.job, active.work, error)

    def _retry_or_fail(self, job: Job, work: Work, error: BridgeError) -> None:
        """Out of memory: try once with fewer variations. Otherwise fail the job."""
        fewer = work.variations // 2 if isinstance(work, Request) else 0
        if isinstance(error, OutOfMemory) and work is job.work and fewer and not job.ended:
            assert isinstance(work, Request)
            job.set_remark(f"{fewer} of {work.variations} variations: there is no memory for more")
            self._begin(job, replace(work, variations=fewer))
            return
        job.fail(error)
        if isinstance(error, EngineFailed) and not self._on_cpu():
            # After a GPU error the same process cannot use the GPU again.
            self._replace("failed at a request, and its device may not recover")
        else:
            self._begin_next()

    def _begin_next(self) -> None:
        """Give the process the next request, if it is free, and update the state."""
        if not self._ready or self._facts is None:
            return
        if self._active is None and self._queue:
            job = self._queue.popleft()
            self._begin(job, job.work)
        where = f"{self._facts.model_name} on {self._facts.device}"
        self._set_state("ready" if self._active is None else "busy", where)

    def _begin(self, job: Job, work: Work) -> None:
        assert self._child is not None and self._facts is not None
        try:
            audio = SharedAudio.create(self._facts.shape(work))
        except OutOfMemory as error:
            self._retry_or_fail(job, work, error)
            return
        self._number += 1
        self._active = ActiveJob(
            job, self._number, work, audio, time.perf_counter(), self._counters
        )
        self._set_written(self._active)
        self._child.send(Begin(self._number, work, audio.ref))

    def _set_written(self, active: ActiveJob) -> None:
        assert self._facts is not None
        active.job.set_written(
            active.frames, partial(active.audio.waveforms, self._facts.sample_rate)
        )

    def _cancel(self, job: Job) -> None:
        if self._active is not None and self._active.job is job:
            # The job ends at once for its waiters; the process is free once it reports so.
            job.fail(Cancelled("cancelled before it was done"))
            self._active.cancelled_seconds = time.perf_counter()
            if self._child is not None:
                self._child.send(Cancel(self._active.number))
        else:
            self._queue.remove(job)
            job.fail(Cancelled("cancelled before it began"))

    async def _watch_process(self) -> None:
        """Replace a process that hangs; run until cancelled."""
        interval = self._hung_seconds / 20
        looked = judge_from = time.perf_counter()
        while True:
            await asyncio.sleep(interval)
            now = time.perf_counter()
            if now - looked > self._hung_seconds / 2:
                # This process itself was stopped, and has not read the messages sent meanwhile.
                judge_from = now
            looked = now
            reason = self._hang_reason(now, judge_from)
            if reason is not None:
                self._replace(reason)

    def _hang_reason(self, now: float, judge_from: float) -> str | None:
        """How the process hangs; None when it does not. Time before `judge_from` is ignored."""
        if self._child is None or self._kill_reason is not None or self._failure is not None:
            return None
        limit = self._hung_seconds
        silence = limit if self._ready else limit * LOADING_PATIENCE
        if min(self._child.quiet_seconds, now - judge_from) >= silence:
            return f"sent nothing for {silence:g} s"
        if self._active is None:
            return None
        return self._active.why_stuck(now, judge_from, limit, on_cpu=self._on_cpu())

    def _replace(self, reason: str) -> None:
        """Kill the process; `_on_exit` starts another one."""
        assert self._child is not None
        self._kill_reason, self._ready = reason, False
        self._child.kill()
        if self._active is not None:
            self._active.job.fail(EngineHung(f"the engine's process {reason}"))
        self._set_restarting(reason)

    def _on_exit(self, exit_code: int) -> None:
        reason = self._kill_reason or end_reason(exit_code)
        active, self._active = self._active, None
        self._child, self._ready, self._kill_reason = None, False, None
        if active is not None:
            # Not earlier: a process that lives might still open it.
            active.audio.close_soon()
        if self._stopping or self._failure is not None:
            return
        if active is not None:
            active.job.fail(EngineDied(f"the engine's process {reason}"))
        self._deaths += 1
        if self._deaths >= DEATHS_IN_A_ROW:
            self._fail(EngineDied(f"the engine's process {reason}, {self._deaths} times in a row"))
            return
        self._set_restarting(reason)
        self._spawn()

    def _set_restarting(self, reason: str) -> None:
        self._set_state("restarting", f"the engine's process {reason}; another is starting")

    def _fail(self, error: BridgeError) -> None:
        """Give the engine up, until a later request makes the supervisor try again."""
        self._failure, self._failed_seconds = error, time.perf_counter()
        self._ready = False
        if self._child is not None:
            self._child.kill()
        self._fail_jobs(error)
        self._set_state("failed", str(error))

    def _fail_jobs(self, error: BridgeError) -> None:
        jobs = [self._active.job] if self._active is not None else []
        jobs += self._queue
        self._queue.clear()
        for job in jobs:
            job.fail(error)
