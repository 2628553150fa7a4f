"""The decoder's step as an ONNX model.

It does not know ONNX Runtime, only its operator `GroupQueryAttention`, which reads and writes a
static cache in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.engine.int8 import BITS, BLOCK, INT8_SUMS, quantized

Tensor = torch.Tensor

OPSET = 20
IR_VERSION = 10
"""The newest form that onnxruntime 1.23, the oldest allowed, reads."""
MICROSOFT = "com.microsoft"
ACTIVATIONS = {"gelu": "Gelu", "relu": "Relu"}
"""transformers' name of an activation, and the operator of the same function."""
CACHED = ("keys", "values")
Form = tuple[int, list[int | str]]
"""ONNX's number of a type, and a shape."""
HEAD_MULTIPLE = 8
"""`GroupQueryAttention` takes heads whose size is a multiple of this."""


@dataclass(frozen=True, eq=False)
class StepModel:
    """A step as an ONNX model.

    Attributes:
        serialized: the graph, without the matrices: a message of protobuf has 2 GB at most.
        matrices: by name, for `SessionOptions.add_external_initializers`.
        weight_bytes: of the products' weights, which a step reads.
    """

    serialized: bytes
    matrices: dict[str, NDArray[Any]]
    weight_bytes: int


def step_model(causal_lm: Any, embeddings: Tensor, *, int8: bool) -> StepModel:
    """The embedding, layers, heads and draw of a step.

    Inputs: `tokens` int64 `[rows, K]`, `slot` int64 `[1]`, `positions` `[capacity, H]`, and of each
    layer `keys_…` and `values_…` `[rows, heads, capacity, D]`, whose outputs `…_after` are bound to
    the same memory. For the draw: `form` int64 `[4]`, B, the rows of a sequence, K and V; `noise`
    `[steps, B, K, V]`, of which the int64 scalar `noise_row` is taken; and the fields of
    `WithOneTopK`. Outputs: `logits` `[rows, K * V]`, and `drawn` int64 `[B, K]`.

    Args:
        embeddings: of all codebooks, `[K * (V + 1), H]`.
        int8: round the products' weights to 8 bits.
    """
    graph = _Graph(int8=int8)
    config, decoder = causal_lm.config, causal_lm.model.decoder
    hidden, heads = int(config.hidden_size), int(config.num_attention_heads)
    # The operator asks for the last position of each row, and for the number of positions.
    slot = graph.add("Cast", "slot", to=graph.INT32)
    last = graph.add("Expand", slot, graph.add("Shape", "tokens", start=0, end=1))
    total = graph.add(
        "Squeeze", graph.add("Cast", graph.add("Add", "slot", graph.ints(1)), to=graph.INT32)
    )
    first_rows = np.arange(config.num_codebooks) * (config.vocab_size + 1)
    rows = graph.add("Add", "tokens", graph.constant(first_rows.astype(np.int64)))
    states = graph.add("Gather", graph.matrix(embeddings), rows)  # [rows, K, H]
    states = graph.add("ReduceSum", states, graph.ints(1), keepdims=0)
    states = graph.add("Add", states, graph.add("Gather", "positions", "slot"))
    for number, layer in enumerate(decoder.layers):
        attention = layer.self_attn
        parts = (attention.q_proj, attention.k_proj, attention.v_proj)
        fused = graph.product(
            graph.norm(states, layer.self_attn_layer_norm), [part.weight for part in parts]
        )
        mixed = graph.attend(
            graph.add("Unsqueeze", fused, graph.ints(1)), number, last, total, heads
        )
        mixed = graph.add("Squeeze", mixed, graph.ints(1))
        states = graph.product(mixed, [attention.out_proj.weight], onto=states)
        inner = graph.product(graph.norm(states, layer.final_layer_norm), [layer.fc1.weight])
        inner = graph.add(ACTIVATIONS[config.activation_function], inner)
        states = graph.product(inner, [layer.fc2.weight], onto=states)
    graph.product(
        graph.norm(states, decoder.layer_norm),
        [head.weight for head in causal_lm.lm_heads],
        output="logits",
    )
    codebooks, size = int(config.num_codebooks), int(config.vocab_size)
    _add_draw(graph)
    kept = [f"{name}_{layer}" for layer in range(len(decoder.layers)) for name in CACHED]
    form: Form = (graph.FLOAT, ["rows", heads, "capacity", hidden // heads])
    cache = dict.fromkeys(kept, form)
    return graph.model(
        inputs={
            "tokens": (graph.INT64, ["rows", codebooks]),
            "slot": (graph.INT64, [1]),
            "positions": (graph.FLOAT, ["capacity", hidden]),
            **cache,
            "form": (graph.INT64, [4]),
            "weights": (graph.FLOAT, ["B", "rows of one", 1, 1]),
            "top_k": (graph.INT64, [1]),
            "noise": (graph.FLOAT, ["steps", "B", codebooks, size]),
            "noise_row": (graph.INT64, []),
            "top_p": (graph.FLOAT, ["B", 1, 1]),
            "sampled": (graph.FLOAT, ["B", 1, 1]),
        },
        outputs={
            "logits": (graph.FLOAT, ["rows", codebooks * size]),
            "drawn": (graph.INT64, ["B", codebooks]),
            **{f"{name}_after": form for name in kept},
        },
    )


def _add_draw(graph: _Graph) -> None:
    """From logits to drawn tokens, as `Sampler.draw` where all sequences have one top-k."""
    scores = graph.add("Mul", graph.add("Reshape", "logits", "form"), "weights")
    scores = graph.add("ReduceSum", scores, graph.ints(1), keepdims=0)  # [B, K, V]
    ordered = graph.add("TopK", scores, "top_k", outputs=2)
    chances = graph.add("Softmax", ordered, axis=-1)
    likelier = graph.add("CumSum", chances, graph.constant(np.array(-1)), exclusive=1)
    infinity = graph.constant(np.array(np.inf, dtype=np.float32))
    nucleus = graph.add("Where", graph.add("Less", likelier, "top_p"), ordered, infinity)
    least = graph.add("ReduceMin", nucleus, graph.ints(-1))
    noise = graph.add("Mul", graph.add("Gather", "noise", "noise_row"), "sampled")
    noisy = graph.add("Add", scores, noise)
    outside = graph.constant(np.array(-np.inf, dtype=np.float32))
    noisy = graph.add("Where", graph.add("Less", scores, least), outside, noisy)
    graph.add("ArgMax", noisy, axis=-1, keepdims=0, output="drawn")


class _Graph:
    """Nodes and constants, in the order in which they are added."""

    def __init__(self, *, int8: bool) -> None:
        import onnx

        self._onnx = onnx
        self._int8 = int8
        self.FLOAT: int = onnx.TensorProto.FLOAT
        self.INT32: int = onnx.TensorProto.INT32
        self.INT64: int = onnx.TensorProto.INT64
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._matrices: dict[str, NDArray[Any]] = {}
        self._weight_bytes = 0
        self._names = 0

    def add(
        self,
        operator: str,
        *inputs: str,
        output: str | None = None,
        outputs: int = 1,
        domain: str = "",
        **more: Any,
    ) -> str:
        """Add a node; return the name of its first output, by default the only one."""
        names = [output or self._name(), *(self._name() for _ in range(1, outputs))]
        self._node(operator, inputs, names, domain, more)
        return names[0]

    def constant(self, values: NDArray[Any]) -> str:
        """Add a constant."""
        name = self._name()
        self._constants.append(self._onnx.numpy_helper.from_array(values, name))
        return name

    def matrix(self, values: Tensor) -> str:
        """Add a constant whose values stay outside the model."""
        name = self._name()
        self._matrices[name] = array = _array(values)
        tensor = self._onnx.TensorProto(
            name=name,
            data_type=self._onnx.helper.np_dtype_to_tensor_dtype(array.dtype),
            dims=array.shape,
            data_location=self._onnx.TensorProto.EXTERNAL,
        )
        # The operator's form asks for a place; the session gets the values by name.
        tensor.external_data.add(key="location", value="memory")
        self._constants.append(tensor)
        return name

    def ints(self, *values: int) -> str:
        """Add a constant of int64."""
        return self.constant(np.array(values, dtype=np.int64))

    def norm(self, states: str, module: Any) -> str:
        """Layer norm."""
        weight, bias = self.constant(_array(module.weight)), self.constant(_array(module.bias))
        return self.add(
            "LayerNormalization", states, weight, bias, axis=-1, epsilon=float(module.eps)
        )

    def product(
        self,
        states: str,
        weights: Sequence[Tensor],
        *,
        onto: str | None = None,
        output: str | None = None,
    ) -> str:
        """Multiply `[rows, in]` by weights `[out, in]` side by side; add that onto `onto`."""
        weight = weights[0] if len(weights) == 1 else torch.cat([each.detach() for each in weights])
        if not self._int8:
            self._weight_bytes += weight.nbytes
            onto_it = [onto] if onto else []
            return self.add("Gemm", states, self.matrix(weight), *onto_it, output=output, transB=1)
        numbers, scales = quantized(weight)
        self._weight_bytes += numbers.nbytes + scales.nbytes
        made = self.add(
            "MatMulNBits",
            states,
            self.matrix(numbers),
            self.matrix(scales),
            output=None if onto else output,
            domain=MICROSOFT,
            N=weight.shape[0],
            K=weight.shape[1],
            bits=BITS,
            block_size=BLOCK,
            accuracy_level=INT8_SUMS,
        )
        return self.add("Add", made, onto, output=output) if onto else made

    def attend(self, fused: str, layer: int, last: str, total: str, heads: int) -> str:
        """Write key and value into the cache, and attend to all positions up to that."""
        kept = [f"{name}_{layer}" for name in CACHED]
        output = self._name()
        self._node(
            "GroupQueryAttention",
            [fused, "", "", *kept, last, total],
            [output, *(f"{name}_after" for name in kept)],
            MICROSOFT,
            {"num_heads": heads, "kv_num_heads": heads},
        )
        return output

    def model(self, *, inputs: Mapping[str, Form], outputs: Mapping[str, Form]) -> StepModel:
        """The graph as a model; inputs and outputs by name, each with its type and shape."""
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes,
            "step",
            [helper.make_tensor_value_info(name, *form) for name, form in inputs.items()],
            [helper.make_tensor_value_info(name, *form) for name, form in outputs.items()],
            self._constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)],
            ir_version=IR_VERSION,
        )
        return StepModel(model.SerializeToString(), self._matrices, self._weight_bytes)

    def _node(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        domain: str,
        more: dict[str, Any],
    ) -> None:
        self._nodes.append(
            self._onnx.helper.make_node(operator, inputs, outputs, domain=domain, **more)
        )

    def _name(self) -> str:
        self._names += 1
        return str(self._names)


def _array(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().numpy()
    return array
