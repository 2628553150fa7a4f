"""`load` and `Engine`: the public interface to a model.

Nothing here imports torch until a model is loaded, after its name and its files have been checked.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import LONGEST_SECONDS, WINDOW_SECONDS
from bridge.commands import Precision
from bridge.engine.checkpoint import Location, check_transformers, find
from bridge.engine.output import waveforms
from bridge.engine.precision import check_place, check_precision
from bridge.engine.request import Request
from bridge.engine.stream import Chunk, Stream
from bridge.errors import BadArgument, Cancelled, OutOfMemory, Unsupported

if TYPE_CHECKING:
    import torch

    from bridge.engine.piece import Row
    from bridge.engine.pipeline import Pipeline
    from bridge.engine.weights import Checkpoint

Item = TypeVar("Item")
ENGINES = ("stream", "reference")
"""Ways to generate: the bridge's own, and transformers' `generate`. Both give the same codes."""
LARGEST_BATCH = 8
"""Variations that are generated together; the cache of more would fill a small device's memory."""
WARM_UP_SECONDS = 0.5
TURN_SECONDS = 0.05
"""How often a request that waits for another one checks whether it has been cancelled."""
Progress = Callable[[float], None]
"""Called with the share done, rising to 1, in the thread that generates; an error that it raises
ends the generation."""
OnAudio = Callable[[Sequence[int], NDArray[np.float32]], bool]
"""Called with variations that are made together, each by its number among those of all requests,
and the audio that follows what they had, float32 `[variations, channels, frames]`; in the thread
that generates. True: they have enough, and end there."""


def load(
    model: str | os.PathLike[str],
    *,
    revision: str | None = None,
    device: str | None = None,
    dtype: str | torch.dtype | None = None,
    decoder: str | os.PathLike[str] | None = None,
    engine: Literal["stream", "reference"] = "stream",
    precision: Precision = "exact",
) -> Engine:
    """Load a MusicGen Melody checkpoint.

    Args:
        model: `pocket`, a folder, or a Hugging Face id, `owner/name` or `owner/name@revision`.
            An id is fetched once and stays at the commit that it had then.
        revision: branch, tag or commit of an id.
        device: `auto` (None), `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `auto` (None: bfloat16 on CUDA, else float32), `float32`, `float16` or `bfloat16`.
        decoder: replaces the model's decoder; named like `model`. Either a decoder alone
            (`MusicgenMelodyForCausalLM`), or a whole checkpoint, of which the decoder is taken.
        engine: `stream`, or `reference`: transformers' `generate`, slower, and in a single chunk.
        precision: `exact`: transformers' codes; `int8`: the decoder's steps with weights of 8 bits,
            faster, with other codes. Needs a CPU, float32 and the extra `fast`.

    Raises:
        BadArgument: the device, number type, revision, engine or precision does not exist.
        Unsupported: this model, device or installation has no such precision.
        CheckpointUnusable: the checkpoint is missing, not MusicGen Melody, pickled, or broken.
        OutOfMemory: the checkpoint does not fit the device.
    """
    if engine not in ENGINES:
        raise BadArgument(f"engine {engine!r}: give {' or '.join(ENGINES)}")
    check_precision(precision, engine)
    check_transformers()
    location = find(model, revision)
    decoder_location = None if decoder is None else find(decoder)
    # Not earlier: torch and transformers take seconds to import.
    from bridge.engine.device import resolve_device, resolve_dtype
    from bridge.engine.weights import read_checkpoint

    torch_device = resolve_device(device)
    torch_dtype = resolve_dtype(dtype, torch_device)
    check_place(precision, torch_device.type, str(torch_dtype))
    checkpoint = read_checkpoint(location, decoder_location, torch_device, torch_dtype)
    return Engine(
        location,
        checkpoint,
        reference=engine == "reference",
        precision=precision,
        decoder=None if decoder_location is None else decoder_location.name,
    )


