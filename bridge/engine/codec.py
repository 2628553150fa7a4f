"""The codec: decodes codes to audio as a stream, and reconstructs audio by encoder and decoder."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.engine.seanet import PAD_MODES, LayerState, decoder_layers
from bridge.engine.weights import Checkpoint
from bridge.errors import BadArgument, CheckpointUnusable

Tensor = torch.Tensor

_BLOCK_STEPS = 100
"""Codec steps that pass through the layers at once. More do not fit the processor's cache: with
pocket's codec, on one core, a step took 1.7 times as long in blocks of 500 (measured)."""


class CodecDecoder:
    """The codec's decoder with its weight norm folded, in float32; one for each checkpoint.

    Attributes:
        hop: frames of a codec step.
        lag_frames: frames that wait for later codes: 2402, which is 75.06 ms, for the 32 kHz codec.
            When L inputs of a layer wait, these outputs wait: L + (k - 1) * d // 2 of a convolution
            of k inputs with dilation d, alone or in a residual block; L * s + ceil(s / 2) of a
            transposed convolution of stride s; L of ELU and LSTM. So 3, then 28, 29, 148, 149, 598,
            599, 2398, 2399 and 2402.
    """

    def __init__(self, codec: Any, channels: int) -> None:
        """Fold the weights.

        Args:
            codec: transformers' `EncodecModel`, float32, on its device. It stays unchanged; the
                decoder uses its LSTM.
            channels: 1 or 2; each passes alone through the codec, which is mono.

        Raises:
            CheckpointUnusable: the codec cannot be streamed, or is not mono.
        """
        _check(codec.config)
        self._channels = channels
        self.hop = int(codec.config.hop_length)
        with torch.inference_mode():
            self._layers = decoder_layers(codec.decoder, codec.config.pad_mode)
            embeddings = [layer.codebook.embed for layer in codec.quantizer.layers]
            self._embeddings = torch.cat(embeddings)  # [num_quantizers * codebook_size, C]
        self._codebook_size = int(codec.config.codebook_size)
        self.lag_frames = 0
        for layer in self._layers:
            self.lag_frames = layer.lag(self.lag_frames)

    def stream(self, variations: int) -> CodecStream:
        """Begin a piece with that many variations."""
        # On a CPU the rounding of a convolution may depend on the size of the batch, and the cache
        # has room for one variation at a time. A GPU needs all of them at once to be busy.
        together = 1 if self._embeddings.device.type == "cpu" else variations
        groups = [[LayerState() for _ in self._layers] for _ in range(variations // together)]
        return CodecStream(self, together, groups)

    def advance(self, states: list[LayerState], codes: Tensor, *, last: bool) -> Tensor:
        """Pass codes through all layers.

        Args:
            states: one a layer; changed in place.
            codes: int64 `[B, K * channels, S]`, S >= 0.
            last: whether these are the last codes.

        Returns:
            float32 `[B, channels, frames]`.
        """
        x = self._embedded(codes)
        for layer, state in zip(self._layers, states, strict=True):
            x = layer.step(state, x, last=last)
        return x.reshape(len(codes), self._channels, x.shape[1])  # from [B * channels, frames, 1]

    def _embedded(self, codes: Tensor) -> Tensor:
        """The sum of the codebooks' embeddings, `[B * channels, S, C]`."""
        variations, rows, steps = codes.shape
        codebooks = rows // self._channels
        codes = codes.view(variations, codebooks, self._channels, steps)
        firsts = torch.arange(codebooks, device=codes.device) * self._codebook_size
        indices = (codes + firsts[:, None, None]).permute(0, 2, 3, 1).flatten(0, 1)
        return self._embeddings[indices].sum(2)  # of [B * channels, S, K, C]


@dataclass
class CodecStream:
    """The decoding of one piece; `CodecDecoder.stream` makes it. Not thread-safe.

    Attributes:
        decoder: the layers.
        together: variations that pass as one batch.
        states: for each such batch, one a layer.
        ended: whether the last codes have been decoded.
    """

    decoder: CodecDecoder
    together: int
    states: list[list[LayerState]]
    ended: bool = False

    @torch.inference_mode()
    def decode(self, codes: Tensor, *, last: bool = False) -> Tensor:
        """The audio that the next codes make final.

        The sizes of the calls change no sample by more than float32's rounding (1e-6).

        Args:
            codes: int64 `[variations, K * channels, S]` on the codec's device, S >= 0. In stereo
                the even codebooks are left, the odd ones right.
            last: whether these are the last codes.

        Returns:
            float32 `[variations, channels, frames]` on the codec's device. The audio ends
            `decoder.lag_frames` before the end of the codes; after the last codes, all calls
            together have returned steps times `decoder.hop` frames.

        Raises:
            RuntimeError: the last codes have been decoded already.
        """
        if self.ended:
            raise RuntimeError("the piece has ended; begin another stream")
        self.ended = last
        blocks = torch.split(codes, _BLOCK_STEPS, dim=2)
        parts = []
        with _exact(codes.device):
            for number, block in enumerate(blocks, start=1):
                ends = last and number == len(blocks)
                groups = zip(torch.split(block, self.together), self.states, strict=True)
                parts.append(
                    torch.cat(
                        [self.decoder.advance(states, group, last=ends) for group, states in groups]
                    )
                )
        return torch.cat(parts, dim=2)


def _check(config: Any) -> None:
    """Refuse options that no MusicGen codec has and that would not stream as in transformers."""
    allowed = {
        "audio_channels": (1,),
        "norm_type": ("weight_norm",),
        "pad_mode": PAD_MODES,
        "use_causal_conv": (False,),
        "normalize": (False,),
        "chunk_length_s": (None,),
    }
    for name, values in allowed.items():
        value = getattr(config, name)
        if value not in values:
            raise CheckpointUnusable(
                f"the codec's {name} is {value!r}; only {' or '.join(map(repr, values))} can be "
                "streamed"
            )


def _exact(device: torch.device) -> AbstractContextManager[None]:
    """Have cuDNN compute in full float32, inside: TF32's 10 bits would be audible at -60 dB."""
    if device.type != "cuda":
        return nullcontext()
    guard: AbstractContextManager[None] = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    return guard


def reconstruct(checkpoint: Checkpoint, waveform: Waveform) -> Waveform:
    """Encode, quantize with as many codebooks as the decoder makes, and decode.

    Args:
        waveform: at least one frame. Channels pass one by one through the codec, which is mono.

    Returns:
        float32 with the checkpoint's rate and channels; as many frames as the input at that rate.
    """
    channels = checkpoint.audio_channels
    source = waveform.mono() if channels == 1 else waveform.stereo()
    source = source.resampled(checkpoint.sample_rate)
    padded = math.ceil(source.frames / checkpoint.hop) * checkpoint.hop
    samples = np.zeros((channels, 1, padded), dtype=np.float32)
    samples[:, 0, : source.frames] = source.samples.T
    with torch.inference_mode():
        codes, scales = _encoded(checkpoint, samples)
        codec = checkpoint.model.audio_encoder
        audio = codec.decode(codes, scales).audio_values  # [channels, 1, padded]
    decoded = audio[:, 0, : source.frames].float().cpu().numpy()
    return Waveform(np.ascontiguousarray(decoded.T), checkpoint.sample_rate)


def encode(checkpoint: Checkpoint, waveform: Waveform) -> NDArray[np.int64]:
    """The codes of a waveform, for a piece to continue: int64 `[K, S]`.

    Args:
        waveform: a step or more. What is over whole steps is left out at its beginning, so that
            the last step ends with the waveform. In stereo the even codebooks are left.

    Raises:
        BadArgument: less than a step.
    """
    channels = checkpoint.audio_channels
    source = waveform.mono() if channels == 1 else waveform.stereo()
    source = source.resampled(checkpoint.sample_rate)
    steps = source.frames // checkpoint.hop
    if not steps:
        raise BadArgument(
            f"a sound to continue from has {checkpoint.hop} frames at {checkpoint.sample_rate} Hz "
            f"or more, got {source.frames}"
        )
    samples = source.samples[source.frames - steps * checkpoint.hop :].T[:, None]
    with torch.inference_mode():
        codes, _ = _encoded(checkpoint, np.ascontiguousarray(samples))
    of_channels: NDArray[np.int64] = codes[0].cpu().numpy()  # [channels, K / channels, S]
    return of_channels.transpose(1, 0, 2).reshape(checkpoint.num_codebooks, steps)


def _encoded(checkpoint: Checkpoint, samples: NDArray[np.float32]) -> tuple[Tensor, Any]:
    """Codes `[1, channels, K / channels, S]` and scales of samples `[channels, 1, S * hop]`."""
    codec = checkpoint.model.audio_encoder
    encoded = codec.encode(
        torch.from_numpy(samples).to(checkpoint.model.device),
        bandwidth=max(codec.config.target_bandwidths),
    )
    codebooks = checkpoint.num_codebooks // checkpoint.audio_channels
    return encoded.audio_codes[:, :, :codebooks], encoded.audio_scales
