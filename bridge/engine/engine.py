"""`load` and `Engine`: what the programs see of a model.

Nothing here imports torch until a model is loaded, after its name and its files were checked.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import WINDOW_SECONDS
from bridge.engine.checkpoint import Location, check_transformers, find
from bridge.engine.request import Request
from bridge.engine.stream import Chunk, Stream
from bridge.errors import BadArgument, Cancelled, Unsupported

if TYPE_CHECKING:
    import torch

    from bridge.engine.weights import Checkpoint

TURN_SECONDS = 0.05
"""How often what waits for another request looks whether it has been cancelled."""
Progress = Callable[[float], None]
"""Told the share done, rising to 1, in the thread that generates; what it raises ends that."""


def load(
    model: str | os.PathLike[str],
    *,
    revision: str | None = None,
    device: str | None = None,
    dtype: str | torch.dtype | None = None,
    decoder: str | os.PathLike[str] | None = None,
) -> Engine:
    """Load a MusicGen Melody checkpoint.

    Args:
        model: `pocket`, a folder, or a Hugging Face id, `owner/name` or `owner/name@revision`.
            An id is fetched once and stays at the commit it had then.
        revision: branch, tag or commit of an id.
        device: `auto` (None), `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `auto` (None: bfloat16 on CUDA, else float32), `float32`, `float16` or `bfloat16`.
        decoder: a decoder trained by itself (`MusicgenMelodyForCausalLM`), or a whole checkpoint
            whose decoder is wanted, in place of the model's; named like `model`.

    Raises:
        BadArgument: the device, number type or revision does not exist.
        CheckpointUnusable: the checkpoint is not there, not MusicGen Melody, pickled, or broken.
        OutOfMemory: it does not fit the device.
    """
    check_transformers()
    location = find(model, revision)
    other = None if decoder is None else find(decoder)
    # Only now: torch and transformers take seconds to import.
    from bridge.engine.device import resolve_device, resolve_dtype
    from bridge.engine.weights import read_checkpoint

    place = resolve_device(device)
    checkpoint = read_checkpoint(location, other, place, resolve_dtype(dtype, place))
    return Engine(location, checkpoint)


class Engine:
    """A loaded model. Requests from several threads are served one after the other."""

    def __init__(self, location: Location, checkpoint: Checkpoint) -> None:
        self._location = location
        self._checkpoint = checkpoint
        self._busy = threading.Lock()

    @property
    def model_name(self) -> str:
        """What the model was asked for by: `pocket`, an id, or a folder."""
        return self._location.name

    @property
    def revision(self) -> str | None:
        """The model's commit on Hugging Face; None where it came from a folder."""
        return self._location.revision

    @property
    def device(self) -> str:
        """Where the model runs: `cpu`, `cuda:0`, `mps:0`."""
        return str(self._checkpoint.model.device)

    @property
    def sample_rate(self) -> int:
        """Hz of the audio, 32000."""
        return self._checkpoint.sample_rate

    @property
    def frame_rate(self) -> int:
        """Codec steps a second, 50."""
        return self._checkpoint.frame_rate

    @property
    def num_codebooks(self) -> int:
        """K: 4 for mono, 8 for stereo."""
        return self._checkpoint.num_codebooks

    @property
    def audio_channels(self) -> int:
        """1 or 2."""
        return self._checkpoint.audio_channels

    def stream(self, request: Request, *, progress: Progress | None = None) -> Stream:
        """The request's chunks, made as they are iterated over; for now a single one.

        Iterating raises `Cancelled` and `OutOfMemory`.

        Raises:
            BadArgument: `continue_from` does not fit the checkpoint's codebooks.
            Unsupported: with `continue_from`, the piece is longer than one window.
        """
        steps = self._checked_steps(request)
        return Stream(lambda cancelled: self._chunks(request, steps, progress, cancelled))

    @overload
    def generate(self, request: Request, *, progress: Progress | None = None) -> list[Waveform]: ...

    @overload
    def generate(
        self, request: Sequence[Request], *, progress: Progress | None = None
    ) -> list[list[Waveform]]: ...

    def generate(
        self, request: Request | Sequence[Request], *, progress: Progress | None = None
    ) -> list[Waveform] | list[list[Waveform]]:
        """The audio of one request, a waveform a variation, or of several, a list a request.

        Raises:
            BadArgument: `continue_from` does not fit the checkpoint's codebooks.
            Unsupported: with `continue_from`, the piece is longer than one window.
            OutOfMemory: it does not fit the device.
        """
        if isinstance(request, Request):
            return self._joined(request, progress)
        for each in request:
            self._checked_steps(each)
        return [
            self._joined(each, progress and _share(progress, index, len(request)))
            for index, each in enumerate(request)
        ]

    def reconstruct(self, waveform: Waveform) -> Waveform:
        """The sound through the codec alone: what is left of it without the decoder's mistakes.

        Args:
            waveform: any rate and channels; mixed to mono for a mono checkpoint, and mono doubled
                for a stereo one.

        Returns:
            float32 at `sample_rate` with `audio_channels` channels, as many frames as the input
            has when resampled to that rate.

        Raises:
            BadArgument: no frames.
            OutOfMemory: it does not fit the device.
        """
        if waveform.frames == 0:
            raise BadArgument("a sound to reconstruct has at least one frame, got none")
        from bridge.engine.codec import reconstruct
        from bridge.engine.device import memory_told

        remedy = f"{waveform.seconds:.3g} seconds through the codec on {self.device}; give less"
        with self._busy, memory_told(remedy):
            return reconstruct(self._checkpoint, waveform)

    def _joined(self, request: Request, progress: Progress | None) -> list[Waveform]:
        with self.stream(request, progress=progress) as stream:
            return joined([chunk.audio for chunk in stream], self.sample_rate)

    def _checked_steps(self, request: Request) -> int:
        """How many steps the request asks for."""
        steps = math.ceil(request.seconds * self.frame_rate)
        codes = request.continue_from
        if codes is None:
            return steps
        largest = self._checkpoint.codebook_size - 1
        if codes.shape[0] != self.num_codebooks or int(codes.max()) > largest:
            raise BadArgument(
                f"codes to continue from are [{self.num_codebooks}, steps] of 0 to {largest} for "
                f"model {self.model_name!r}, got {list(codes.shape)} up to {int(codes.max())}"
            )
        if codes.shape[1] + steps > WINDOW_SECONDS * self.frame_rate:
            raise Unsupported(
                f"{codes.shape[1] / self.frame_rate:g} seconds to continue from and "
                f"{request.seconds} more: one window is {WINDOW_SECONDS} seconds; ask for less"
            )
        return steps

    def _chunks(
        self,
        request: Request,
        steps: int,
        progress: Progress | None,
        cancelled: threading.Event,
    ) -> Iterator[Chunk]:
        from bridge.engine.device import memory_told
        from bridge.engine.reference import generate_row

        def after_step(row: int, done: float) -> None:
            if cancelled.is_set():
                raise Cancelled("cancelled before it was done")
            if progress is not None:
                progress((row + done) / request.variations)

        def turn() -> None:
            """Wait until nothing else is being made, or it is cancelled."""
            while not self._busy.acquire(timeout=TURN_SECONDS):
                if cancelled.is_set():
                    raise Cancelled("cancelled before it began")

        rows = []
        remedy = f"{request.seconds} seconds on {self.device}; ask for less, or for another device"
        turn()
        try:
            with memory_told(remedy):
                for row in range(request.variations):
                    if cancelled.is_set():
                        raise Cancelled("cancelled before it was done")
                    rows.append(
                        generate_row(
                            self._checkpoint,
                            request,
                            seed=int(request.seed) + row,
                            steps=steps,
                            after_step=partial(after_step, row),
                        )
                    )
        finally:
            self._busy.release()
        after_step(request.variations - 1, 1.0)
        yield Chunk(np.stack([codes for codes, _ in rows]), np.stack([audio for _, audio in rows]))


def joined(audio: Sequence[NDArray[np.float32]], sample_rate: int) -> list[Waveform]:
    """The audio of consecutive chunks, `[variations, channels, frames]`: a waveform a variation."""
    whole = np.concatenate(audio, axis=2)
    return [Waveform(np.ascontiguousarray(row.T), sample_rate) for row in whole]


def _share(progress: Progress, index: int, count: int) -> Progress:
    """Progress of one request among several."""
    return lambda done: progress((index + done) / count)