class Engine:
    """A loaded model. Requests from several threads take turns, chunk by chunk.

    Attributes:
        precision: as for `load`.
        decoder: the name of the decoder that replaced the model's own; None: none did.
    """

    def __init__(
        self,
        location: Location,
        checkpoint: Checkpoint,
        *,
        reference: bool = False,
        precision: Precision = "exact",
        decoder: str | None = None,
    ) -> None:
        """`load` makes it.

        Args:
            reference: generate with transformers.
            precision: as for `load`.
            decoder: the name of the decoder that replaced the model's own.

        Raises:
            Unsupported: the checkpoint cannot run with this precision.
        """
        from bridge.engine.pipeline import Pipeline

        self._location = location
        self._checkpoint = checkpoint
        self.precision, self.decoder = precision, decoder
        self._busy = threading.Lock()
        step: Literal["auto", "int8"] = "int8" if precision == "int8" else "auto"
        self._pipeline = None if reference else Pipeline(checkpoint, step=step)

    def as_reference(self) -> Engine:
        """The same model in the same memory, generating with transformers. Use one at a time."""
        return Engine(self._location, self._checkpoint, reference=True, decoder=self.decoder)

    def warm_up(self) -> None:
        """Do the one-time work now, so that the first request does not wait for it."""
        if self._pipeline is not None:
            from bridge.engine.device import oom_as_error

            with oom_as_error(f"model {self.model_name!r} leaves {self.device} no room to work in"):
                self._pipeline.warm_up()
        self.generate(Request(prompt="warm", seconds=WARM_UP_SECONDS))

    @property
    def model_name(self) -> str:
        """The name that the model was loaded by: `pocket`, an id, or a folder."""
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

    @property
    def longest_delay(self) -> int:
        """Steps by which the last codebook is behind the first: n steps take n + this tokens."""
        return int(self._checkpoint.delays.max())

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of the way in which it generates, a sentence each."""
        return () if self._pipeline is None else self._pipeline.remarks

    @property
    def pipeline(self) -> Pipeline:
        """The parts that generate.

        Raises:
            Unsupported: a reference engine has none.
        """
        if self._pipeline is None:
            raise Unsupported("a reference engine generates with transformers, and has no pipeline")
        return self._pipeline

    def stream(self, request: Request, *, progress: Progress | None = None) -> Stream:
        """The request's chunks, each made when it is asked for.

        The first chunk is one step; later ones grow. More than 8 variations come in a single
        chunk. Iterating raises `Cancelled` and `OutOfMemory`.

        Raises:
            BadArgument: `continue_from` does not fit the checkpoint's codebooks.
            Unsupported: the piece is longer than the engine can make.
            OutOfMemory: the audio to continue does not fit the device.
        """
        request = self._encoded(request)
        steps = self._checked_steps(request)
        if self._pipeline is None:
            return self._reference_stream(request, steps, progress)
        batches = _batches(self._rows(request), LARGEST_BATCH)
        return Stream(partial(self._chunks, batches, steps, progress))

    @overload
    def generate(
        self,
        request: Request,
        *,
        progress: Progress | None = None,
        on_audio: OnAudio | None = None,
    ) -> list[Waveform]: ...

    @overload
    def generate(
        self,
        request: Sequence[Request],
        *,
        progress: Progress | None = None,
        on_audio: OnAudio | None = None,
    ) -> list[list[Waveform]]: ...

    def generate(
        self,
        request: Request | Sequence[Request],
        *,
        progress: Progress | None = None,
        on_audio: OnAudio | None = None,
    ) -> list[Waveform] | list[list[Waveform]]:
        """The audio of one request, a waveform a variation, or of several, a list a request.

        Requests of equal length, with prompts of equal length, are generated together; each sounds
        as it does when it is made alone (in float32 to the bit). What `on_audio` ends is the
        beginning of what it would have been.

        Raises:
            BadArgument: `continue_from` does not fit the checkpoint's codebooks.
            Unsupported: a piece is longer than the engine can make.
            OutOfMemory: a request does not fit the device.
        """
        if isinstance(request, Request):
            return self.generate([request], progress=progress, on_audio=on_audio)[0]
        requests = [self._encoded(each) for each in request]
        steps = [self._checked_steps(each) for each in requests]
        count, made = 0, []
        streams = list(self._streams(requests, steps))
        waveforms: dict[int, Waveform] = {}
        for index, (numbers, stream) in enumerate(streams):
            report = progress and _part(progress, index, len(streams))
            of_stream = self._joined(stream(report), numbers, on_audio)
            waveforms |= zip(numbers, of_stream, strict=True)
        for each in requests:
            variations = int(each.variations)
            made.append([waveforms[number] for number in range(count, count + variations)])
            count += variations
        return made

    def _streams(
        self, requests: Sequence[Request], steps: Sequence[int]
    ) -> Iterator[tuple[Sequence[int], Callable[[Progress | None], Stream]]]:
        """What is made one after the other: the numbers of its variations, and what begins it."""
        number = 0
        groups: dict[tuple[int, ...], list[tuple[int, Row]]] = {}
        for request, length in zip(requests, steps, strict=True):
            if self._pipeline is None:
                variations = range(number, number + int(request.variations))
                yield variations, partial(self._reference_stream, request, length)
                number = variations.stop
                continue
            for row in self._rows(request):
                prefix = self._pipeline.conditioner.length(request.prompt)
                key = (length, prefix, row.before, row.overlap, row.guided)
                groups.setdefault(key, []).append((number, row))
                number += 1
        for (length, *_), members in groups.items():
            for batch in _batches(members, LARGEST_BATCH):
                numbers, rows = zip(*batch, strict=True)
                yield numbers, partial(self._batch_stream, rows, length)

    def _reference_stream(self, request: Request, steps: int, progress: Progress | None) -> Stream:
        return Stream(partial(self._reference_chunks, request, steps, progress))

    def _batch_stream(self, rows: Sequence[Row], steps: int, progress: Progress | None) -> Stream:
        return Stream(partial(self._batch_chunks, rows, steps, progress))

    def reconstruct(self, waveform: Waveform) -> Waveform:
        """The waveform through the codec alone, so without the decoder's mistakes.

        Args:
            waveform: any rate and channels; mixed to mono for a mono checkpoint, and mono doubled
                for a stereo one.

        Returns:
            float32 at `sample_rate` with `audio_channels` channels, as many frames as the input
            has when resampled to that rate.

        Raises:
            BadArgument: no frames.
            OutOfMemory: the waveform does not fit the device.
        """
        if waveform.frames == 0:
            raise BadArgument("a sound to reconstruct has at least one frame, got none")
        from bridge.engine.codec import reconstruct
        from bridge.engine.device import oom_as_error

        remedy = f"{waveform.seconds:.3g} seconds through the codec on {self.device}; give less"
        with self._busy, oom_as_error(remedy):
            return reconstruct(self._checkpoint, waveform)

    def _joined(
        self, stream: Stream, numbers: Sequence[int], on_audio: OnAudio | None
    ) -> list[Waveform]:
        audio = []
        with stream:
            for chunk in stream:
                audio.append(chunk.audio)
                if on_audio is not None and on_audio(numbers, chunk.audio):
                    break
        return joined(audio, self.sample_rate)

    def _encoded(self, request: Request) -> Request:
        """The request with codes in place of audio to continue from."""
        audio = request.continue_from
        if not isinstance(audio, Waveform):
            return request
        from bridge.engine.codec import encode
        from bridge.engine.device import oom_as_error

        # Before it is resampled and encoded, which takes memory and time by its length.
        steps = request.steps(self.frame_rate, self.longest_delay)
        self._check_length(int(audio.seconds * self.frame_rate), steps)
        remedy = f"{audio.seconds:.3g} seconds to continue on {self.device}; give less"
        with self._busy, oom_as_error(remedy):
            return replace(request, continue_from=encode(self._checkpoint, audio))

    def _rows(self, request: Request) -> list[Row]:
        """The variations of a request."""
        from bridge.engine.piece import Row

        sampling = self._checkpoint.sampling.of(request)
        return [
            Row(request, int(request.seed) + index, sampling)
            for index in range(int(request.variations))
        ]

    def _checked_steps(self, request: Request) -> int:
        """How many steps the request asks for."""
        delay = self.longest_delay
        if request.max_new_tokens is not None and request.max_new_tokens < 2 * delay:
            raise BadArgument(
                f"max new tokens {request.max_new_tokens}: model {self.model_name!r} makes music "
                f"of {2 * delay} or more; ask for more"
            )
        steps = request.steps(self.frame_rate, delay)
        codes = request.continue_from
        if codes is None:
            self._check_length(0, steps)
            return steps
        assert not isinstance(codes, Waveform)
        if request.overlap_steps > codes.shape[1]:
            raise BadArgument(
                f"overlap steps {request.overlap_steps}: {codes.shape[1]} are continued; ask for "
                "no more than these"
            )
        largest = self._checkpoint.codebook_size - 1
        if codes.shape[0] != self.num_codebooks or int(codes.max()) > largest:
            raise BadArgument(
                f"codes to continue from are [{self.num_codebooks}, steps] of 0 to {largest} for "
                f"model {self.model_name!r}, got {list(codes.shape)} up to {int(codes.max())}"
            )
        self._check_length(codes.shape[1], steps)
        return steps

    def _less_than(self, steps: int) -> str:
        """What did not fit the memory, and the remedy."""
        seconds = f"{steps / self.frame_rate:g} seconds"
        return f"{seconds} on {self.device}; ask for less, or for another device"

    def _check_length(self, before: int, steps: int) -> None:
        """Raise `Unsupported` where the continued and the new steps together are too many."""
        window = self._pipeline is None
        longest = WINDOW_SECONDS if window else LONGEST_SECONDS
        if before + steps > longest * self.frame_rate:
            continued = f"{before / self.frame_rate:g} seconds to continue from and " * bool(before)
            more = " more" * bool(before)
            most = "one window is" if window else "a piece has at most"
            raise Unsupported(
                f"{continued}{steps / self.frame_rate:g} seconds{more}: {most} {longest:g} "
                "seconds; ask for less"
            )

    @contextmanager
    def _turn(self, cancelled: threading.Event) -> Iterator[None]:
        """Wait until no other request uses the model. Raise `Cancelled` once that is set."""
        while not self._busy.acquire(timeout=TURN_SECONDS):
            if cancelled.is_set():
                raise Cancelled("cancelled before it began")
        try:
            if cancelled.is_set():
                raise Cancelled("cancelled before it was done")
            yield
        finally:
            self._busy.release()

    def _chunks(
        self,
        batches: Sequence[Sequence[Row]],
        steps: int,
        progress: Progress | None,
        cancelled: threading.Event,
    ) -> Generator[Chunk, None, None]:
        """One batch chunk by chunk; several batches in a single chunk."""
        if len(batches) == 1:
            yield from self._batch_chunks(batches[0], steps, progress, cancelled)
            return
        joined_batches = [
            Chunk.joined(
                list(
                    self._batch_chunks(
                        rows, steps, progress and _part(progress, index, len(batches)), cancelled
                    )
                )
            )
            for index, rows in enumerate(batches)
        ]
        yield Chunk(
            np.concatenate([chunk.codes for chunk in joined_batches]),
            np.concatenate([chunk.audio for chunk in joined_batches]),
        )

    def _batch_chunks(
        self,
        rows: Sequence[Row],
        steps: int,
        progress: Progress | None,
        cancelled: threading.Event,
    ) -> Generator[Chunk, None, None]:
        from bridge.engine.device import oom_as_error
        from bridge.engine.piece import Piece

        after_step, check = _after_step(progress, cancelled), _after_step(None, cancelled)
        remedy = self._less_than(steps)
        piece: Piece | None = None
        try:
            while piece is None or not piece.done:
                with self._turn(cancelled), oom_as_error(remedy):
                    piece = piece or Piece(self.pipeline, rows, steps)
                    chunk = piece.next_chunk(after_step, partial(check, 0.0))
                yield chunk
        except OutOfMemory:
            # The memory kept for the next request may be what a smaller request lacks.
            piece = None
            self.pipeline.forget_batches()
            raise
        finally:
            if piece is not None:
                piece.close()

    def _reference_chunks(
        self,
        request: Request,
        steps: int,
        progress: Progress | None,
        cancelled: threading.Event,
    ) -> Generator[Chunk, None, None]:
        from bridge.engine.device import oom_as_error
        from bridge.engine.reference import generate_row

        rows = []
        remedy = self._less_than(steps)
        with self._turn(cancelled), oom_as_error(remedy):
            for index, row in enumerate(self._rows(request)):
                report = progress and _part(progress, index, int(request.variations))
                after_step = _after_step(report, cancelled)
                rows.append(generate_row(self._checkpoint, row, steps, after_step))
        yield Chunk(np.stack([codes for codes, _ in rows]), np.stack([audio for _, audio in rows]))


def joined(audio: Sequence[NDArray[np.float32]], sample_rate: int) -> list[Waveform]:
    """The audio of consecutive chunks, `[variations, channels, frames]`: a waveform a variation.

    Raises:
        EngineFailed: the model made a NaN or an infinity.
    """
    return waveforms(np.concatenate(audio, axis=2), sample_rate)


def _batches(rows: Sequence[Item], largest: int) -> list[Sequence[Item]]:
    return [rows[first : first + largest] for first in range(0, len(rows), largest)]


def _part(progress: Progress, index: int, count: int) -> Progress:
    """The progress of one part, as a share of `count` equal parts."""
    return lambda done: progress((index + done) / count)


def _after_step(progress: Progress | None, cancelled: threading.Event) -> Progress:
    """The function to call after every step: it raises `Cancelled`, or reports the share done."""

    def after_step(done: float) -> None:
        if cancelled.is_set():
            raise Cancelled("cancelled before it was done")
        if progress is not None:
            progress(done)

    return after_step
