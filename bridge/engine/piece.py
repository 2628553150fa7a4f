"""The generation of one piece: several rows together, window after window, chunk after chunk."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.engine.batch import DRAWN, Batch, WindowPlan
from bridge.engine.pipeline import Audio, Pipeline
from bridge.engine.request import Request
from bridge.engine.sampler import Sampling
from bridge.engine.stream import Chunk
from bridge.engine.windows import Window, windows

CHUNK_STEPS = (1, 2, 4, 8, 16, 25)
"""Steps that each chunk after the first adds to the piece; the last number repeats."""
PREFILL_STEPS = 128
"""Known steps that are prefilled in one call; between two calls a cancel takes effect."""
AfterStep = Callable[[float], None]
Check = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Row:
    """One variation of one request."""

    request: Request
    seed: int
    sampling: Sampling

    @property
    def continued(self) -> NDArray[np.int64] | None:
        """The codes `[K, S]` that the row continues; the engine has encoded audio by now."""
        codes = self.request.continue_from
        assert not isinstance(codes, Waveform)
        return codes

    @property
    def before(self) -> int:
        """Steps of the codes that the row continues."""
        return 0 if self.continued is None else int(self.continued.shape[1])

    @property
    def overlap(self) -> int:
        """How many of these the result begins with."""
        return int(self.request.overlap_steps)

    @property
    def guided(self) -> bool:
        """Whether the decoder also runs an unconditional row, for guidance."""
        return self.sampling.guidance_scale > 1


class Piece:
    """Rows that are generated together. The caller must make only one call at a time.

    Attributes:
        done: whether the last chunk has been made.
    """

    def __init__(self, pipeline: Pipeline, rows: Sequence[Row], steps: int) -> None:
        """Compute nothing yet.

        Args:
            rows: one or more; prefixes of equal length, equal `before` and `overlap`, and all or
                none guided.
            steps: new steps, 1 or more.
        """
        self._pipeline = pipeline
        self._rows = rows
        self._before = rows[0].before
        self._total = self._before + steps
        self._codes = np.zeros(
            (len(rows), len(pipeline.checkpoint.delays), self._total), dtype=np.int64
        )
        for codes, row in zip(self._codes, rows, strict=True):
            if row.continued is not None:
                codes[:, : self._before] = row.continued
        # Steps whose codes are drawn, and steps whose audio has left in a chunk.
        self._made, self._emitted = self._before, self._before - rows[0].overlap
        longest_delay = int(pipeline.checkpoint.delays.max())
        # As in transformers, which has no delay pattern for fewer steps.
        planned = max(self._total, longest_delay)
        to_make = list(windows(self._before, planned, pipeline.window_steps))
        self._decoder_steps = (
            sum(window.steps - window.known + longest_delay for window in to_make)
            - planned
            + self._total
        )
        self._steps_done = 0
        self._windows = iter(to_make)
        self._window = Window(0, 0, 0)
        self._column = 0
        self._batch: Batch | None = None
        self._codec_output = _CodecOutput(
            pipeline, self._codes[:, :, : self._before], keep=rows[0].overlap
        )
        self._chunks = 0
        # The end of the chunk whose steps are being made, and of those that the codec has.
        self._end, self._decoded = min(self._before + self._growth(), self._total), self._before

    @property
    def done(self) -> bool:
        """Whether the last chunk has been made."""
        return self._emitted == self._total

    @torch.inference_mode()
    def next_chunk(self, after_step: AfterStep, check: Check = lambda: None) -> Chunk:
        """Make the next chunk; while the codec decodes it, steps of the one after it.

        Args:
            after_step: called with the share done after every step; an error that it raises ends
                the piece.
            check: called between the parts of the work before a window's first step; likewise.
        """
        with self._pipeline.threads():
            decoding = self._decode_next(after_step, check)
            # Nothing delays the first audio.
            while self._chunks > 2 and not decoding.done() and self._made < self._end:
                self._make_step(after_step, check)
            audio = decoding.result()
        start = self._emitted
        self._emitted += audio.shape[2] // self._pipeline.checkpoint.hop
        return Chunk(self._codes[:, :, start : self._emitted].copy(), audio)

    def close(self) -> None:
        """Give the batch back, for other pieces to use."""
        batch, self._batch = self._batch, None
        if batch is not None:
            self._pipeline.give_back(batch)

    def _growth(self) -> int:
        """How many steps the next chunk adds to the piece."""
        self._chunks += 1
        if self._chunks == 1:
            # The codec gives no audio before it has this many steps.
            return self._codec_output.steps_to_first
        return CHUNK_STEPS[min(self._chunks - 2, len(CHUNK_STEPS) - 1)]

    def _decode_next(self, after_step: AfterStep, check: Check) -> Future[Audio]:
        """Make what is left of the next chunk's steps, and have the codec decode them."""
        while self._made < self._end:
            self._make_step(after_step, check)
        codes = self._codes[:, :, self._decoded : self._end].copy()
        last = self._end == self._total
        self._decoded = self._end
        self._end = min(self._end + self._growth(), self._total)
        return self._pipeline.beside(partial(self._codec_output.decode, codes, last=last))

    def _make_step(self, after_step: AfterStep, check: Check) -> None:
        """Make a step of the decoder; with the last one before `_end` take in the codes."""
        delays = self._pipeline.checkpoint.delays
        longest_delay = int(delays.max())
        if self._batch is None or self._made == self._window.start + self._window.steps:
            self._begin_window(next(self._windows), check)
        window = self._window
        batch = self._batch
        assert batch is not None
        batch.step()
        self._column += 1
        self._steps_done += 1
        after_step(self._steps_done / self._decoder_steps)
        first, last = self._made - window.start, min(self._end - window.start, window.steps)
        if self._column < last + longest_delay:
            return
        columns = batch.drawn(first + 1, last + 1 + longest_delay)
        for codebook, delay in enumerate(delays):
            self._codes[:, codebook, window.start + first : window.start + last] = columns[
                :, codebook, delay : delay + last - first
            ]
        self._made = window.start + last

    def _begin_window(self, window: Window, check: Check) -> None:
        """Fill the cache with the prefix and with the window's known codes."""
        pipeline, rows = self._pipeline, self._rows
        per_row = 2 if rows[0].guided else 1
        prefix = pipeline.conditioner.length(rows[0].request.prompt)
        if self._batch is None:
            self._batch = pipeline.lease(len(rows), per_row, prefix)
        batch = self._batch
        given = [self._given(window, index) for index in range(len(rows))]
        batch.prepare(prefix + given[0].shape[1])
        caches = [batch.cache_of(index) for index in range(len(rows))]
        for index, row in enumerate(rows):
            check()
            conditional = caches[index][:, :, :, :1]
            if index and row.request is rows[index - 1].request:
                same_prefix = caches[index - 1][:, :, :, :1, :, :prefix]
                conditional[:, :, :, :, :, :prefix] = same_prefix
            else:
                states = pipeline.conditioner.states(row.request, window.first_chroma_step)
                check()
                pipeline.decoder.prefill(states, conditional, batch.positions, 0)
        for cache, tokens in zip(caches, given, strict=True):
            check()
            if per_row == 2:
                cache[:, :, :, 1:, :, :prefix] = pipeline.conditioner.null(prefix)
            if window.known:
                known = torch.from_numpy(tokens[:, : window.known].T.copy())
                states = pipeline.decoder.embed(known.to(pipeline.decoder.device))
                states = states.expand(per_row, -1, -1)
                for first in range(0, window.known, PREFILL_STEPS):
                    check()
                    part = states[:, first : first + PREFILL_STEPS]
                    pipeline.decoder.prefill(part, cache, batch.positions, prefix + first)
        batch.begin(
            [
                WindowPlan(tokens, row.seed, row.sampling)
                for tokens, row in zip(given, rows, strict=True)
            ],
            prefix=prefix,
            column=window.known,
            first_step=window.start + window.known,
        )
        self._window, self._column = window, window.known

    def _given(self, window: Window, index: int) -> NDArray[np.int64]:
        """A row's tokens `[K, columns]` from the start column on, in transformers' delay pattern.

        Column c holds each codebook's code of step c − 1 − delay: the code where it is known,
        `DRAWN` where it is new, and padding before the window's first and after its last step.
        """
        delays = self._pipeline.checkpoint.delays
        step = np.arange(window.steps + int(delays.max()) + 1) - 1 - delays[:, None]  # [K, columns]
        known = self._codes[index, :, window.start : window.start + window.known]
        tokens = np.full(step.shape, self._pipeline.checkpoint.codebook_size, dtype=np.int64)
        tokens[(step >= window.known) & (step < window.steps)] = DRAWN
        tokens[(step >= 0) & (step < window.known)] = known.reshape(-1)
        return tokens


