"""Reads a checkpoint into memory: safetensors only, no code of the checkpoint, nothing printed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import (
    AutoTokenizer,
    EncodecModel,
    MusicgenMelodyForCausalLM,
    MusicgenMelodyForConditionalGeneration,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from bridge.engine.checkpoint import COMPOSITE, Location
from bridge.engine.device import is_out_of_memory, oom_as_error
from bridge.engine.request import PITCH_CLASSES, Request
from bridge.engine.sampler import Sampling
from bridge.errors import CheckpointUnusable

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Defaults:
    """The checkpoint's sampling settings, for requests that do not set their own."""

    do_sample: bool
    guidance_scale: float
    temperature: float
    top_p: float

    def of(self, request: Request) -> Sampling:
        """The sampling settings of a request: its own, else the checkpoint's."""
        return Sampling(
            do_sample=_first(request.do_sample, self.do_sample),
            guidance_scale=float(_first(request.guidance_scale, self.guidance_scale)),
            temperature=float(_first(request.temperature, self.temperature)),
            top_k=int(request.top_k),
            top_p=float(_first(request.top_p, self.top_p)),
        )


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A MusicGen Melody model in memory, ready to run.

    Attributes:
        model: the `MusicgenMelodyForConditionalGeneration` (`Any`, because transformers types its
            parts too loosely). Text encoder and decoder have the requested number type, the codec
            float32: bfloat16 has 8 bits, which is audible in a waveform.
        tokenizer: of the text encoder.
        sampling: the checkpoint's own defaults.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    sampling: Defaults

    @property
    def num_codebooks(self) -> int:
        """K, for all channels together."""
        return int(self.model.config.decoder.num_codebooks)

    @property
    def delays(self) -> NDArray[np.int64]:
        """The delay of each codebook in steps, `[K]`; a stereo pair has one delay."""
        return np.arange(self.num_codebooks) // self.audio_channels

    @property
    def audio_channels(self) -> int:
        """1 or 2."""
        return int(self.model.config.decoder.audio_channels)

    @property
    def codebook_size(self) -> int:
        """The number of codes; they are 0 to this minus one."""
        return int(self.model.config.decoder.vocab_size)

    @property
    def chroma_length(self) -> int:
        """Steps of chroma that the model takes."""
        return int(self.model.config.chroma_length)

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return int(self.model.config.audio_encoder.sampling_rate)

    @property
    def hop(self) -> int:
        """Frames of a codec step."""
        return int(self.model.config.audio_encoder.hop_length)

    @property
    def frame_rate(self) -> int:
        """Codec steps a second."""
        return int(self.model.config.audio_encoder.frame_rate)


def read_checkpoint(
    location: Location, decoder: Location | None, device: torch.device, dtype: torch.dtype
) -> Checkpoint:
    """Read the weights and the tokenizer, and put them on the device.

    Args:
        decoder: replaces the checkpoint's own decoder.

    Raises:
        CheckpointUnusable: a file is broken, weights are missing, or parts do not fit together.
        OutOfMemory: the weights do not fit the device.
    """
    with quiet(), oom_as_error(f"model {location.name!r} does not fit {device}; use a smaller one"):
        model = read_model(location, decoder, dtype)
        tokenizer = _read_tokenizer(location, model.config.text_encoder.vocab_size)
        sampling = _take_sampling(model)
        if dtype != torch.float32:
            model.audio_encoder = _read_codec(location, model.config.audio_encoder)
        model.to(device)
        _check_finite(location.name, decoder.name if decoder else location.name, model)
    return Checkpoint(model.eval(), tokenizer, sampling)


def read_model(location: Location, decoder: Location | None, dtype: torch.dtype) -> Any:
    """Read a complete model, with its own decoder or another.

    Raises:
        CheckpointUnusable: as `read_checkpoint`.
    """
    model = _read_composite(location, dtype)
    if decoder is not None:
        model.decoder = _read_decoder(decoder, dtype)
        model.config.decoder = model.decoder.config
    _check_parts(location.name, decoder.name if decoder else location.name, model)
    return model


def _read_composite(location: Location, dtype: torch.dtype) -> Any:
    if location.model_type != COMPOSITE:
        raise CheckpointUnusable(
            f"model {location.name!r} is a decoder alone; give a whole checkpoint as the model and "
            "this as its decoder"
        )
    return _read(MusicgenMelodyForConditionalGeneration, location, dtype)


def _read_decoder(location: Location, dtype: torch.dtype) -> Any:
    if location.model_type == COMPOSITE:
        return _read_composite(location, dtype).decoder
    return _read(MusicgenMelodyForCausalLM, location, dtype)


