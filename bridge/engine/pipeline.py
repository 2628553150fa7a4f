"""The parts of one checkpoint that turn requests into chunks: prefix, decoder, codec, batches.

Unlike transformers' `generate` (`reference.py`) the pipeline streams, and takes a fraction of the
time; the codes are the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bridge.chroma import WINDOW_SECONDS
from bridge.engine.batch import Batch, whole_blocks
from bridge.engine.codec import CodecDecoder
from bridge.engine.decoder import Decoder
from bridge.engine.graph import GraphCapture, capture_for
from bridge.engine.prefix import Conditioner
from bridge.engine.threads import idle_threads_sleep
from bridge.engine.weights import Checkpoint

IDLE_BATCHES = 2
"""Batches that are kept for later requests."""
SMALL_BYTES = 64 * 2**20
"""Where idle threads sleep, a model whose step reads fewer bytes of weights runs in one thread.
Pocket reads 24 MB: two such threads make 233 steps a second, one makes 365 (README)."""


class Pipeline:
    """The parts of one checkpoint. The caller must make only one call at a time."""

    def __init__(self, checkpoint: Checkpoint, capture: GraphCapture | None = None) -> None:
        """Fuse and fold the weights.

        Args:
            capture: replaces the device's own way to capture steps.
        """
        self.checkpoint = checkpoint
        self.decoder = Decoder(checkpoint.model.decoder)
        self.conditioner = Conditioner(checkpoint, self.decoder)
        self.codec = CodecDecoder(checkpoint.model.audio_encoder, checkpoint.audio_channels)
        self._capture = capture or capture_for(self.decoder.device)
        self._idle: OrderedDict[tuple[int, int], Batch] = OrderedDict()

    @property
    def window_steps(self) -> int:
        """The most steps that the model sees at once: a window's."""
        return int(WINDOW_SECONDS * self.checkpoint.frame_rate)

    def forget_batches(self) -> None:
        """Free the memory of the batches that are kept for later requests."""
        self._idle.clear()

    @torch.inference_mode()
    def warm_up(self) -> None:
        """Make the batch of one request with guidance for a full window, and capture its steps."""
        batch = self.lease(1, 2, self.conditioner.length("warm"))
        batch.prepare()
        self.give_back(batch)

    def lease(self, size: int, rows: int, prefix: int) -> Batch:
        """A batch with room for a window after that prefix; return it with `give_back`."""
        columns = 1 + self.window_steps + int(self.checkpoint.delays.max())
        capacity = whole_blocks(prefix + columns)
        batch = self._idle.pop((size, rows), None)
        if batch is not None and batch.capacity >= capacity:
            return batch
        del batch
        return Batch(
            self.decoder,
            size=size,
            rows=rows,
            capacity=capacity,
            columns=columns,
            capture=self._capture,
        )

    def give_back(self, batch: Batch) -> None:
        """Keep a batch for the next request of its size."""
        self._idle[batch.size, batch.rows] = batch
        while len(self._idle) > IDLE_BATCHES:
            self._idle.popitem(last=False)

    @contextmanager
    def threads(self) -> Iterator[None]:
        """Use the number of threads that is fastest for the model, inside.

        Idle threads that sleep (`let_idle_threads_sleep`) take longer to wake than the matrix
        products of a small model take.
        """
        threads = torch.get_num_threads()
        small = self.decoder.device.type == "cpu" and self.decoder.weight_bytes < SMALL_BYTES
        try:
            if small and idle_threads_sleep():
                torch.set_num_threads(1)
            yield
        finally:
            if threads != torch.get_num_threads():
                torch.set_num_threads(threads)
