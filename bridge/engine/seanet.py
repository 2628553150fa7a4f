"""The layers of EnCodec's decoder (SEANet), as a stream: each continues where its last chunk ended.

A convolution looks ahead, so its last outputs wait for the next inputs; padding is added only at
the start and the end of the piece. The output equals that of transformers' `EncodecDecoder` for the
complete input, to float32 rounding, however the input is cut.

Tensors are `[B, T, C]`, contiguous: in this layout (channels last) the CPU's convolutions are
fastest, upsampling copies nothing, and the end of a chunk is one slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch.nn import functional as F

from bridge.errors import CheckpointUnusable

Tensor = torch.Tensor

PAD_MODES = ("constant", "reflect", "replicate")
_BLOCK = 16
"""Outputs that a convolution to one channel makes at once. One channel leaves most of a vector unit
idle; as 16 channels of a convolution with stride 16 it took a third of the time (measured)."""


@dataclass
class LayerState:
    """What one layer keeps between two chunks.

    Attributes:
        held: inputs `[B, n, C]` that later outputs need.
        started: whether the padding at the start has been added.
        memory: the LSTM's h and c, each `[layers, B, C]`.
    """

    held: Tensor | None = None
    started: bool = False
    memory: tuple[Tensor, Tensor] | None = None


class Layer(Protocol):
    """A layer; it holds only weights, so any number of streams can use it."""

    def step(self, state: LayerState, x: Tensor, *, last: bool) -> Tensor:
        """Process the next inputs.

        Args:
            state: the stream's state of this layer; changed in place.
            x: the next inputs `[B, T, C]`, T >= 0; the layer may overwrite them.
            last: whether these are the last inputs.

        Returns:
            The outputs that are final now, `[B, T', C']`, T' >= 0.
        """

    def lag(self, waiting: int) -> int:
        """How many outputs wait for later inputs, when `waiting` inputs do."""


def decoder_layers(decoder: Any, pad_mode: str) -> list[Layer]:
    """The layers of transformers' `EncodecDecoder`, with their weight norm folded.

    Args:
        pad_mode: one of `PAD_MODES`.

    Raises:
        CheckpointUnusable: a layer is of an unknown kind.
    """
    return [_layer(module, pad_mode) for module in decoder.layers]


def _layer(module: Any, pad_mode: str) -> Layer:
    match type(module).__name__:
        case "EncodecConv1d":
            return _Convolution(module.conv, pad_mode)
        case "EncodecConvTranspose1d":
            return _Upsampling(module.conv)
        case "EncodecResnetBlock":
            return _Residual(module, pad_mode)
        case "EncodecLSTM":
            return _Lstm(module.lstm)
        case "ELU":
            return _Elu(module.alpha)
        case kind:
            raise CheckpointUnusable(f"the codec has a layer {kind}, which is not one of EnCodec's")


class _Convolution:
    """A convolution of stride 1. Half of its padding, rounded down, is on the right."""

    def __init__(self, conv: Any, pad_mode: str) -> None:
        self._kernel = _Kernel(conv)
        span = self._kernel.span
        self._right = span // 2
        self._window = _SlidingWindow(
            span, left=span - self._right, right=self._right, pad_mode=pad_mode
        )

    def step(self, state: LayerState, x: Tensor, *, last: bool) -> Tensor:
        seen = self._window.slide(state, x, last=last)
        return self._kernel(seen)

    def lag(self, waiting: int) -> int:
        return waiting + self._right


class _Upsampling:
    """A transposed convolution whose kernel is twice its stride s.

    Each input reaches only its own s outputs and the next s. So this is a convolution over two
    inputs to s times the channels, with a zero before the first input and after the last.
    """

    def __init__(self, conv: Any) -> None:
        channels_in, channels_out, size = conv.weight.shape
        self._stride = int(conv.stride[0])
        if size != 2 * self._stride:
            raise CheckpointUnusable(
                f"the codec's upsampling has a kernel of {size} for a stride of {self._stride}; "
                "EnCodec's is twice the stride"
            )
        late, early = conv.weight.detach().unflatten(2, (2, self._stride)).unbind(2)
        weight = torch.stack([early, late], dim=-1)  # [C, C', s, 2]
        weight = weight.permute(2, 1, 0, 3).reshape(-1, channels_in, 1, 2)  # [s * C', C, 1, 2]
        self._weight = weight.contiguous(memory_format=torch.channels_last)
        self._bias = conv.bias.detach().repeat(self._stride)
        self._channels = channels_out
        self._trim_right = self._stride // 2
        self._trim_left = self._stride - self._trim_right
        self._window = _SlidingWindow(1, left=1, right=1, pad_mode="constant")

    def step(self, state: LayerState, x: Tensor, *, last: bool) -> Tensor:
        is_first = not state.started
        seen = self._window.slide(state, x, last=last)
        y = _convolved(seen, self._weight, self._bias)  # [B, n, s * C']
        y = y.view(len(y), y.shape[1] * self._stride, self._channels)
        end = y.shape[1] - (self._trim_right if last else 0)
        return y[:, self._trim_left if is_first else 0 : end]

    def lag(self, waiting: int) -> int:
        return waiting * self._stride + self._trim_left


class _Residual:
    """ELU, convolution, ELU, convolution of one input; the block's input is added to the result.

    The input is padded before the first ELU, not after it; ELU keeps zero, so the result is the
    same. So the inputs that wait for the convolution are also the inputs to add.
    """

    def __init__(self, block: Any, pad_mode: str) -> None:
        first_elu, first, second_elu, second = block.block
        self._alphas = (first_elu.alpha, second_elu.alpha)
        self._first, self._second = _Kernel(first.conv), _Kernel(second.conv)
        shortcut = block.shortcut
        self._shortcut = _Kernel(shortcut.conv) if hasattr(shortcut, "conv") else None
        span = self._first.span
        self._right = span // 2
        self._left = span - self._right
        self._window = _SlidingWindow(span, left=self._left, right=self._right, pad_mode=pad_mode)

    def step(self, state: LayerState, x: Tensor, *, last: bool) -> Tensor:
        seen = self._window.slide(state, x, last=last)
        y = self._first(F.elu(seen, self._alphas[0]))
        y = self._second(F.elu(y, self._alphas[1], inplace=True))
        shortcut = seen[:, self._left : self._left + y.shape[1]]
        return y.add_(shortcut if self._shortcut is None else self._shortcut(shortcut))

    def lag(self, waiting: int) -> int:
        return waiting + self._right


class _Lstm:
    """torch's LSTM with its input added to the output. It looks back only, so nothing waits."""

    def __init__(self, lstm: Any) -> None:
        self._lstm = lstm

    def step(self, state: LayerState, x: Tensor, *, last: bool) -> Tensor:
        if not x.shape[1]:
            return x
        y, state.memory = self._lstm(x.transpose(0, 1), state.memory)  # [T, B, C]
        return x.add_(y.transpose(0, 1))

    def lag(self, waiting: int) -> int:
        return waiting