def _read_codec(location: Location, config: Any) -> Any:
    """The codec in float32: read anew, since the number type of the rest has rounded it."""
    prefix = {r"^audio_encoder\.": ""}
    return _read(EncodecModel, location, torch.float32, config=config, key_mapping=prefix)


def _read(model_class: Any, location: Location, dtype: torch.dtype, **options: Any) -> Any:
    try:
        model, found = model_class.from_pretrained(
            location.folder,
            **options,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    # The errors that transformers and safetensors raise for a broken file share no base class.
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise CheckpointUnusable(
            f"model {location.name!r} cannot be read ({_brief(error)}); copy or fetch it again"
        ) from error
    # transformers would only warn, and draw these at random.
    missing = sorted(found["missing_keys"])
    if missing:
        raise CheckpointUnusable(
            f"model {location.name!r} lacks {len(missing)} weights, such as {missing[0]}; copy or "
            "fetch it again"
        )
    return model


def _check_parts(name: str, decoder_name: str, model: Any) -> None:
    """Refuse sizes that would fail, or give noise, only during generation."""
    decoder, codec = model.config.decoder, model.config.audio_encoder
    if model.config.num_chroma != PITCH_CLASSES:
        raise CheckpointUnusable(
            f"model {name!r} takes {model.config.num_chroma} chroma classes, not {PITCH_CLASSES}"
        )
    projection = getattr(model, "enc_to_dec_proj", None)
    width = model.config.text_encoder.hidden_size
    if projection is not None:
        width = projection.out_features
    if decoder.hidden_size != width:
        raise CheckpointUnusable(
            f"decoder {decoder_name!r} is {decoder.hidden_size} wide, but the conditions of model "
            f"{name!r} are {width}; give the model that it was trained with"
        )
    per_channel = decoder.num_codebooks // decoder.audio_channels
    if per_channel > codec.num_quantizers or decoder.vocab_size > codec.codebook_size:
        raise CheckpointUnusable(
            f"decoder {decoder_name!r} makes {per_channel} codebooks of {decoder.vocab_size} a "
            f"channel, but the codec of model {name!r} has {codec.num_quantizers} of "
            f"{codec.codebook_size}; give the model that it was trained with"
        )


def _check_finite(name: str, decoder_name: str, model: Any) -> None:
    """Refuse weights with infinity or NaN in them: every code would be as likely as the next."""
    for key, weight in model.state_dict().items():
        if weight.is_floating_point() and not bool(torch.isfinite(weight).all()):
            owner = decoder_name if key.startswith("decoder.") else name
            raise CheckpointUnusable(
                f"model {owner!r}: weight {key} has values that are not finite in "
                f"{str(weight.dtype).removeprefix('torch.')}; copy or fetch it again"
            )


def _read_tokenizer(location: Location, vocab_size: int) -> PreTrainedTokenizerBase:
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            location.folder, use_fast=True, trust_remote_code=False, local_files_only=True
        )
    # As above: a broken file may raise any error.
    except Exception as error:
        raise CheckpointUnusable(
            f"the tokenizer of model {location.name!r} cannot be read ({_brief(error)}); copy or "
            "fetch it again"
        ) from error
    if len(tokenizer) > vocab_size:
        raise CheckpointUnusable(
            f"the tokenizer of model {location.name!r} has {len(tokenizer)} tokens, but its text "
            f"encoder knows {vocab_size}; copy the tokenizer that it was trained with"
        )
    # T5 reads any length (its positions are relative); 512 is only where transformers warns.
    tokenizer.model_max_length = int(1e30)
    return tokenizer


def _take_sampling(model: Any) -> Defaults:
    """The defaults of the generation config, which is then reset so that it affects no request.

    An end token or a length in it would cut pieces short, and beams make `generate` fail.
    """
    own = model.generation_config
    start = model.config.decoder.pad_token_id
    model.generation_config = type(own)(
        bos_token_id=start, pad_token_id=start, decoder_start_token_id=start
    )

    def setting(name: str, default: float) -> float:
        value = getattr(own, name, None)
        return default if value is None else value

    return Defaults(
        do_sample=bool(setting("do_sample", True)),
        guidance_scale=float(setting("guidance_scale", 3.0)),
        temperature=float(setting("temperature", 1.0)),
        top_p=float(setting("top_p", 1.0)),
    )


def _first(value: T | None, default: T) -> T:
    return default if value is None else value


def model_bytes(model: Any) -> int:
    """What a model's weights take in a file."""
    return sum(weight.numel() * weight.element_size() for weight in model.state_dict().values())


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings and progress bars inside."""
    transformers_logging: Any = logging
    verbosity, bars = (
        transformers_logging.get_verbosity(),
        transformers_logging.is_progress_bar_enabled(),
    )
    transformers_logging.set_verbosity(transformers_logging.CRITICAL)
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def _brief(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
