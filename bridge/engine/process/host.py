"""What the daemon needs of an engine, wherever the engine runs.

`Supervisor` is one host: it keeps the engine in a child process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bridge.commands import EngineState
from bridge.engine.process.job import Job
from bridge.engine.process.messages import EngineFacts
from bridge.engine.separation import Work
from bridge.errors import BridgeError

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

    def start(self) -> None:
        """Begin to load the model; `state` follows how that goes."""

    async def stop(self) -> None:
        """End the engine. Cancel the requests that wait or run."""

    def submit(self, work: Work, on_progress: OnProgress = ..., *, first: bool = False) -> Job:
        """Queue a request or a separation.

        Args:
            on_progress: called about ten times a second. The share rises, but starts again where
                the engine tries fewer variations.
            first: it goes before those that wait.

        Raises:
            QueueFull: the queue is full.
            BridgeError: why the engine has failed. A later request makes the host try again.
            Cancelled: the host is being stopped.
        """
