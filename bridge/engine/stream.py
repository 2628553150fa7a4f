"""`Chunk`, a part of the result, and `Stream`, which yields and cancels.

Nothing is computed ahead: the next chunk is made when it is asked for. A slow reader slows the
generation down, and fills no memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Chunk:
    """The next S codec steps of every variation of a request.

    Attributes:
        codes: int64 `[variations, K, S]`; stereo has left and right interleaved in K, left first.
        audio: float32 `[variations, channels, S * 640]` at 32 kHz, the audio of those codes.
    """

    codes: NDArray[np.int64]
    audio: NDArray[np.float32]

    @classmethod
    def joined(cls, chunks: Sequence[Chunk]) -> Chunk:
        """Consecutive chunks as one."""
        return cls(
            np.concatenate([chunk.codes for chunk in chunks], axis=2),
            np.concatenate([chunk.audio for chunk in chunks], axis=2),
        )


class Stream:
    """The chunks of one request, each made when it is asked for.

    Iterate once, in one thread. Leaving the `with` block cancels the rest.
    """

    def __init__(self, start: Callable[[threading.Event], Generator[Chunk, None, None]]) -> None:
        self._cancelled = threading.Event()
        self._chunks = start(self._cancelled)

    def cancel(self) -> None:
        """Stop within a step; the iteration raises `Cancelled`. From any thread, any time."""
        self._cancelled.set()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()
        # ValueError: another thread is in the middle of a chunk, and the cancel ends it.
        with suppress(ValueError):
            self._chunks.close()

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        return next(self._chunks)
