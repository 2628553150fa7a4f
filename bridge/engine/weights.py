"""Reads a checkpoint into memory: safetensors only, no code from elsewhere, nothing printed."""

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
    """How the checkpoint says codes are drawn, where a request does not."""

    do_sample: bool
    guidance_scale: float
    temperature: float
    top_p: float

    def of(self, request: Request) -> Sampling:
        """How the request's codes are drawn: by its own word, else by the checkpoint's."""
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
        model: the `MusicgenMelodyForConditionalGeneration` (transformers types its parts too
            loosely to be of use). Text encoder and decoder have the number type asked for, the
            codec float32: bfloat16 has 8 bits, which are audible in a waveform.
        tokenizer: of the text encoder.
        sampling: the checkpoint's own defaults.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    sampling: Defaults

    @property
    def num_codebooks(self) -> int:
        """K, of all channels together."""
        return int(self.model.config.decoder.num_codebooks)

    @property
    def delays(self) -> NDArray[np.int64]:
        """`[K]`: how many steps late each codebook is; of stereo's pairs, both equally."""
        return np.arange(self.num_codebooks) // self.audio_channels

    @property
    def audio_channels(self) -> int:
        """1 or 2."""
        return int(self.model.config.decoder.audio_channels)

    @property
    def codebook_size(self) -> int:
        """Codes are 0 to this less one."""
        return int(self.model.config.decoder.vocab_size)

    @property
    def chroma_length(self) -> int:
        """Steps of chroma that the model is given."""
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
        decoder: takes the place of the checkpoint's own decoder.

    Raises:
        CheckpointUnusable: a file is broken, weights are missing, or parts do not fit together.
        OutOfMemory: they do not fit the device.
    """
    with quiet(), oom_as_error(f"model {location.name!r} does not fit {device}; use a smaller one"):
        model = _read_whole(location, dtype)
        if decoder is not None:
            model.decoder = _read_decoder(decoder, dtype)
            model.config.decoder = model.decoder.config
        _check_parts(location.name, decoder.name if decoder else location.name, model)
        tokenizer = _read_tokenizer(location, model.config.text_encoder.vocab_size)
        sampling = _take_sampling(model)
        model.audio_encoder.float()
        model.to(device)
    return Checkpoint(model.eval(), tokenizer, sampling)


def _read_whole(location: Location, dtype: torch.dtype) -> Any:
    if location.model_type != COMPOSITE:
        raise CheckpointUnusable(
            f"model {location.name!r} is a decoder alone; give a whole checkpoint as the model and "
            "this as its decoder"
        )
    return _read(MusicgenMelodyForConditionalGeneration, location, dtype)


def _read_decoder(location: Location, dtype: torch.dtype) -> Any:
    if location.model_type == COMPOSITE:
        return _read_whole(location, dtype).decoder
    return _read(MusicgenMelodyForCausalLM, location, dtype)


def _read(model_class: Any, location: Location, dtype: torch.dtype) -> Any:
    try:
        model, found = model_class.from_pretrained(
            location.folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    # What a broken file makes transformers and safetensors raise has no base in common.
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise CheckpointUnusable(
            f"model {location.name!r} cannot be read ({_brief(error)}); copy or fetch it again"
        ) from error
    # transformers would draw these at random and only warn.
    missing = sorted(found["missing_keys"])
    if missing:
        raise CheckpointUnusable(
            f"model {location.name!r} lacks {len(missing)} weights, such as {missing[0]}; copy or "
            "fetch it again"
        )
    return model


def _check_parts(name: str, decoder_name: str, model: Any) -> None:
    """Refuse sizes that would fail, or give noise, only once something is generated."""
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


def _read_tokenizer(location: Location, vocab_size: int) -> PreTrainedTokenizerBase:
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            location.folder, use_fast=True, trust_remote_code=False, local_files_only=True
        )
    # As above: a broken file may raise anything.
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
    """The generation config's defaults; what is left of it cannot change a request.

    An end token or a length in it would cut pieces short, and beams make `generate` fail.
    """
    own = model.generation_config
    start = model.config.decoder.pad_token_id
    model.generation_config = type(own)(
        bos_token_id=start, pad_token_id=start, decoder_start_token_id=start
    )

    def given(name: str, otherwise: float) -> float:
        value = getattr(own, name, None)
        return otherwise if value is None else value

    return Defaults(
        do_sample=bool(given("do_sample", True)),
        guidance_scale=float(given("guidance_scale", 3.0)),
        temperature=float(given("temperature", 1.0)),
        top_p=float(given("top_p", 1.0)),
    )


def _first(asked: T | None, otherwise: T) -> T:
    return otherwise if asked is None else asked


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings and no progress bars; as it was, afterwards."""
    said: Any = logging
    verbosity, bars = said.get_verbosity(), said.is_progress_bar_enabled()
    said.set_verbosity(said.CRITICAL)
    said.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        said.set_verbosity(verbosity)
        if bars:
            said.enable_progress_bar()


def _brief(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
