"""A remote engine with one on this machine to fall back on.

While the first is gone, or has no time, the second renders, and a remark says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from bridge.engine.process.host import EngineHost, OnProgress, OnState
from bridge.engine.process.job import Job, Result
from bridge.engine.process.messages import EngineFacts
from bridge.engine.process.network_figures import NetworkFigures
from bridge.engine.separation import Separation, Work
from bridge.errors import (
    BridgeError,
    Cancelled,
    EngineDied,
    EngineFailed,
    EngineHung,
    LimitReached,
    QueueFull,
    TooLate,
)
from bridge.events import EngineState

MakeHost = Callable[[OnState], EngineHost]
"""Makes a host that reports its states to a function."""

_FELL = (EngineDied, EngineHung, QueueFull, LimitReached, TooLate)
_USABLE = ("ready", "busy")


class FallbackEngine:
    """The `EngineHost` of both. Make and use it in the thread of a running event loop.

    Separations are done on this machine always: no recording travels.
    """

    def __init__(self, make_remote: MakeHost, make_local: MakeHost, on_state: OnState) -> None:
        """Nothing runs before `start`.

        Args:
            on_state: called with each change of `state` and `detail`.
        """
        self._on_state = on_state
        self._shown: tuple[EngineState, str] = ("loading", "not started")
        self._remote = make_remote(self._changed)
        self._local = make_local(self._changed)

    @property
    def state(self) -> EngineState:
        """What the engine does now that a request would go to."""
        return self._shown[0]

    @property
    def detail(self) -> str:
        """A sentence about the state."""
        return self._shown[1]

    @property
    def facts(self) -> EngineFacts | None:
        """The model and the device of that engine."""
        return self._current.facts

    @property
    def failure(self) -> BridgeError | None:
        """Why neither engine can be used; None while one can."""
        return self._local.failure and self._remote.failure

    @property
    def waiting(self) -> int:
        """How many requests wait for either engine."""
        return self._remote.waiting + self._local.waiting

    @property
    def network(self) -> NetworkFigures | None:
        """How far away the remote engine is; None: not measured, or gone."""
        return self._remote.network

    def start(self) -> None:
        """Connect to the one, and load the other, so that it is there at once when needed."""
        self._remote.start()
        self._local.start()

    async def stop(self) -> None:
        """End both."""
        await self._remote.stop()
        await self._local.stop()

    def submit(
        self,
        work: Work,
        on_progress: OnProgress = lambda share: None,
        *,
        first: bool = False,
        due_seconds: float | None = None,
    ) -> Job:
        """Queue a request at the remote engine while that can be used, else on this machine.

        Raises:
            BridgeError: as `EngineHost.submit`, of the engine on this machine.
        """

        def on_this_machine() -> Job:
            return self._local.submit(work, on_progress, first=first)

        if isinstance(work, Separation):
            return on_this_machine()
        if self._current is self._remote:
            try:
                job = self._remote.submit(work, on_progress, first=first, due_seconds=due_seconds)
            except _FELL as error:
                return _FallbackJob(on_this_machine(), on_this_machine, str(error))
            return _FallbackJob(job, on_this_machine)
        return _FallbackJob(on_this_machine(), on_this_machine, self._remote.detail)

    @property
    def _current(self) -> EngineHost:
        is_usable = self._remote.state in _USABLE and self._remote.failure is None
        return self._remote if is_usable else self._local

    def _changed(self, state: EngineState, detail: str) -> None:
        """Show the state of the engine that a request would go to."""
        current = self._current
        shown = (current.state, current.detail)
        if current is self._local:
            shown = (current.state, f"{current.detail}; {self._remote.detail}")
        if shown != self._shown:
            self._shown = shown
            self._on_state(*shown)


class _FallbackJob(Job):
    """A job at one engine, which the other one takes over where the first is lost."""

    def __init__(self, job: Job, take_over: Callable[[], Job], reason: str = "") -> None:
        """Wrap a job.

        Args:
            take_over: submits the work to the engine on this machine.
            reason: why it is there already; empty: it is at the remote engine.
        """
        super().__init__(job.work, lambda share: None, lambda job: None)
        self._job, self._take_over, self._reason = job, take_over, reason

    @property
    def ended(self) -> bool:
        """Whether the job has finished or failed, for good."""
        return self._job.ended

    async def result(self) -> Result:
        """See `Job`."""
        return self._with_remark(await self._answered(lambda job: job.result()))

    async def beginning(self, frames: int) -> Result:
        """See `Job`."""
        return self._with_remark(await self._answered(lambda job: job.beginning(frames)))

    def cancel(self) -> None:
        """See `Job`."""
        self._job.cancel()

    async def _answered(self, ask: Callable[[Job], Awaitable[Result]]) -> Result:
        job = self._job
        try:
            return await ask(job)
        except (EngineFailed, Cancelled):
            raise
        except _FELL as error:
            if self._reason and self._job is job:
                raise
            if self._job is job:
                self._job, self._reason = self._take_over(), str(error)
        return await ask(self._job)

    def _with_remark(self, result: Result) -> Result:
        if not self._reason:
            return result
        return replace(
            result, remarks=(f"rendered on this machine: {self._reason}", *result.remarks)
        )
