"""What has arrived of a request's audio from a remote engine, replica after replica."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.engine.output import waveforms
from bridge.engine.process.job import Job
from bridge.engine.process.messages import EngineFacts
from bridge.engine.process.wire import ChunkMade
from bridge.engine.request import Request
from bridge.errors import Cancelled, EngineFailed, OutOfMemory


class OtherPiece(Exception):
    """The codes of a replica are others than those that have arrived from another one."""


class Arrived:
    """The beginning of a job's audio, and its codes.

    Attributes:
        request: what the job asks for.
        steps: how many codec steps have arrived.
        alive_seconds: when the last message about the job arrived; `perf_counter`'s.
    """

    def __init__(self, job: Job) -> None:
        assert isinstance(job.work, Request)
        self._job, self.request = job, job.work
        self.steps = 0
        self.alive_seconds = time.perf_counter()
        self._facts: EngineFacts | None = None
        self._audio = np.zeros((0, 0, 0), dtype=np.float32)
        self._codes = np.zeros((0, 0, 0), dtype=np.int64)

    def add(self, chunk: ChunkMade, facts: EngineFacts) -> None:
        """Take in the next chunk, or compare it with what has arrived.

        Raises:
            OtherPiece: it has other codes than those that have arrived.
            EngineFailed: it does not follow what has arrived.
            OutOfMemory: the audio of the whole request does not fit this machine's memory.
        """
        hop = facts.sample_rate // facts.frame_rate
        if self._facts is None:
            self._begin(chunk, facts)
        elif (facts.sample_rate, facts.audio_channels) != (
            self._facts.sample_rate,
            self._facts.audio_channels,
        ):
            raise OtherPiece
        first, count = chunk.first_step, chunk.codes.shape[2]
        end = first + count
        expected = (*self._codes.shape[:2], count)
        if first > self.steps or end > self._codes.shape[2] or chunk.codes.shape != expected:
            raise EngineFailed(
                f"the remote engine sent codes {list(chunk.codes.shape)} from step {first} on, "
                "which do not fit the request; please report it"
            )
        known = max(min(self.steps, end) - first, 0)
        if not np.array_equal(chunk.codes[:, :, :known], self._codes[:, :, first : first + known]):
            raise OtherPiece
        if end <= self.steps:
            return
        shape = (*self._audio.shape[:2], count * hop)
        if chunk.audio is None or chunk.audio.shape != shape:
            raise EngineFailed(
                f"the remote engine sent no audio {list(shape)} with its codes; please report it"
            )
        self._codes[:, :, self.steps : end] = chunk.codes[:, :, known:]
        self._audio[:, :, self.steps * hop : end * hop] = chunk.audio[:, :, known * hop :]
        self.steps = end
        self._job.set_written(end * hop, self._read)

    @property
    def share(self) -> float:
        """The share of the steps that have arrived, 0…1."""
        total = self._codes.shape[2]
        return self.steps / total if total else 0.0

    def forget(self) -> None:
        """Begin anew: the next replica makes the whole piece."""
        self.steps, self._facts = 0, None
        self._job.set_written(0, self._read)

    def check_complete(self) -> None:
        """Raise `EngineFailed` where steps lack."""
        if self._facts is None or self.steps < self._codes.shape[2]:
            raise EngineFailed(
                f"{self.steps} steps arrived from the remote engine, and no more; please report it"
            )

    def waveforms(self) -> list[Waveform]:
        """The whole audio, a waveform a variation; called in a thread."""
        assert self._facts is not None
        return waveforms(self._audio, self._facts.sample_rate)

    def _begin(self, chunk: ChunkMade, facts: EngineFacts) -> None:
        shape = facts.shape(self.request)
        steps = shape[2] // (facts.sample_rate // facts.frame_rate)
        codes = (shape[0], chunk.codes.shape[1], steps)
        try:
            self._audio = np.zeros(shape, dtype=np.float32)
            self._codes = np.zeros(codes, dtype=np.int64)
        except MemoryError as error:
            raise OutOfMemory("out of memory: ask for less, or for fewer variations") from error
        self._facts = facts

    def _read(self, frames: int) -> list[Waveform]:
        """The first frames; called in a thread."""
        audio: NDArray[np.float32] = self._audio
        facts = self._facts
        if facts is None or frames > audio.shape[2]:
            raise Cancelled("the request begins again")
        return waveforms(audio[:, :, :frames], facts.sample_rate)
