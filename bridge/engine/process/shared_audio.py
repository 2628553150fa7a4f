"""A request's audio in shared memory: the engine's process writes it, the daemon takes it.

It has its whole length from the start, so that nothing is joined, and none of it goes down a pipe.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.errors import OutOfMemory
from bridge.process import shared_memory

Shape = tuple[int, int, int]
"""Variations, channels, and frames of a channel."""
_SAMPLE_BYTES = 4


@dataclass(frozen=True)
class BufferRef:
    """Where a sound lies, as it is told to the process that writes it."""

    name: str
    shape: Shape


class SharedAudio:
    """Audio of a known length. Make it with `create` or `attach`; nothing of it is there at first.

    The maker frees it: by `close`, or by ending. A name that the maker has not yet taken away when
    it is killed goes with its resource tracker.

    Attributes:
        place: what another process attaches it by.
    """

    def __init__(self, memory: SharedMemory, place: BufferRef, *, named: bool) -> None:
        """`named`: its name is there, and this object is to take it away."""
        self._memory, self.place, self._named = memory, place, named

    @classmethod
    def create(cls, shape: Shape) -> SharedAudio:
        """Make room for a sound; the memory itself is claimed by `attach`.

        Raises:
            OutOfMemory: there is none.
        """
        try:
            memory = shared_memory.create(_size(shape))
        except OSError as error:
            raise _no_room(shape, error) from error
        return cls(memory, BufferRef(memory.name, shape), named=True)

    @classmethod
    def attach(cls, place: BufferRef, check: Callable[[], None] = lambda: None) -> SharedAudio:
        """Open the sound that the parent process made, and claim its memory.

        Args:
            check: called every now and then meanwhile; what it raises ends it.

        Raises:
            OutOfMemory: there is none.
        """
        try:
            memory = shared_memory.attach(place.name)
            try:
                shared_memory.claim(memory, check)
            except BaseException:
                memory.close()
                raise
        except OSError as error:
            raise _no_room(place.shape, error) from error
        return cls(memory, place, named=False)

    def write(self, first: int, audio: NDArray[np.float32]) -> int:
        """Put audio where it belongs.

        Args:
            first: the frame that it begins with.
            audio: float32 `[variations, channels, frames]`.

        Returns:
            The frame after its last.

        Raises:
            ValueError: it goes past the end, or is of another shape.
        """
        after: int = first + audio.shape[2]
        if audio.shape[:2] != self.place.shape[:2] or after > self.place.shape[2]:
            raise ValueError(f"audio {audio.shape} at frame {first} of {self.place.shape}")
        self._samples()[:, :, first:after] = audio
        return after

    def waveforms(self, sample_rate: int) -> list[Waveform]:
        """A copy of it, one waveform a variation.

        Raises:
            BadArgument: it holds a NaN or an infinity.
        """
        return [Waveform(np.array(row.T, order="C"), sample_rate) for row in self._samples()]

    def unlink(self) -> None:
        """Take its name away, the maker's; doing it again does nothing.

        The memory stays for those who have it open.
        """
        named, self._named = self._named, False
        if named:
            # A system may tidy up behind its back, as systemd does when a user logs out.
            with suppress(FileNotFoundError):
                self._memory.unlink()

    def close(self) -> None:
        """Let go of it in this process; doing it again does nothing."""
        self.unlink()
        self._memory.close()

    def _samples(self) -> NDArray[np.float32]:
        # Made anew each time: memory cannot be closed while an array of it is kept.
        return np.ndarray(self.place.shape, np.float32, self._memory.buf)


def _size(shape: Shape) -> int:
    variations, channels, frames = shape
    return variations * channels * frames * _SAMPLE_BYTES


def _no_room(shape: Shape, error: OSError) -> OutOfMemory:
    return OutOfMemory(
        f"no room in shared memory for {_size(shape) / 1e6:.0f} MB of sound ({error.strerror}): "
        "ask for less, or for fewer variations"
    )
