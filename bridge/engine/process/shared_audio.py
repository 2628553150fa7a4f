"""A request's audio in shared memory: the engine's process writes it, the daemon reads it.

The memory has its full length from the start: chunks need no joining, and no audio goes through a
pipe.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.engine.output import waveforms
from bridge.errors import Cancelled, OutOfMemory
from bridge.process import shared_memory

Shape = tuple[int, int, int]
"""Variations, channels, and frames of a channel."""
_SAMPLE_BYTES = 4


@dataclass(frozen=True)
class BufferRef:
    """Name and shape of shared audio; another process attaches the audio by it."""

    name: str
    shape: Shape


class SharedAudio:
    """Audio of a known length. Make it with `create` or `attach`; at first nothing is written.

    The maker frees the memory, by `close` or by ending. If the maker is killed before it unlinks
    the name, its resource tracker does.

    Attributes:
        ref: another process attaches the audio by it.
    """

    def __init__(self, memory: SharedMemory, ref: BufferRef, *, linked: bool) -> None:
        """
        Args:
            linked: the name exists, and this object is to unlink it.
        """
        self._memory, self.ref, self._linked = memory, ref, linked
        # Memory that a thread reads must not be closed.
        self._reading = threading.Lock()
        self._closed = False

    @classmethod
    def create(cls, shape: Shape) -> SharedAudio:
        """Reserve a name and a size; `attach` claims the memory itself.

        Raises:
            OutOfMemory: the system has no room.
        """
        try:
            memory = shared_memory.create(_size(shape))
        except OSError as error:
            raise _no_room(shape, error) from error
        return cls(memory, BufferRef(memory.name, shape), linked=True)

    @classmethod
    def attach(cls, ref: BufferRef, check: Callable[[], None] = lambda: None) -> SharedAudio:
        """Open the audio that the parent process made, and claim its memory.

        Args:
            check: called now and then meanwhile; an error that it raises stops the claiming.

        Raises:
            OutOfMemory: the system has no room.
        """
        try:
            memory = shared_memory.attach(ref.name)
            try:
                shared_memory.claim(memory, check)
            except BaseException:
                memory.close()
                raise
        except OSError as error:
            raise _no_room(ref.shape, error) from error
        return cls(memory, ref, linked=False)

    def write(self, first: int, audio: NDArray[np.float32]) -> int:
        """Write audio at a frame.

        Args:
            first: the frame where the audio begins.
            audio: float32 `[variations, channels, frames]`.

        Returns:
            The frame after the last one written.

        Raises:
            ValueError: the audio goes past the end, or has another shape.
        """
        after: int = first + audio.shape[2]
        if audio.shape[:2] != self.ref.shape[:2] or after > self.ref.shape[2]:
            raise ValueError(f"audio {audio.shape} at frame {first} of {self.ref.shape}")
        self._samples()[:, :, first:after] = audio
        return after

    def waveforms(self, sample_rate: int, frames: int | None = None) -> list[Waveform]:
        """A copy of the audio, one waveform a variation; from any thread.

        Args:
            frames: how many from the beginning; None: all.

        Raises:
            EngineFailed: the audio holds a NaN or an infinity.
            Cancelled: it was closed meanwhile.
        """
        with self._reading:
            if self._closed:
                raise Cancelled("cancelled while its audio was read")
            return waveforms(self._samples()[:, :, :frames], sample_rate)

    def take_waveforms(self, sample_rate: int) -> list[Waveform]:
        """A copy of the whole audio as from `waveforms`; then close it.

        Raises:
            OutOfMemory: the copy does not fit the memory.
            EngineFailed, Cancelled: as from `waveforms`.
        """
        try:
            return self.waveforms(sample_rate)
        except MemoryError as error:
            raise OutOfMemory("out of memory: ask for less, or for fewer variations") from error
        finally:
            self.close()

    def unlink(self) -> None:
        """Remove the name, if this object made it; a second call does nothing.

        The memory stays for the processes that have it open.
        """
        linked, self._linked = self._linked, False
        if linked:
            # The system may have removed it already, as systemd does when a user logs out.
            with suppress(FileNotFoundError):
                self._memory.unlink()

    def close(self) -> None:
        """Release the memory in this process; a second call does nothing."""
        self.unlink()
        with self._reading:
            self._closed = True
            self._memory.close()

    def close_soon(self) -> None:
        """Unlink the name now, and close in a thread: the system takes 0.2 s to free 1 GB.

        For the thread of a running event loop.
        """
        self.unlink()
        asyncio.get_running_loop().run_in_executor(None, self.close)

    def _samples(self) -> NDArray[np.float32]:
        # A new array each time: memory cannot be closed while an array of it exists.
        return np.ndarray(self.ref.shape, np.float32, self._memory.buf)


def _size(shape: Shape) -> int:
    variations, channels, frames = shape
    return variations * channels * frames * _SAMPLE_BYTES


def _no_room(shape: Shape, error: OSError) -> OutOfMemory:
    return OutOfMemory(
        f"no room in shared memory for {_size(shape) / 1e6:.0f} MB of sound ({error.strerror}): "
        "ask for less, or for fewer variations"
    )
