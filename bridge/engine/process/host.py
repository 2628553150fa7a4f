"""What the daemon needs of an engine, wherever the engine runs.

`Supervisor` is one host: it keeps the engine in a child process. `RemoteEngine` is another: it
speaks to a server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bridge.engine.process.job import Job
from bridge.engine.process.messages import EngineFacts
from bridge.engine.process.network_figures import NetworkFigures
from bridge.engine.separation import Work
from bridge.errors import BridgeError, Cancelled, QueueFull
from bridge.events import EngineState

OnState = Callable[[EngineState, str], None]
"""Called in the event loop with each change of `state` and `detail`; a host gets it when made."""
OnProgress = Callable[[float], None]
"""Called in the event loop with the share of a job that is done: of a request over 0 and at most 1,
of a separation from 0."""


class EngineHost(Protocol):
    """Does the submitted requests and separations, one at a time, in their order.

    Make and use it in the thread of a running event loop. No method waits, except `stop`.
    """

    @property
    def state(self) -> EngineState:
        """What the engine does now."""

    @property
    def detail(self) -> str:
        """A sentence about the state."""

    @property
    def facts(self) -> EngineFacts | None:
        """The model and the device, as the engine last reported them; None before it was ready."""

    @property
    def failure(self) -> BridgeError | None:
        """Why the engine has failed; None while it has not."""

    @property
    def waiting(self) -> int:
        """How many requests wait, without the one that is being generated."""

    @property
    def network(self) -> NetworkFigures | None:
        """How far away the engine is; None: on this machine, or not measured yet."""

    def start(self) -> None:
        """Begin to load the model; `state` follows how that goes."""

    async def stop(self) -> None:
        """End the engine. Cancel the requests that wait or run."""

    def submit(
        self,
        work: Work,
        on_progress: OnProgress = ...,
        *,
        first: bool = False,
        due_seconds: float | None = None,
    ) -> Job:
        """Queue a request or a separation.

        Args:
            on_progress: called about ten times a second, by a remote engine four times. The share
                rises, but starts again where the engine tries fewer variations.
            first: it goes before those that wait.
            due_seconds: when the audio is wanted, on `time.perf_counter`; None: whenever it is
                made. A host may have another engine make what would come later.

        Raises:
            QueueFull: the queue is full.
            BridgeError: why the engine has failed. A later request makes the host try again.
            Cancelled: the host is being stopped.
        """


class BaseEngineHost:
    """The state of a host of one engine, and the refusals that all such hosts have in common."""

    def __init__(self, on_state: OnState, queue_size: int) -> None:
        """
        Args:
            on_state: called in the event loop with each change: the state, and a sentence.
            queue_size: how many requests may wait beside the one that is generated, 1 or more.
        """
        self._on_state, self._queue_size = on_state, queue_size
        self._state: EngineState = "loading"
        self._detail = "not started"
        self._facts: EngineFacts | None = None
        self._failure: BridgeError | None = None
        self._network: NetworkFigures | None = None
        self._stopping = False

    @property
    def state(self) -> EngineState:
        """See `EngineHost`."""
        return self._state

    @property
    def detail(self) -> str:
        """See `EngineHost`."""
        return self._detail

    @property
    def facts(self) -> EngineFacts | None:
        """See `EngineHost`."""
        return self._facts

    @property
    def failure(self) -> BridgeError | None:
        """See `EngineHost`."""
        return self._failure

    @property
    def network(self) -> NetworkFigures | None:
        """See `EngineHost`."""
        return self._network

    def _check_running(self) -> None:
        """Raise `Cancelled` while the host is being stopped."""
        if self._stopping:
            raise Cancelled("cancelled: the engine is being stopped")

    def _check_room(self, waiting: int) -> None:
        """Raise `QueueFull` where so many requests wait that no other may."""
        if waiting >= self._queue_size:
            raise QueueFull(
                f"{waiting} requests are waiting, and no more can: wait for one, or cancel one"
            )

    def _set_state(self, state: EngineState, detail: str) -> None:
        if (state, detail) != (self._state, self._detail):
            self._state, self._detail = state, detail
            self._on_state(state, detail)
