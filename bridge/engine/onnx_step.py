"""The decoder's step on a CPU as one graph of ONNX Runtime: the same tokens, in less time.

The graph has the products with their weights packed for the processor, and attention reads and
writes the batch's own cache in place (`GroupQueryAttention`). Prefix and codec stay with torch. It
needs the extra `fast`; without it the step is torch's. With weights of 8 bits it takes less time
still, and the tokens are not the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.engine.decoder import Decoder
from bridge.engine.onnx_graph import ACTIVATIONS, CACHED, HEAD_MULTIPLE, StepModel, step_model
from bridge.engine.sampler import Sampler
from bridge.process.onnx_runtime import keep_reports_home

Tensor = torch.Tensor

MOST_WEIGHT_BYTES = 256 * 2**20
"""Each session holds a copy of the weights. A larger model's step is bound by reading them, in
either way, and in 8 bits it gets one session."""
CHECKED_POSITIONS = 3
TRIAL_STEPS = 16
"""Several threads are given up within the time that one takes for so many steps."""
LONGEST_HOLD_STEPS = 1024
"""One thread is kept for 32 steps, and twice as long each time that several are still slower."""
LARGEST_DIFFERENCE, LARGEST_INT8_DIFFERENCE = 1e-3, 0.25
"""Logits of the graph and of torch differ by 1e-5, and by more where one is wrong. With weights of
8 bits pocket's differ by 3 % of the largest, and rounding adds up over more layers."""
FATAL_ONLY = 4
"""ONNX Runtime's log level: errors come as exceptions, and warnings would reach the screen."""


class GraphUnusable(Exception):
    """The step cannot be built as a graph; the message says why."""


