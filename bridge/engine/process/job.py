"""A request on its way through the engine's process, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bridge.audio import Waveform
from bridge.engine.process.shared_audio import SharedAudio
from bridge.engine.request import Request
from bridge.errors import BridgeError, OutOfMemory


@dataclass(frozen=True, eq=False)
class Result:
    """What a request came to.

    Attributes:
        waveforms: one a variation, in the order of their seeds.
        remarks: what the user should know of it, a sentence each.
    """

    waveforms: list[Waveform]
    remarks: tuple[str, ...] = ()


class Job:
    """One submitted request. All of it belongs to the thread of the event loop.

    Attributes:
        request: what was asked for.
        ended: whether the result is there, or why there is none.
    """

    def __init__(
        self,
        request: Request,
        on_progress: Callable[[float], None],
        on_cancel: Callable[[Job], None],
    ) -> None:
        """`Supervisor.submit` makes it."""
        self.request = request
        self._on_progress, self._on_cancel = on_progress, on_cancel
        self._ended = asyncio.Event()
        self._error: BridgeError | None = None
        self._waveforms: asyncio.Future[list[Waveform]] | None = None
        self._remarks: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether `result` has something to tell."""
        return self._ended.is_set()

    async def result(self) -> Result:
        """The audio, once it is all there. It may be asked for again, and by several.

        Raises:
            Cancelled: by `cancel`, or because the supervisor stopped.
            EngineDied, EngineHung: the process was lost; the request may be submitted again.
            EngineFailed: a defect.
            OutOfMemory: also a smaller number of variations does not fit.
            BridgeError: what the engine says of the request, or why the model cannot be loaded.
        """
        await self._ended.wait()
        if self._error is not None:
            raise self._error
        assert self._waveforms is not None
        # Shielded: who gives up waiting does not give it up for others.
        return Result(await asyncio.shield(self._waveforms), self._remarks)

    def cancel(self) -> None:
        """Give it up: `result` raises `Cancelled` from now on, and the engine stops within a step.

        One that has ended stays as it is.
        """
        if not self.ended:
            self._on_cancel(self)

    # What follows is the supervisor's.

    def progressed(self, share: float) -> None:
        """Tell the share done; after it has ended nothing is told."""
        if not self.ended:
            self._on_progress(share)

    def begin_anew(self, remarks: str) -> None:
        """Tell that sentence with the result."""
        self._remarks = (remarks,)

    def finish(self, sound: SharedAudio, sample_rate: int) -> None:
        """All of it is there. Not for one that has ended.

        Args:
            sound: is copied, and then closed.
        """
        # Minutes of audio are copied and looked through for NaN: not in the event loop.
        self._waveforms = asyncio.ensure_future(asyncio.to_thread(_taken, sound, sample_rate))
        self._ended.set()

    def fail(self, error: BridgeError) -> None:
        """It ends with an error; one that has ended stays as it is."""
        if not self.ended:
            self._error = error
            self._ended.set()


def _taken(sound: SharedAudio, sample_rate: int) -> list[Waveform]:
    """The waveforms of a sound, which is closed then."""
    try:
        return sound.waveforms(sample_rate)
    except MemoryError as error:
        raise OutOfMemory("out of memory: ask for less, or for fewer variations") from error
    finally:
        sound.close()
