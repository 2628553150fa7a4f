"""The parts of one checkpoint that turn requests into chunks: prefix, decoder, codec, batches.

Unlike transformers' `generate` (`reference.py`) the pipeline streams, and takes a fraction of the
time; the codes are the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.chroma import WINDOW_SECONDS
from bridge.engine.batch import Batch, whole_blocks
from bridge.engine.codec import CodecDecoder
from bridge.engine.decoder import Decoder
from bridge.engine.graph import GraphCapture, capture_for
from bridge.engine.onnx_step import GraphUnusable, OnnxDecoder
from bridge.engine.precision import installed
from bridge.engine.prefix import Conditioner
from bridge.engine.threads import idle_threads_sleep
from bridge.engine.weights import Checkpoint
from bridge.errors import Unsupported

Audio = NDArray[np.float32]
IDLE_BATCHES = 2
"""Batches that are kept for later requests."""
SMALL_BYTES = 64 * 2**20
"""Where idle threads sleep, a model whose step reads fewer bytes of weights runs in one thread.
Pocket reads 24 MB: two such threads make 233 steps a second, one makes 365 (README)."""


class Pipeline:
    """The parts of one checkpoint. The caller must make only one call at a time.

    Attributes:
        remarks: what a person should know of the way in which it generates, a sentence each.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        capture: GraphCapture | None = None,
        *,
        step: Literal["auto", "torch", "int8"] = "auto",
    ) -> None:
        """Fuse and fold the weights.

        Args:
            capture: replaces the device's own way to capture steps.
            step: `torch` never runs the steps in ONNX Runtime, `int8` always, with weights of 8
                bits.

        Raises:
            Unsupported: the checkpoint cannot run with weights of 8 bits, or not here.
        """
        self.checkpoint = checkpoint
        self.remarks: tuple[str, ...] = ()
        self.decoder = self._decoder("torch" if capture is not None else step)
        self.conditioner = Conditioner(checkpoint, self.decoder)
        self.codec = CodecDecoder(checkpoint.model.audio_encoder, checkpoint.audio_channels)
        self._capture = capture or capture_for(self.decoder.device)
        self._idle: OrderedDict[tuple[int, int], Batch] = OrderedDict()
        # On a GPU both share its streams, and no thread may use it while a step is captured.
        self._codec_thread = ThreadPoolExecutor(1, "codec") if self._is_in_one_thread() else None

    def _decoder(self, step: str) -> Decoder:
        """The decoder, whose steps run in ONNX Runtime where they can."""
        model = self.checkpoint.model
        if step == "int8":
            try:
                return OnnxDecoder(model.decoder, int8=True)
            except GraphUnusable as unusable:
                raise Unsupported(
                    f"precision int8 cannot run this model: {unusable}; leave it out"
                ) from unusable
        # Only for the common case is it worth a remark.
        on_cpu = model.device.type == "cpu" and model.decoder.dtype == torch.float32
        if step == "auto" and on_cpu and installed():
            try:
                return OnnxDecoder(model.decoder)
            except GraphUnusable as unusable:
                self.remarks = (f"the steps run in torch, not in ONNX Runtime: {unusable}",)
        return Decoder(model.decoder)

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

    def beside(self, decode: Callable[[], Audio]) -> Future[Audio]:
        """Have the codec work while the caller makes steps, where cores are free for that."""
        if self._codec_thread is not None:
            return self._codec_thread.submit(decode)
        done: Future[Audio] = Future()
        done.set_result(decode())
        return done

    def _is_in_one_thread(self) -> bool:
        """Whether torch works in one thread, and so leaves the other cores free."""
        small = self.decoder.device.type == "cpu" and self.decoder.weight_bytes < SMALL_BYTES
        return small and (idle_threads_sleep() or isinstance(self.decoder, OnnxDecoder))

    @contextmanager
    def threads(self) -> Iterator[None]:
        """Use the number of threads that is fastest for the model, inside.

        Idle threads that sleep (`let_idle_threads_sleep`) take longer to wake than the matrix
        products of a small model take. Where ONNX Runtime has threads of its own, torch's idle ones
        would take cores from them.
        """
        threads = torch.get_num_threads()
        try:
            if self._is_in_one_thread():
                torch.set_num_threads(1)
            yield
        finally:
            if threads != torch.get_num_threads():
                torch.set_num_threads(threads)
