"""The decoder's step as an ONNX model.

It does not know ONNX Runtime, only its operator `GroupQueryAttention`, which reads and writes a
static cache in place.
"""

from __future__ import annotations

from collections.abc import Sequence
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
HEAD_MULTIPLE = 8
"""`GroupQueryAttention` takes heads whose size is a multiple of this."""


@dataclass(frozen=True, eq=False)
class StepModel:
    """A step as an ONNX model.

    Attributes:
        serialized: the graph, without the matrices: a message of protobuf has 2 GB at most.
        matrices: by name, for `SessionOptions.add_external_initializers`.
    """

    serialized: bytes
    matrices: dict[str, NDArray[Any]]

    @property
    def weight_bytes(self) -> int:
        """Bytes of the matrices, which a step reads."""
        return sum(matrix.nbytes for matrix in self.matrices.values())


def step_model(causal_lm: Any, *, int8: bool) -> StepModel:
    """The layers and heads of a step.

    Inputs: `states` `[rows, H]`, `slot` int64 `[1]`, and of each layer `keys_…` and `values_…`
    `[rows, heads, capacity, D]`, whose outputs `…_after` are bound to the same memory. Output:
    `logits` `[rows, K * V]`.

    Args:
        int8: round the matrices to 8 bits.
    """
    graph = _Graph(int8=int8)
    config, decoder = causal_lm.config, causal_lm.model.decoder
    hidden, heads = int(config.hidden_size), int(config.num_attention_heads)
    # The operator asks for the last position of each row, and for the number of positions.
    slot = graph.add("Cast", "slot", to=graph.INT32)
    last = graph.add("Expand", slot, graph.add("Shape", "states", start=0, end=1))
    total = graph.add(
        "Squeeze", graph.add("Cast", graph.add("Add", "slot", graph.ints(1)), to=graph.INT32)
    )
    states = "states"
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
    return graph.model(
        inputs={"states": (graph.FLOAT, ["rows", hidden]), "slot": (graph.INT64, [1])},
        layers=len(decoder.layers),
        cache=["rows", heads, "capacity", hidden // heads],
        logits=["rows", int(config.num_codebooks) * int(config.vocab_size)],
    )


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
        self._names = 0

    def add(
        self, operator: str, *inputs: str, output: str | None = None, domain: str = "", **more: Any
    ) -> str:
        """Add a node; return the name of its only output."""
        output = output or self._name()
        self._node(operator, inputs, [output], domain, more)
        return output

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
            onto_it = [onto] if onto else []
            return self.add("Gemm", states, self.matrix(weight), *onto_it, output=output, transB=1)
        numbers, scales = quantized(weight)
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
        kept = [f"keys_{layer}", f"values_{layer}"]
        output = self._name()
        self._node(
            "GroupQueryAttention",
            [fused, "", "", *kept, last, total],
            [output, *(f"{name}_after" for name in kept)],
            MICROSOFT,
            {"num_heads": heads, "kv_num_heads": heads},
        )
        return output

    def model(
        self,
        *,
        inputs: dict[str, tuple[int, list[int | str]]],
        layers: int,
        cache: list[int | str],
        logits: list[int | str],
    ) -> StepModel:
        """The graph as a model."""
        helper = self._onnx.helper
        kept = [f"{name}_{layer}" for layer in range(layers) for name in ("keys", "values")]
        given = {**inputs, **dict.fromkeys(kept, (self.FLOAT, cache))}
        made = {"logits": logits, **{f"{name}_after": cache for name in kept}}
        graph = helper.make_graph(
            self._nodes,
            "step",
            [helper.make_tensor_value_info(name, *each) for name, each in given.items()],
            [helper.make_tensor_value_info(n, self.FLOAT, shape) for n, shape in made.items()],
            self._constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)],
            ir_version=IR_VERSION,
        )
        return StepModel(model.SerializeToString(), self._matrices)

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
