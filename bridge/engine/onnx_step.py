"""The decoder's step on a CPU as one graph of ONNX Runtime: the same tokens, in less time.

The graph has the products with their weights packed for the processor, and attention reads and
writes the batch's own cache in place (`GroupQueryAttention`). Prefix, sampling and codec stay with
torch. It needs the extra `fast`; without it the step is torch's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from bridge.engine.decoder import Decoder, Steps
from bridge.engine.onnx_graph import ACTIVATIONS, HEAD_MULTIPLE, serialized_step
from bridge.process.onnx_runtime import keep_reports_home

Tensor = torch.Tensor

PACKAGES = ("onnx", "onnxruntime")
MOST_WEIGHT_BYTES = 256 * 2**20
"""Each session holds a copy of the weights. A larger model's step is bound by reading them, in
either way."""
CHECKED_POSITIONS = 3
TRIAL_STEPS = 16
"""Several threads are given up within the time that one takes for so many steps."""
LONGEST_HOLD_STEPS = 1024
"""One thread is kept for 32 steps, and twice as long each time that several are still slower."""
LARGEST_DIFFERENCE = 1e-3
"""Logits of the graph and of torch differ by 1e-5, and by more where one is wrong."""
FATAL_ONLY = 4
"""ONNX Runtime's log level: errors come as exceptions, and warnings would reach the screen."""


class GraphUnusable(Exception):
    """The step cannot be built as a graph; the message says why."""


def installed() -> bool:
    """Whether the extra `fast` is installed."""
    return all(find_spec(package) is not None for package in PACKAGES)


class OnnxDecoder(Decoder):
    """A decoder whose steps run in ONNX Runtime; all else is `Decoder`'s.

    A product has the rows of all sequences. No number depends on the other rows, nor on the
    threads; the constructor checks it.
    """

    def __init__(self, causal_lm: Any) -> None:
        """Build the graph, and compare it with torch's step.

        Raises:
            GraphUnusable: this model or this ONNX Runtime cannot; `Decoder` can.
        """
        threads = torch.get_num_threads()
        _refuse_unsuitable(causal_lm)
        super().__init__(causal_lm, blocks=1)
        model = serialized_step(causal_lm)
        # With one thread first: it is the one that no other program slows down much.
        self._sessions = [_session(model, number) for number in sorted({1, threads})]
        self._check()

    def steps(self, cache: Tensor, positions: Tensor, size: int) -> OnnxSteps:
        """The steps of a batch of `size` sequences over that cache."""
        return OnnxSteps(self, self._sessions, cache, positions, size)

    def _check(self) -> None:
        """Compare a few steps with torch's, and with those of one sequence alone."""
        rows, size = 2, 2
        positions = self.positions(CHECKED_POSITIONS)

        def logits(session: Any | None, first: int, size: int) -> Tensor:
            cache = self.cache(size, rows, CHECKED_POSITIONS).zero_()
            steps: Steps = super(OnnxDecoder, self).steps(cache, positions, size)
            if session is not None:
                steps = OnnxSteps(self, [session], cache, positions, size)
            made = []
            for position in range(CHECKED_POSITIONS):
                numbers = torch.arange(first, first + size)[:, None] + 3 * position
                tokens = (numbers + torch.arange(self.num_codebooks)) % self.codebook_size
                made.append(steps(tokens, torch.tensor([position]), position + 1, None).clone())
            return torch.cat(made, dim=3)  # [B, rows, K, positions * V]

        together = logits(self._sessions[0], 0, size)
        plain = logits(None, 0, size)
        apart = float((together - plain).abs().max())
        # Not the other way round: a NaN is a difference as well.
        if not apart <= LARGEST_DIFFERENCE * max(1.0, float(plain.abs().max())):
            raise GraphUnusable(f"its numbers are {apart:.2g} from torch's")
        for session in self._sessions:
            for index in range(size):
                if not torch.equal(logits(session, index, 1)[0], together[index]):
                    raise GraphUnusable("on this processor other variations change its rounding")