class _Elu:
    def __init__(self, alpha: float) -> None:
        self._alpha = alpha

    def step(self, state: LayerState, x: Tensor, *, last: bool) -> Tensor:
        return F.elu(x, self._alpha, inplace=True)

    def lag(self, waiting: int) -> int:
        return waiting


class _SlidingWindow:
    """The inputs under a kernel: the held ones, the new ones, and the padding at both ends."""

    def __init__(self, span: int, *, left: int, right: int, pad_mode: str) -> None:
        """
        Args:
            span: how many inputs an output needs beyond one.
            left: padding before the first input.
            right: padding after the last input.
        """
        self._span, self._left, self._right = span, left, right
        self._pad_mode = pad_mode

    def slide(self, state: LayerState, x: Tensor, *, last: bool) -> Tensor:
        """The inputs `[B, n + span, C]` of the next n outputs; empty while n is 0."""
        seen = x if state.held is None else torch.cat([state.held, x], dim=1)
        if state.started:
            if last:
                seen = torch.cat([seen, *self._after(seen)], dim=1)
        # Reflection needs `left` inputs beyond the first, unless the piece has fewer.
        elif last or seen.shape[1] > (self._left if self._pad_mode == "reflect" else 0):
            state.started = True
            seen = self._padded_start(seen, last=last)
        outputs = seen.shape[1] - self._span
        if not state.started or outputs <= 0:
            state.held = seen
            return seen[:, :0]
        # A copy, so that the held inputs do not keep all of `seen` in memory.
        state.held = seen[:, outputs:].clone()
        return seen

    def _padded_start(self, x: Tensor, *, last: bool) -> Tensor:
        """The first inputs, padded as by transformers' `_pad1d`.

        Inputs that are too short for a reflection are first extended by zeros, which are cut off
        again.
        """
        frames = x.shape[1]
        fill = self._left + 1 - frames if self._pad_mode == "reflect" else 0
        if fill > 0:
            x = torch.cat([x, self._zeros(x, fill)], dim=1)
        after = self._after(x) if last else []
        padded = torch.cat([*self._before(x), x, *after], dim=1)
        return padded[:, : padded.shape[1] - max(fill, 0)]

    def _before(self, x: Tensor) -> list[Tensor]:
        if not self._left:
            return []
        match self._pad_mode:
            case "reflect":
                return [x[:, 1 : 1 + self._left].flip(1)]
            case "replicate":
                return [x[:, :1].expand(-1, self._left, -1)]
        return [self._zeros(x, self._left)]

    def _after(self, x: Tensor) -> list[Tensor]:
        if not self._right:
            return []
        match self._pad_mode:
            case "reflect":
                return [x[:, -1 - self._right : -1].flip(1)]
            case "replicate":
                return [x[:, -1:].expand(-1, self._right, -1)]
        return [self._zeros(x, self._right)]

    def _zeros(self, x: Tensor, frames: int) -> Tensor:
        return x.new_zeros((x.shape[0], frames, x.shape[2]))


