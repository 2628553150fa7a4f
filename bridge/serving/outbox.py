"""What a client is to be sent of its request: many chunks in one message, unless it waits for one.

Each message costs Serve's proxy and both ends some milliseconds of processor time. So chunks wait
for each other, for a quarter of a second at most, and no longer than until the client has the
steps that it waits for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from bridge.engine.process.wire import ChunkMade, Done, Failed, Progressed, ServerMessage

PAUSE_SECONDS = 0.25
"""Between two messages, where the client waits for none."""
MESSAGE_BYTES = 2**20
"""So much audio leaves at once, and no message of several chunks has more."""


class Outbox:
    """The messages of one request, in their order. For the event loop's thread.

    Attributes:
        wanted_steps: the client waits for so many codec steps of its request; 0: for none.
    """

    def __init__(self, wanted_steps: int) -> None:
        self.wanted_steps = wanted_steps
        self._chunks: list[ChunkMade] = []
        self._share = self._sent_share = 0.0
        self._end: Done | Failed | None = None
        self._sent_seconds = time.perf_counter()
        self._changed = asyncio.Event()

    def put(self, message: ChunkMade | Progressed | Done | Failed) -> None:
        """Add a message; none follows `Done` or `Failed`."""
        match message:
            case ChunkMade():
                self._chunks.append(message)
            case Progressed():
                self._share = message.share
            case _:
                self._end = message
        self._changed.set()

    def want(self, steps: int) -> None:
        """Let the client wait for so many steps."""
        self.wanted_steps = steps
        self._changed.set()

    async def next(self, patience_seconds: float) -> ServerMessage | None:
        """The next message, once it is due; None where there is nothing to send for so long."""
        while True:
            now = time.perf_counter()
            is_late = now >= self._sent_seconds + PAUSE_SECONDS
            message = self._due(is_late)
            if message is not None or now >= self._sent_seconds + patience_seconds:
                self._sent_seconds = now
                return message
            self._changed.clear()
            is_waiting = self._chunks or self._share > self._sent_share
            pause = PAUSE_SECONDS if is_waiting else patience_seconds
            with suppress(TimeoutError):
                async with asyncio.timeout(self._sent_seconds + pause - now):
                    await self._changed.wait()

    def _due(self, is_late: bool) -> ServerMessage | None:
        if self._chunks:
            wanted, end = self.wanted_steps, _end_of(self._chunks[-1])
            size = sum(_audio_bytes(chunk) for chunk in self._chunks)
            is_wanted = 0 < wanted <= end
            if is_late or is_wanted or size >= MESSAGE_BYTES or self._end is not None:
                return self._joined()
            return None
        if self._end is not None:
            return self._end
        if is_late and self._share > self._sent_share:
            self._sent_share = self._share
            return Progressed(self._share)
        return None

    def _joined(self) -> ChunkMade:
        """The first chunks in one, up to `MESSAGE_BYTES`; those without audio by themselves."""
        parts, size = self._chunks[:1], _audio_bytes(self._chunks[0])
        for chunk in self._chunks[1:]:
            size += _audio_bytes(chunk)
            is_alike = (chunk.audio is None) is (parts[0].audio is None)
            if not is_alike or size > MESSAGE_BYTES:
                break
            parts.append(chunk)
        del self._chunks[: len(parts)]
        if _end_of(parts[-1]) >= self.wanted_steps:
            self.wanted_steps = 0
        audio = [part.audio for part in parts if part.audio is not None]
        return ChunkMade(
            parts[0].first_step,
            np.concatenate([part.codes for part in parts], axis=2),
            np.concatenate(audio, axis=2) if audio else None,
        )


def pieces(chunk: ChunkMade) -> Iterator[ChunkMade]:
    """A chunk with audio in pieces of `MESSAGE_BYTES` or less, each of one step or more."""
    assert chunk.audio is not None
    steps = chunk.codes.shape[2]
    hop = chunk.audio.shape[2] // steps
    most = max(1, MESSAGE_BYTES * steps // max(chunk.audio.nbytes, 1))
    for first in range(0, steps, most):
        end = min(first + most, steps)
        yield ChunkMade(
            chunk.first_step + first,
            chunk.codes[:, :, first:end],
            chunk.audio[:, :, first * hop : end * hop],
        )


def _end_of(chunk: ChunkMade) -> int:
    """The step after the chunk's last."""
    return chunk.first_step + int(chunk.codes.shape[2])


def _audio_bytes(chunk: ChunkMade) -> int:
    return 0 if chunk.audio is None else chunk.audio.nbytes