class OnnxDecoder(Decoder):
    """A decoder whose steps run in ONNX Runtime; all else is `Decoder`'s.

    A product has the rows of all sequences. No number depends on the other rows, nor on the
    threads; the constructor checks it.
    """

    def __init__(self, causal_lm: Any, *, int8: bool = False) -> None:
        """Build the graph, and compare it with torch's step.

        Args:
            int8: round the weights to 8 bits.

        Raises:
            GraphUnusable: this model or this ONNX Runtime cannot; `Decoder` can.
        """
        counts = {torch.get_num_threads()}
        _refuse_unsuitable(causal_lm)
        size = sum(each.nbytes for each in causal_lm.parameters())
        if size <= MOST_WEIGHT_BYTES:
            counts.add(1)
        elif not int8:
            raise GraphUnusable(
                f"its {size / 1e6:.0f} MB of weights are more than {MOST_WEIGHT_BYTES / 1e6:.0f}"
            )
        super().__init__(causal_lm, blocks=1)
        # The sessions read what they do not pack from the model's own memory.
        self._model = step_model(causal_lm, self._embeddings, int8=int8)
        # With one thread first: it is the one that no other program slows down much.
        self._sessions = [_session(self._model, number) for number in sorted(counts)]
        self._check(LARGEST_INT8_DIFFERENCE if int8 else LARGEST_DIFFERENCE)

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights that a step reads."""
        return self._model.weight_bytes

    def drawing_steps(
        self, cache: Tensor, positions: Tensor, noise: Tensor, sampler: Sampler
    ) -> OnnxSteps:
        """The steps of a batch over that cache."""
        return OnnxSteps(self, self._sessions, cache, positions, noise, sampler)

    def _check(self, largest: float) -> None:
        """Compare a few steps with torch's, and with those of one sequence alone.

        Args:
            largest: the most by which logits may differ from torch's, as a share of the largest.
        """
        rows, size = 2, 2
        positions = self.positions(CHECKED_POSITIONS)

        def logits(session: Any | None, first: int, size: int) -> Tensor:
            cache = self.cache(size, rows, CHECKED_POSITIONS).zero_()
            steps, made = None, []
            if session is not None:
                noise = torch.zeros((1, size, self.num_codebooks, self.codebook_size))
                sampler = Sampler(size, self.codebook_size, self.device)
                steps = OnnxSteps(self, [session], cache, positions, noise, sampler)
            for position in range(CHECKED_POSITIONS):
                numbers = torch.arange(first, first + size)[:, None] + 3 * position
                tokens = (numbers + torch.arange(self.num_codebooks)) % self.codebook_size
                if steps is None:
                    slot = torch.tensor([position])
                    made.append(self.step(tokens, cache, positions, slot, position + 1, None))
                else:
                    steps(tokens.numpy(), position, 0)
                    made.append(steps.logits.clone())
            return torch.cat(made, dim=3)  # [B, rows, K, positions * V]

        together = logits(self._sessions[0], 0, size)
        plain = logits(None, 0, size)
        apart = float((together - plain).abs().max())
        # Not the other way round: a NaN is a difference as well.
        if not apart <= largest * max(1.0, float(plain.abs().max())):
            raise GraphUnusable(f"its numbers are {apart:.2g} from torch's")
        for session in self._sessions:
            for index in range(size):
                if not torch.equal(logits(session, index, 1)[0], together[index]):
                    raise GraphUnusable("on this processor other variations change its rounding")


class OnnxSteps:
    """The graph, bound to the tensors of one batch.

    Attributes:
        logits: of the last step, float32 `[B, rows, K, V]`.
    """

    def __init__(
        self,
        decoder: Decoder,
        sessions: Sequence[Any],
        cache: Tensor,
        positions: Tensor,
        noise: Tensor,
        sampler: Sampler,
    ) -> None:
        size, codebooks, codebook_size = noise.shape[1:]
        rows = cache.shape[2] * cache.shape[4]
        form = (size, rows // size, codebooks, codebook_size)
        self.logits = torch.zeros(form)
        self._sampler, self._noise = sampler, noise
        self._settings = {
            "weights": torch.ones((*form[:2], 1, 1)),
            "top_k": torch.ones(1, dtype=torch.int64),
            "top_p": torch.ones((size, 1, 1)),
            "sampled": torch.ones((size, 1, 1)),
        }
        self._draws = False
        tokens = torch.zeros((*form[:2], codebooks), dtype=torch.int64)
        slot, row = torch.zeros(1, dtype=torch.int64), torch.zeros((), dtype=torch.int64)
        drawn = torch.zeros((size, codebooks), dtype=torch.int64)
        # Each call of torch's costs more than one of numpy's, the more as the weights of a step
        # have taken its code out of the processor's cache.
        self._tokens, self._slot, self._row = tokens.numpy(), slot.numpy(), row.numpy()
        self._drawn = drawn.numpy()
        inputs = {
            "tokens": tokens.view(rows, -1),
            "slot": slot,
            "positions": positions,
            "form": torch.tensor(form),
            "noise": noise,
            "noise_row": row,
            **self._settings,
        }
        outputs = {"logits": self.logits.view(rows, -1), "drawn": drawn}
        for layer, kept in enumerate(cache):
            for name, part in zip(CACHED, kept, strict=True):
                part = part.view(rows, decoder.heads, *part.shape[-2:])
                inputs[f"{name}_{layer}"] = outputs[f"{name}_{layer}_after"] = part
        # The bindings have only the addresses of the tensors.
        self._held = (inputs, outputs)
        self._runs = [_bound(session, inputs, outputs) for session in sessions]
        self._pace = Pace(len(sessions))

    def begin(self) -> None:
        """See `DrawingSteps`."""
        settings = self._sampler.with_one_top_k(self.logits.shape[1])
        self._draws = settings is not None
        if settings is not None:
            for name, tensor in self._settings.items():
                tensor.copy_(getattr(settings, name))

    def __call__(self, tokens: NDArray[np.int64], slot: int, row: int) -> NDArray[np.int64]:
        """See `DrawingSteps`."""
        self._tokens[:] = tokens[:, None]  # All rows of a sequence get the same.
        self._slot[0], self._row[()] = slot, row
        start = time.perf_counter()
        self._runs[self._pace.way]()
        self._pace.took(time.perf_counter() - start)
        if self._draws:
            return self._drawn
        drawn = self._sampler.draw(self.logits, self._noise[row], any_settings=False)
        host: NDArray[np.int64] = drawn.numpy()
        return host


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
    if any(
        each.dtype is not torch.float32 or each.device.type != "cpu"
        for each in causal_lm.parameters()
    ):
        raise GraphUnusable("it is for float32 on the CPU")
    if config.activation_function not in ACTIVATIONS:
        raise GraphUnusable(f"it has no {config.activation_function}")
    head = config.hidden_size // config.num_attention_heads
    if head % HEAD_MULTIPLE:
        raise GraphUnusable(f"its attention heads of {head} are no multiple of {HEAD_MULTIPLE}")


def _session(model: StepModel, threads: int) -> Any:
    """A session on the CPU; its threads sleep between two steps."""
    keep_reports_home()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = FATAL_ONLY
    options.add_session_config_entry("session.force_spinning_stop", "1")
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(each) for each in model.matrices.values()]
    try:
        options.add_external_initializers(list(model.matrices), values)
        return onnxruntime.InferenceSession(
            model.serialized, options, providers=["CPUExecutionProvider"]
        )
    # Onnxruntime's errors share no base class that it exports.
    except Exception as error:
        brief = next(iter(str(error).splitlines()), type(error).__name__)
        raise GraphUnusable(brief) from error