class _CodecOutput:
    """The codec's stream, cut to whole codec steps."""

    def __init__(self, pipeline: Pipeline, before: NDArray[np.int64], *, keep: int) -> None:
        """Begin after codes `[B, K, S]`, whose audio is dropped but for the last `keep` steps."""
        self._device = pipeline.decoder.device
        self._hop = pipeline.checkpoint.hop
        self._stream = pipeline.codec.stream(len(before))
        self._before = before
        self._to_drop = (before.shape[2] - keep) * self._hop
        self.steps_to_first: int = math.ceil((pipeline.codec.lag_frames + self._hop) / self._hop)
        self._rest = np.zeros(
            (len(before), pipeline.checkpoint.audio_channels, 0), dtype=np.float32
        )

    def decode(self, codes: NDArray[np.int64], *, last: bool) -> NDArray[np.float32]:
        """The audio that is final with the next codes, `[B, channels, n * hop]`."""
        if self._before.shape[2]:
            codes = np.concatenate([self._before, codes], axis=2)
            self._before = self._before[:, :, :0]
        decoded = self._stream.decode(torch.from_numpy(codes).to(self._device), last=last)
        dropped = min(self._to_drop, decoded.shape[2])
        self._to_drop -= dropped
        audio = np.concatenate([self._rest, decoded[:, :, dropped:].cpu().numpy()], axis=2)
        end = audio.shape[2] // self._hop * self._hop
        self._rest = audio[:, :, end:]
        return np.ascontiguousarray(audio[:, :, :end])
