"""A request or a separation that was submitted to an engine, and its result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bridge.audio import Waveform
from bridge.engine.separation import Work
from bridge.errors import BridgeError, Cancelled


@dataclass(frozen=True, eq=False)
class Result:
    """The result of a job.

    Attributes:
        waveforms: of a request one a variation, in the order of their seeds; of a separation one.
        remarks: what the user should know of the result, a sentence each.
    """

    waveforms: list[Waveform]
    remarks: tuple[str, ...] = ()


class Job:
    """One submitted request or separation. Use it in the event loop's thread only.

    Attributes:
        work: what was asked for.
        ended: whether `result` returns, or raises, at once.
    """

    def __init__(
        self,
        work: Work,
        on_progress: Callable[[float], None],
        on_cancel: Callable[[Job], None],
    ) -> None:
        """`EngineHost.submit` makes it."""
        self.work = work
        self._on_progress, self._on_cancel = on_progress, on_cancel
        self._ended = asyncio.Event()
        self._frames = 0
        self._read: Callable[[int], list[Waveform]] = lambda frames: []
        # Set at every change of the frames, and at the end.
        self._news = asyncio.Event()
        # What callers of `beginning` wait for, and an event that is set at every change of it.
        self._wanted: list[int] = []
        self._wanted_changed = asyncio.Event()
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

    async def beginning(self, frames: int) -> Result:
        """The first frames of the audio, as soon as they are made; all of it where it has fewer.

        The host may have made fewer variations than were asked for, as in `result`.

        Raises:
            BridgeError: as from `result`.
        """
        with self._waiting_for(frames):
            while not self.ended:
                if self._frames >= frames:
                    try:
                        return Result(await asyncio.to_thread(self._read, frames), self._remarks)
                    except Cancelled:
                        # The job has ended meanwhile, or begins again.
                        continue
                self._news.clear()
                await self._news.wait()
        whole = await self.result()
        return Result(
            [
                Waveform(waveform.samples[:frames], waveform.sample_rate)
                for waveform in whole.waveforms
            ],
            whole.remarks,
        )

    def cancel(self) -> None:
        """Give the job up: `result` raises `Cancelled` from now on; the engine stops within a step.

        So does who has enough of the audio. A job that has ended stays as it is.
        """
        if not self.ended:
            self._on_cancel(self)

    @contextmanager
    def _waiting_for(self, frames: int) -> Iterator[None]:
        self._wanted.append(frames)
        self._wanted_changed.set()
        try:
            yield
        finally:
            self._wanted.remove(frames)
            self._wanted_changed.set()

    # The methods below are for the host.

    @property
    def wanted_frames(self) -> int:
        """The fewest frames that somebody waits for and that are not written; 0: nobody waits."""
        return min((frames for frames in self._wanted if frames > self._frames), default=0)

    async def wanted_other_than(self, frames: int) -> int:
        """Wait until `wanted_frames` is another number, and return it."""
        while self.wanted_frames == frames:
            self._wanted_changed.clear()
            await self._wanted_changed.wait()
        return self.wanted_frames

    def report_progress(self, share: float) -> None:
        """Pass on the share done, unless the job has ended."""
        if not self.ended:
            self._on_progress(share)

    def set_written(self, frames: int, read: Callable[[int], list[Waveform]]) -> None:
        """Say how many frames of each variation can be read; 0 at each beginning.

        Args:
            read: called in a thread, with a number of frames; raises `Cancelled` where they are
                gone.
        """
        self._frames, self._read = frames, read
        self._news.set()

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
        self._end()

    def fail(self, error: BridgeError) -> None:
        """End with an error; a job that has ended stays as it is."""
        if not self.ended:
            self._error = error
            self._end()

    def _end(self) -> None:
        self._ended.set()
        self._news.set()
