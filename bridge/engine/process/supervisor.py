"""Keeps an engine's process alive, and has it generate what is submitted, one request at a time.

All of it runs in the event loop's thread, and nothing in it waits. A process that dies or hangs
costs the request it was at work on, which is told so; those that wait are done by the next one.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bridge.commands import EngineState
from bridge.engine.process.active_job import ActiveJob
from bridge.engine.process.job import Job
from bridge.engine.process.messages import (
    Begin,
    Cancel,
    EngineFacts,
    Failed,
    Finished,
    Opened,
    Progressed,
    Ready,
    Refused,
    Sounded,
    WorkCounters,
)
from bridge.engine.process.shared_audio import SharedAudio
from bridge.engine.process.worker import run_engine
from bridge.engine.request import Request
from bridge.errors import (
    BridgeError,
    Cancelled,
    EngineDied,
    EngineFailed,
    EngineHung,
    OutOfMemory,
    QueueFull,
)
from bridge.process.child import Child, Heartbeat

DEATHS_IN_A_ROW = 3
"""After so many processes none of which got ready, no further one is started."""
RETRY_SECONDS = 1.0
"""A request that comes this long after the engine has failed has it tried again."""
LOADING_PATIENCE = 3
"""Times as long may a process be silent while it loads: a library that comes off a cold disk, such
as CUDA's 1 GB, holds Python's lock, and with it the heartbeat, all the while."""

_log = logging.getLogger(__name__)


class Supervisor:
    """The engine, as the daemon has it. Make and use it in the thread of a running event loop."""

    def __init__(
        self,
        model: str,
        device: str | None,
        on_state: Callable[[EngineState, str], None],
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
            hung_seconds: how long the process may stand still; well over the heartbeat's 0.5 s.
            target: what the process runs, called with its `Line`, the model and the device.
        """
        self._model, self._device, self._on_state = model, device, on_state
        self._queue_size, self._hung_seconds, self._target = queue_size, hung_seconds, target
        self._state: EngineState = "loading"
        self._detail = "not started"
        self._facts: EngineFacts | None = None
        self._queue: deque[Job] = deque()
        self._run: ActiveJob | None = None
        self._number = 0
        self._child: Child | None = None
        self._ready = False
        self._kill_reason: str | None = None
        self._deaths = 0
        self._failure: BridgeError | None = None
        self._failed_seconds = 0.0
        self._pulse = WorkCounters(0, 0.0)
        self._stopping = False
        self._watch: asyncio.Task[None] | None = None

    @property
    def state(self) -> EngineState:
        """What the engine does now."""
        return self._state

    @property
    def detail(self) -> str:
        """A sentence about it."""
        return self._detail

    @property
    def facts(self) -> EngineFacts | None:
        """What runs where, as the last process that got ready told it; None before the first."""
        return self._facts

    @property
    def failure(self) -> BridgeError | None:
        """Why the engine has failed; None while it has not."""
        return self._failure

    @property
    def pid(self) -> int | None:
        """The process; None while there is none."""
        return self._child.pid if self._child is not None else None

    @property
    def waiting(self) -> int:
        """How many requests wait, the one that is generated not among them."""
        return len(self._queue)

    def start(self) -> None:
        """Start the process; it loads the model in its own time."""
        self._watch = asyncio.get_running_loop().create_task(self._look_after())
        self._load()

    async def stop(self) -> None:
        """End the process, whatever it does; what waits or runs is cancelled."""
        self._stopping, self._ready = True, False
        if self._watch is not None:
            self._watch.cancel()
        self._fail_jobs(Cancelled("cancelled: the engine is being stopped"))
        if self._child is not None:
            self._child.kill()
            await self._child.wait()

    def submit(
        self, request: Request, on_progress: Callable[[float], None] = lambda share: None
    ) -> Job:
        """Have a request generated, when those before it are done.

        Args:
            on_progress: called in the event loop with the share done, over 0 and at most 1, about
                ten times a second. It rises, but starts anew when fewer variations are tried.

        Raises:
            QueueFull: as many as may wait do.
            BridgeError: why the engine has failed a moment ago. A request that comes later has it
                tried again, and waits for it.
            Cancelled: it is being stopped.
        """
        if self._stopping:
            raise Cancelled("cancelled: the engine is being stopped")
        if self._failure is not None and self._may_try_again():
            self._failure, self._deaths = None, 0
            self._load()
        if self._failure is not None:
            raise self._failure
        if self.waiting >= self._queue_size:
            raise QueueFull(
                f"{self.waiting} requests are waiting, and no more can: wait for one, or cancel one"
            )
        job = Job(request, on_progress, self._cancel)
        self._queue.append(job)
        self._go_on()
        return job

    def _may_try_again(self) -> bool:
        return self._child is None and time.perf_counter() - self._failed_seconds >= RETRY_SECONDS

    def _load(self) -> None:
        self._say("loading", f"loading {self._model}")
        self._spawn()

    def _spawn(self) -> None:
        try:
            self._child = Child(
                self._target,
                self._model,
                self._device,
                name="engine",
                on_message=self._on_message,
                on_exit=self._exited,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            self._fail(
                EngineDied(f"the engine's process cannot be started ({reason}): free some memory")
            )

    def _on_message(self, message: Any) -> None:
        # What a process says that is given up, or being killed, is void.
        if self._kill_reason is not None or self._failure is not None or self._stopping:
            return
        match message:
            case Heartbeat():
                self._on_heartbeat(message.status)
            case Ready():
                self._facts, self._ready, self._deaths = message.facts, True, 0
                self._go_on()
            case Refused():
                if message.trace:
                    _log.error("the model could not be loaded\n%s", message.trace)
                self._fail(message.error)
            case Opened() | Progressed() | Sounded() | Finished() | Failed():
                if self._run is not None and self._run.number == message.number:
                    self._answered(self._run, message)

    def _on_heartbeat(self, pulse: WorkCounters) -> None:
        self._pulse = pulse
        if self._run is not None:
            self._run.felt(pulse, time.perf_counter(), self._hung_seconds, on_cpu=self._on_cpu())

    def _on_cpu(self) -> bool:
        return self._facts is not None and self._facts.device.startswith("cpu")

    def _answered(
        self, run: ActiveJob, message: Opened | Progressed | Sounded | Finished | Failed
    ) -> None:
        match message:
            case Opened():
                # Both have it: however they end now, nothing of it is left.
                run.sound.unlink()
            case Progressed():
                run.job.progressed(message.share)
            case Sounded():
                run.frames = message.frames
            case Finished() if run.frames < (whole := run.sound.place.shape[2]):
                error = EngineFailed(f"{run.frames} of {whole} frames were made; please report it")
                self._request_failed(run, error)
            case Finished():
                assert self._facts is not None
                self._run = None
                if run.job.ended:
                    _free(run.sound)
                else:
                    run.job.finish(run.sound, self._facts.sample_rate)
                self._go_on()
            case Failed():
                if message.trace:
                    _log.error("a request failed\n%s", message.trace)
                self._request_failed(run, message.error)

    def _request_failed(self, run: ActiveJob, error: BridgeError) -> None:
        self._run = None
        _free(run.sound)
        self._not_done(run.job, run.request, error)

    def _not_done(self, job: Job, request: Request, error: BridgeError) -> None:
        """Try once with fewer variations what does not fit the memory, or go on to the next."""
        fewer = request.variations // 2
        if isinstance(error, OutOfMemory) and request is job.request and fewer and not job.ended:
            job.begin_anew(
                f"{fewer} of {request.variations} variations: there is no memory for more"
            )
            self._begin(job, replace(request, variations=fewer))
            return
        job.fail(error)
        if isinstance(error, EngineFailed) and not self._on_cpu():
            # A GPU's error stays with the process that met it.
            self._replace("failed at a request, and its device may not recover")
        else:
            self._go_on()

    def _go_on(self) -> None:
        """Have the process begin what waits, if it is free, and tell what it does now."""
        if not self._ready or self._facts is None:
            return
        if self._run is None and self._queue:
            job = self._queue.popleft()
            self._begin(job, job.request)
        where = f"{self._facts.model_name} on {self._facts.device}"
        self._say("ready" if self._run is None else "busy", where)

    def _begin(self, job: Job, request: Request) -> None:
        assert self._child is not None and self._facts is not None
        try:
            sound = SharedAudio.create(self._facts.shape(request))
        except OutOfMemory as error:
            self._not_done(job, request, error)
            return
        self._number += 1
        self._run = ActiveJob(job, self._number, request, sound, time.perf_counter(), self._pulse)
        self._child.send(Begin(self._number, request, sound.place))

    def _cancel(self, job: Job) -> None:
        if self._run is not None and self._run.job is job:
            # It ends now for whoever waits; the process is free once it says so.
            job.fail(Cancelled("cancelled before it was done"))
            self._run.cancelled_seconds = time.perf_counter()
            if self._child is not None:
                self._child.send(Cancel(self._run.number))
        else:
            self._queue.remove(job)
            job.fail(Cancelled("cancelled before it began"))

    async def _look_after(self) -> None:
        """Replace a process that hangs; without end."""
        interval = self._hung_seconds / 20
        looked = fair_from = time.perf_counter()
        while True:
            await asyncio.sleep(interval)
            now = time.perf_counter()
            if now - looked > self._hung_seconds / 2:
                # It was this process that stood still, and has not heard what was said meanwhile.
                fair_from = now
            looked = now
            why = self._why_hung(now, fair_from)
            if why is not None:
                self._replace(why)

    def _why_hung(self, now: float, fair_from: float) -> str | None:
        """How the process hangs; None when it does not. Nothing before `fair_from` is judged."""
        if self._child is None or self._kill_reason is not None or self._failure is not None:
            return None
        limit, run = self._hung_seconds, self._run
        silence = limit if self._ready else limit * LOADING_PATIENCE
        if min(self._child.quiet_seconds, now - fair_from) >= silence:
            return f"was not heard of for {silence:g} s"
        if run is None:
            return None
        return run.why_stuck(now, fair_from, limit, on_cpu=self._on_cpu())

    def _replace(self, why: str) -> None:
        """Kill the process; another is started when it has ended."""
        assert self._child is not None
        self._kill_reason, self._ready = why, False
        self._child.kill()
        if self._run is not None:
            self._run.job.fail(EngineHung(f"the engine's process {why}: ask again"))
        self._restarting(why)

    def _exited(self, exit_code: int) -> None:
        why = self._kill_reason or _how_it_ended(exit_code)
        run, self._run = self._run, None
        self._child, self._ready, self._kill_reason = None, False, None
        if run is not None:
            # Not before: as long as it lived, it might have opened it.
            _free(run.sound)
        if self._stopping or self._failure is not None:
            return
        if run is not None:
            run.job.fail(EngineDied(f"the engine's process {why}: ask again"))
        self._deaths += 1
        if self._deaths >= DEATHS_IN_A_ROW:
            self._fail(EngineDied(f"the engine's process {why}, {self._deaths} times in a row"))
            return
        self._restarting(why)
        self._spawn()

    def _restarting(self, why: str) -> None:
        self._say("restarting", f"the engine's process {why}; another is starting")

    def _fail(self, error: BridgeError) -> None:
        """Give the engine up, until a later request has it tried again."""
        self._failure, self._failed_seconds = error, time.perf_counter()
        self._ready = False
        if self._child is not None:
            self._child.kill()
        self._fail_jobs(error)
        self._say("failed", str(error))

    def _fail_jobs(self, error: BridgeError) -> None:
        jobs = [self._run.job] if self._run is not None else []
        jobs += self._queue
        self._queue.clear()
        for job in jobs:
            job.fail(error)

    def _say(self, state: EngineState, detail: str) -> None:
        if (state, detail) != (self._state, self._detail):
            self._state, self._detail = state, detail
            self._on_state(state, detail)


def _free(sound: SharedAudio) -> None:
    sound.unlink()
    # The system clears away 1 GB in 0.2 s.
    asyncio.get_running_loop().run_in_executor(None, sound.close)


def _how_it_ended(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended by itself with status {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    oom = " (the system does so when memory runs out)" if name == "SIGKILL" else ""
    return f"was ended by {name}{oom}"