class _Kernel:
    """A convolution's folded weights."""

    def __init__(self, conv: Any) -> None:
        weight, bias = conv.weight.detach(), conv.bias.detach()  # [C', C, k], [C']
        self._channels, _, size = weight.shape
        self._dilation = int(conv.dilation[0])
        self.span: int = (size - 1) * self._dilation
        self._block = _BLOCK if self._channels == 1 and self._dilation == 1 else 1
        shifted = [F.pad(weight, (late, self._block - 1 - late)) for late in range(self._block)]
        self._weight = torch.cat(shifted).unsqueeze(2).contiguous(memory_format=torch.channels_last)
        self._bias = bias.repeat(self._block)

    def __call__(self, x: Tensor) -> Tensor:
        """Convolve `[B, n + span, C]` to `[B, n, C']`; without inputs there are no outputs."""
        outputs = max(x.shape[1] - self.span, 0)
        fill = -outputs % self._block
        if fill:
            x = F.pad(x, (0, 0, 0, fill))
        y = _convolved(x, self._weight, self._bias, self._block, self._dilation)
        return y.view(len(y), y.shape[1] * self._block, self._channels)[:, :outputs]


def _convolved(
    x: Tensor, weight: Tensor, bias: Tensor, stride: int = 1, dilation: int = 1
) -> Tensor:
    """Convolve `[B, T, C]` with weights `[C', C, 1, k]` to `[B, T', C']`, contiguous."""
    if not x.shape[1]:
        return x.new_empty((x.shape[0], 0, weight.shape[0]))
    y = F.conv2d(x.transpose(1, 2).unsqueeze(2), weight, bias, (1, stride), 0, (1, dilation))
    return y.squeeze(2).transpose(1, 2).contiguous()
