"""A request that was submitted to an engine, and its result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bridge.audio import Waveform
from bridge.engine.request import Request
from bridge.errors import BridgeError


@dataclass(frozen=True, eq=False)
class Result:
    """The result of a request.

    Attributes:
        waveforms: one a variation, in the order of their seeds.
        remarks: what the user should know of the result, a sentence each.
    """

    waveforms: list[Waveform]
    remarks: tuple[str, ...] = ()


class Job:
    """One submitted request. Use it in the event loop's thread only.

    Attributes:
        request: what was asked for.
        ended: whether `result` returns, or raises, at once.
    """

    def __init__(
        self,
        request: Request,
        on_progress: Callable[[float], None],
        on_cancel: Callable[[Job], None],
    ) -> None:
        """`EngineHost.submit` makes it."""
        self.request = request
        self._on_progress, self._on_cancel = on_progress, on_cancel
        self._ended = asyncio.Event()
        self._error: BridgeError | None = None
        self._waveforms: asyncio.Future[list[Waveform]] | None = None
        self._remarks: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether the job has finished or failed."""
        return self._ended.is_set()

    async def result(self) -> Result:
        """The audio, once it is complete. Any number of tasks may wait, any number of times.

        Raises:
            Cancelled: by `cancel`, or because the host stopped.
            EngineDied, EngineHung: the process was lost; the request may be submitted again.
            EngineFailed: a defect.
            OutOfMemory: a smaller number of variations does not fit either.
            BridgeError: the engine refused the request, or the model cannot be loaded.
        """
        await self._ended.wait()
        if self._error is not None:
            raise self._error
        assert self._waveforms is not None
        # Shielded: a waiter that is cancelled must not cancel the result for the others.
        return Result(await asyncio.shield(self._waveforms), self._remarks)

    def cancel(self) -> None:
        """Give the job up: `result` raises `Cancelled` from now on; the engine stops within a step.

        A job that has ended stays as it is.
        """
        if not self.ended:
            self._on_cancel(self)

    # The methods below are for the host.

    def report_progress(self, share: float) -> None:
        """Pass on the share done, unless the job has ended."""
        if not self.ended:
            self._on_progress(share)

    def set_remark(self, remark: str) -> None:
        """Give that sentence with the result."""
        self._remarks = (remark,)

    def finish(self, read_waveforms: Callable[[], list[Waveform]]) -> None:
        """End with a result. Not for a job that has ended.

        Args:
            read_waveforms: called in a thread; may raise a `BridgeError`.
        """
        # Copying minutes of audio and checking them for NaN would block the event loop.
        self._waveforms = asyncio.ensure_future(asyncio.to_thread(read_waveforms))
        self._ended.set()

    def fail(self, error: BridgeError) -> None:
        """End with an error; a job that has ended stays as it is."""
        if not self.ended:
            self._error = error
            self._ended.set()
