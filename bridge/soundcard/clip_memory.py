"""A clip in shared memory: the daemon writes it, the audio process plays it.

The writer may still be appending while the reader plays: a counter says how many frames are there.
"""

from __future__ import annotations

from multiprocessing.shared_memory import SharedMemory

import numpy as np
from numpy.typing import NDArray

from bridge.errors import BadArgument
from bridge.process.shared_arrays import SharedArrays, claimed

LONGEST_SECONDS = 300.0
"""Longest clip that is played: two channels of it at 48 kHz take 115 MB."""
_FIELDS = 4
_NUMBER, _FRAMES, _CHANNELS, _WRITTEN = range(_FIELDS)
_HEADER_BYTES = _FIELDS * 8


class ClipMemory(SharedArrays):
    """The samples of one clip in shared memory. Make it with `create` or `attach`.

    The memory is freed when it is unlinked and the last process that has it open closes it or ends;
    an object without references closes itself.

    Attributes:
        name: for `attach` in another process.
        number: the clip's, positive; names it in messages between the processes.
        frames: length of the whole clip, 1 or more.
        samples: float32 `[frames, channels]`; zeros where nothing is written yet.
    """

    def __init__(self, memory: SharedMemory) -> None:
        super().__init__(memory)
        self._header = np.ndarray(_FIELDS, np.int64, memory.buf)
        self.number = int(self._header[_NUMBER])
        self.frames = int(self._header[_FRAMES])
        self.samples: NDArray[np.float32] = np.ndarray(
            (self.frames, int(self._header[_CHANNELS])), np.float32, memory.buf, _HEADER_BYTES
        )

    @classmethod
    def create(cls, number: int, frames: int, channels: int, sample_rate: int) -> ClipMemory:
        """Make memory for a clip, without samples; its maker must unlink it.

        Args:
            number: positive.
            frames: of the whole clip, also if they come later.
            channels: 1 or more.
            sample_rate: Hz, positive.

        Raises:
            BadArgument: the clip is empty, or longer than `LONGEST_SECONDS`.
            OSError: there is no room for it in shared memory.
        """
        seconds = frames / sample_rate
        if not 0 < seconds <= LONGEST_SECONDS:
            raise BadArgument(
                f"a clip of {seconds:.1f} s: the output plays clips of up to {LONGEST_SECONDS:g} s"
            )
        memory = claimed(_HEADER_BYTES + frames * channels * 4)
        header = np.ndarray(_FIELDS, np.int64, memory.buf)
        header[:] = number, frames, channels, 0
        del header
        return cls(memory)

    @property
    def frames_written(self) -> int:
        """How many frames are there, from the first one on."""
        return int(self._header[_WRITTEN])

    def append(self, samples: NDArray[np.float32]) -> None:
        """Add the next frames; for the writer.

        Args:
            samples: float32 `[frames, channels]`.

        Raises:
            ValueError: the clip has no room for so many frames.
        """
        first = self.frames_written
        after = first + len(samples)
        if after > self.frames:
            raise ValueError(f"frames {first} to {after} of a clip of {self.frames}")
        self.samples[first:after] = samples
        # Last: the reader uses it to find what is complete.
        self._header[_WRITTEN] = after