class OnnxSteps:
    """The graph, bound to the tensors of one batch."""

    def __init__(
        self,
        decoder: Decoder,
        sessions: Sequence[Any],
        cache: Tensor,
        positions: Tensor,
        size: int,
    ) -> None:
        units, rows = cache.shape[2], cache.shape[4]
        each = units * rows // size
        self._embed, self._positions = decoder.embed, positions
        self._states = torch.zeros((size, each, decoder.hidden_size))
        self._slot = torch.zeros(1, dtype=torch.int64)
        self._logits = torch.zeros((size, each, decoder.num_codebooks, decoder.codebook_size))
        inputs = {"states": self._states.flatten(0, 1), "slot": self._slot}
        outputs = {"logits": self._logits.view(size * each, -1)}
        for layer, kept in enumerate(cache):
            for name, part in zip(("keys", "values"), kept, strict=True):
                part = part.view(units * rows, decoder.heads, *part.shape[-2:])
                inputs[f"{name}_{layer}"] = outputs[f"{name}_{layer}_after"] = part
        # The bindings have only the addresses of the tensors.
        self._held = (inputs, outputs)
        self._runs = [_bound(session, inputs, outputs) for session in sessions]
        self._pace = Pace(len(sessions))

    def __call__(self, tokens: Tensor, slot: Tensor, span: int, mask: Tensor | None) -> Tensor:
        """As `Decoder.step`; the logits are valid until the next step."""
        del span, mask  # The graph reads the cache up to the slot.
        states = self._embed(tokens) + self._positions.index_select(0, slot)  # [B, H]
        self._states.copy_(states[:, None])
        self._slot.copy_(slot)
        start = time.perf_counter()
        self._runs[self._pace.way]()
        self._pace.took(time.perf_counter() - start)
        return self._logits


class Pace:
    """Chooses between one thread (way 0) and several (way 1), by the time that they take.

    Several threads take two thirds of the time while they have a core each. When another program
    takes one of the cores, each product waits for it, and they take up to ten times as long.

    Attributes:
        way: of the next step.
    """

    def __init__(self, ways: int) -> None:
        self.way = 0
        self._only = ways == 1
        self._alone = 0.0
        self._steps = 0
        self._seconds = 0.0
        self._hold = TRIAL_STEPS

    def took(self, seconds: float) -> None:
        """Count a step of `way`, and choose the next one's."""
        if self._only:
            return
        self._steps += 1
        self._seconds += seconds
        if self.way == 0:
            if self._steps >= self._hold:
                self._alone = self._seconds / self._steps
                self._turn_to(1)
        elif self._seconds > self._alone * TRIAL_STEPS:
            # Slower than one thread, and the sooner noticed the slower.
            self._hold = min(2 * self._hold, LONGEST_HOLD_STEPS)
            self._turn_to(0)
        elif self._steps == TRIAL_STEPS:
            self._hold = TRIAL_STEPS
            self._turn_to(1)

    def _turn_to(self, way: int) -> None:
        self.way, self._steps, self._seconds = way, 0, 0.0


def _bound(
    session: Any, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]
) -> Callable[[], None]:
    """A run of the session on those tensors, which must not move."""
    binding = session.io_binding()
    for bind, tensors in ((binding.bind_input, inputs), (binding.bind_output, outputs)):
        for name, tensor in tensors.items():
            assert tensor.is_contiguous(), name
            element = np.int64 if tensor.dtype is torch.int64 else np.float32
            bind(name, "cpu", 0, element, tuple(tensor.shape), tensor.data_ptr())
    return partial(session.run_with_iobinding, binding)


def _refuse_unsuitable(causal_lm: Any) -> None:
    """Raise `GraphUnusable` where the graph would not compute what the model does."""
    config = causal_lm.config
    parameters = list(causal_lm.parameters())
    if any(each.dtype is not torch.float32 or each.device.type != "cpu" for each in parameters):
        raise GraphUnusable("it is for float32 on the CPU")
    if config.activation_function not in ACTIVATIONS:
        raise GraphUnusable(f"it has no {config.activation_function}")
    head = config.hidden_size // config.num_attention_heads
    if head % HEAD_MULTIPLE:
        raise GraphUnusable(f"its attention heads of {head} are no multiple of {HEAD_MULTIPLE}")
    size = sum(each.nbytes for each in parameters)
    if size > MOST_WEIGHT_BYTES:
        raise GraphUnusable(
            f"its {size / 1e6:.0f} MB of weights are more than {MOST_WEIGHT_BYTES / 1e6:.0f}"
        )


def _session(model: bytes, threads: int) -> Any:
    """A session on the CPU; its threads sleep between two steps."""
    keep_reports_home()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = FATAL_ONLY
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    # Onnxruntime's errors share no base class that it exports.
    except Exception as error:
        brief = next(iter(str(error).splitlines()), type(error).__name__)
        raise GraphUnusable(brief) from error
