"""Converts a checkpoint of audiocraft to a folder that transformers, and so this engine, reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoTokenizer,
    EncodecModel,
    MusicgenMelodyConfig,
    MusicgenMelodyForConditionalGeneration,
    T5EncoderModel,
)

from bridge.engine.checkpoint import check_transformers
from bridge.engine.convert.layout import (
    check_language_model,
    codec_config,
    codec_weights,
    decoder_config,
    language_model_weights,
)
from bridge.engine.convert.original import CODEC, LANGUAGE_MODEL, Settings, read_package
from bridge.engine.device import resolve_dtype
from bridge.engine.folder import check_new, complete_or_absent
from bridge.engine.parts import SAMPLE_RATE
from bridge.engine.weights import model_bytes, quiet
from bridge.errors import CheckpointUnusable

_CHROMA_HOP = 4096
"""Frames of a step of chroma at 32 kHz."""


@dataclass(frozen=True)
class Conversion:
    """What was converted.

    Attributes:
        folder: the new checkpoint.
        weights: tensors taken from audiocraft's files.
        parameters: of decoder and projections.
        audio_channels: 1 or 2.
        text_encoder: where the text encoder comes from.
        codec: where the codec comes from.
    """

    folder: Path
    weights: int
    parameters: int
    audio_channels: int
    text_encoder: str
    codec: str


def convert(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    text_encoder: str | os.PathLike[str] | None = None,
    codec: str | os.PathLike[str] | None = None,
    dtype: str | None = None,
    progress: Callable[[str], None] = lambda doing: None,
) -> Conversion:
    """Write a folder of transformers with the weights of an audiocraft checkpoint.

    Args:
        source: a folder with `state_dict.bin` and `compression_state_dict.bin`.
        out: the folder to make; it appears when it is complete.
        text_encoder: folder or Hugging Face id of the T5 encoder, which audiocraft's files only
            name; None: the one that they name.
        codec: folder or Hugging Face id of an EnCodec model; None: the codec of the source.
        dtype: number type of the saved decoder: `float32`, `float16` or `bfloat16`; None: the
            source's. Codec and text encoder keep theirs.
        progress: receives what is being done.

    Raises:
        BadArgument: `out` exists, or the number type is unknown.
        CheckpointUnusable: a file of the source is missing, damaged, or of another model.
        DiskFull: there is too little space for the new folder.
        NotWritable: the folder cannot be made.
    """
    check_transformers()
    folder, target = Path(source).expanduser(), Path(out).expanduser()
    check_new(target)
    number_type = None if dtype is None else resolve_dtype(dtype, torch.device("cpu"))
    progress("reading the language model")
    package = read_package(folder / LANGUAGE_MODEL)
    settings = check_language_model(package)
    progress("reading the codec")
    codec_name, codec_model, codec_count = _codec(folder, codec)
    decoder = decoder_config(package, codec_model.config.num_quantizers)
    _check_codec(codec_name, codec_model.config, decoder.vocab_size)
    weights = language_model_weights(package)
    if number_type is not None:
        weights = {name: weight.to(number_type) for name, weight in weights.items()}
    progress("reading the text encoder")
    text_name = os.fspath(text_encoder or _named_text_encoder(settings))
    text_model, tokenizer = _text_encoder(text_name)
    config = MusicgenMelodyConfig(
        text_encoder=text_model.config,
        audio_encoder=codec_model.config,
        decoder=decoder,
        num_chroma=12,
        chroma_length=_chroma_length(settings),
    )
    config.dtype = next(iter(weights.values())).dtype
    model = _assembled(config, weights, text_model, codec_model, str(package.file))
    _set_generation(model.generation_config, settings, decoder.vocab_size, codec_model.config)
    progress("writing")
    with complete_or_absent(target, model_bytes(model)) as unfinished, quiet():
        model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
    return Conversion(
        folder=target,
        weights=len(package.state) + codec_count,
        parameters=sum(weight.numel() for weight in weights.values()),
        audio_channels=decoder.audio_channels,
        text_encoder=text_name,
        codec=codec_name,
    )


def _codec(folder: Path, codec: str | os.PathLike[str] | None) -> tuple[str, Any, int]:
    """The codec's name, its model, and how many of the source's tensors it has."""
    if codec is None:
        package = read_package(folder / CODEC)
        if package.pretrained is None:
            with torch.device("meta"):
                model: Any = EncodecModel(codec_config(package))
            weights = codec_weights(package)
            prefix = "audio_encoder."
            state = {name.removeprefix(prefix): weight for name, weight in weights.items()}
            _load(model, state, str(package.file))
            return str(package.file), model, len(package.state)
        codec = package.pretrained
    name = os.fspath(codec)
    return name, _model(EncodecModel, name, "codec", "--codec"), 0


def _check_codec(name: str, config: Any, codebook_size: int) -> None:
    if config.sampling_rate != SAMPLE_RATE or config.codebook_size != codebook_size:
        raise CheckpointUnusable(
            f"codec {name!r} has {config.codebook_size} codes at {config.sampling_rate} Hz, but "
            f"the language model makes {codebook_size} at {SAMPLE_RATE} Hz; give the codec that "
            "it was trained with, with --codec"
        )


def _named_text_encoder(settings: Settings) -> str:
    name = settings.get("conditioners.description.t5.name")
    if not isinstance(name, str) or not name:
        raise CheckpointUnusable(
            f"{str(settings.file)!r} names no text encoder; give it with --text-encoder"
        )
    return name


def _text_encoder(name: str) -> tuple[Any, Any]:
    model = _model(T5EncoderModel, name, "text encoder", "--text-encoder")
    tokenizer = _pretrained(AutoTokenizer, name, "tokenizer of the text encoder", "--text-encoder")
    return model, tokenizer


def _model(model_class: Any, name: str, part: str, option: str) -> Any:
    model, found = _pretrained(
        model_class, name, part, option, use_safetensors=True, output_loading_info=True
    )
    if found["missing_keys"]:
        raise CheckpointUnusable(
            f"the {part} {name!r} lacks weights, such as {min(found['missing_keys'])}; give "
            f"another with {option}"
        )
    return model


def _pretrained(kind: Any, name: str, part: str, option: str, **options: bool) -> Any:
    try:
        with quiet():
            return kind.from_pretrained(
                os.path.expanduser(name), trust_remote_code=False, **options
            )
    # transformers, the hub and safetensors share no base class for their errors.
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise CheckpointUnusable(
            f"the {part} {name!r} cannot be read ({reason}); check the network, or give a folder "
            f"with safetensors, with {option}"
        ) from error


def _assembled(
    config: Any, weights: Mapping[str, torch.Tensor], text_model: Any, codec: Any, file: str
) -> Any:
    """The whole model, each weight of which comes from a file."""
    width = weights.get("enc_to_dec_proj.weight")
    if width is not None and width.shape[-1] != text_model.config.d_model:
        raise CheckpointUnusable(
            f"{file!r} takes text that is {width.shape[-1]} wide, but the text encoder is "
            f"{text_model.config.d_model} wide; give the one that it was trained with, with "
            "--text-encoder"
        )
    # On the meta device, where a model takes no memory until its weights are put in.
    with torch.device("meta"):
        model: Any = MusicgenMelodyForConditionalGeneration(config)
    model.text_encoder, model.audio_encoder = text_model, codec
    parts = {f"text_encoder.{name}": weight for name, weight in text_model.state_dict().items()}
    parts |= {f"audio_encoder.{name}": weight for name, weight in codec.state_dict().items()}
    _load(model, {**parts, **weights}, file)
    model.tie_weights()
    return model


def _load(model: Any, state: Mapping[str, torch.Tensor], file: str) -> None:
    """Put the weights in; each must have its place and its shape, and each place its weight."""
    expected = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    found = {name: tuple(weight.shape) for name, weight in state.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            has, wants = (
                "nothing" if shape is None else f"the shape {list(shape)}"
                for shape in (found.get(name), expected.get(name))
            )
            raise CheckpointUnusable(
                f"{file!r} has {has} for weight {name}, where transformers' model has {wants}: it "
                "is incomplete, or another kind of model"
            )
    model.load_state_dict(state, strict=True, assign=True)


def _chroma_length(settings: Settings) -> int:
    """Steps of chroma in the length that the model was trained with.

    One window of 16384 frames is centred on each multiple of the hop, the first on frame 0
    (audiocraft's ChromaStemConditioner._get_chroma_len).
    """
    seconds = settings.get("dataset.segment_duration", 30)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= 300:
        raise CheckpointUnusable(
            f"{str(settings.file)!r}: setting dataset.segment_duration is {seconds!r}, not a "
            "number of seconds from 1 to 300"
        )
    return int(seconds * SAMPLE_RATE) // _CHROMA_HOP + 1


def _set_generation(generation: Any, settings: Settings, start: int, codec: Any) -> None:
    """Write audiocraft's own settings for generation as the checkpoint's defaults."""
    generation.bos_token_id = generation.pad_token_id = start
    generation.decoder_start_token_id = start
    generation.do_sample = bool(settings.get("generate.lm.use_sampling", True))
    guidance = settings.get("classifier_free_guidance.inference_coef", 3.0)
    generation.guidance_scale = float(guidance) if isinstance(guidance, int | float) else 3.0
    top_k = settings.get("generate.lm.top_k", 250)
    generation.top_k = top_k if type(top_k) is int and top_k > 0 else 250
    seconds = settings.get("dataset.segment_duration", 30)
    generation.max_length = int(seconds * codec.frame_rate)
