"""What a checkpoint is made of, by its files alone: no weight is kept, and torch is not needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.config.small_file import read_small_file
from bridge.engine.checkpoint import COMPOSITE, POCKET, Location, read_config
from bridge.engine.parts import SAMPLE_RATE
from bridge.engine.tensor_files import (
    StoredTensor,
    first_not_finite,
    stored_tensors,
    total_bytes,
)
from bridge.errors import CheckpointUnusable

MOST_CHECKED_BYTES = 512 << 20
"""Weights that `describe` reads to look for values that are not finite: half a second's."""
_PARTS = {
    "text_encoder": "text encoder",
    "audio_encoder": "codec",
    "decoder": "decoder",
    "enc_to_dec_proj": "text projection",
    "audio_enc_to_dec_proj": "chroma projection",
}
_UNCOUNTED = (".codebook.inited", ".codebook.cluster_size", ".codebook.embed_avg")
"""What the codec's training keeps beside its weights."""
_DEFAULTS = ("do_sample", "guidance_scale", "temperature", "top_k", "top_p", "max_length")


@dataclass(frozen=True)
class Part:
    """One part of a checkpoint.

    Attributes:
        name: the field's word for it.
        parameters: how many numbers its weights have.
        num_bytes: what its tensors take on the disk.
        dtypes: their number types, in safetensors' words.
    """

    name: str
    parameters: int
    num_bytes: int
    dtypes: tuple[str, ...]


@dataclass(frozen=True)
class Description:
    """What a checkpoint is made of. None: its files do not say.

    Attributes:
        name, folder, revision: where it is.
        model_type: `musicgen_melody`, or `musicgen_melody_decoder` for a decoder alone.
        parts: each with its size.
        sample_rate: of the codec, in Hz.
        audio_channels: 1 or 2.
        num_codebooks: for all channels together.
        codebook_size: codes of a codebook.
        layers, hidden_size, heads: of the decoder.
        text_encoder: its kind and width, such as `t5, 768 wide`.
        chroma_length: steps of chroma that it takes.
        defaults: the settings for generation that it brings.
        licence: as its README.md states it.
        is_finite: whether all weights are finite; None: there are too many to look at here, and
            loading does.
    """

    name: str
    folder: Path
    revision: str | None
    model_type: str
    parts: tuple[Part, ...]
    sample_rate: int | None
    audio_channels: int | None
    num_codebooks: int | None
    codebook_size: int | None
    layers: int | None
    hidden_size: int | None
    heads: int | None
    text_encoder: str | None
    chroma_length: int | None
    defaults: Mapping[str, Any]
    licence: str | None
    is_finite: bool | None


def describe(location: Location) -> Description:
    """Describe a checkpoint that `find` found.

    Raises:
        CheckpointUnusable: a file is broken, or a weight is not finite.
    """
    config = read_config(location.name, location.folder)
    tensors = stored_tensors(location.name, location.folder)
    is_whole = location.model_type == COMPOSITE
    decoder = _section(config, "decoder") if is_whole else config
    codec = _section(config, "audio_encoder")
    text = _section(config, "text_encoder")
    return Description(
        name=location.name,
        folder=location.folder,
        revision=location.revision,
        model_type=location.model_type,
        parts=_parts(tensors) if is_whole else (_part("decoder", tensors),),
        sample_rate=codec.get("sampling_rate", SAMPLE_RATE) if is_whole else None,
        audio_channels=decoder.get("audio_channels"),
        num_codebooks=decoder.get("num_codebooks"),
        codebook_size=decoder.get("vocab_size"),
        layers=decoder.get("num_hidden_layers"),
        hidden_size=decoder.get("hidden_size"),
        heads=decoder.get("num_attention_heads"),
        text_encoder=f"{text.get('model_type')}, {text.get('d_model')} wide" if text else None,
        chroma_length=config.get("chroma_length"),
        defaults=_generation_defaults(location),
        licence="MIT" if location.name == POCKET else _licence(location.folder),
        is_finite=_are_finite(location.name, tensors),
    )


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, dict) else {}


def _parts(tensors: Mapping[str, StoredTensor]) -> tuple[Part, ...]:
    parts = []
    for prefix, name in _PARTS.items():
        own = {key: each for key, each in tensors.items() if key.split(".")[0] == prefix}
        if own:
            parts.append(_part(name, own))
    return tuple(parts)


def _part(name: str, tensors: Mapping[str, StoredTensor]) -> Part:
    return Part(
        name=name,
        parameters=sum(
            tensor.size for key, tensor in tensors.items() if not key.endswith(_UNCOUNTED)
        ),
        num_bytes=total_bytes(tensors.values()),
        dtypes=tuple(sorted({tensor.dtype for tensor in tensors.values()})),
    )


def _generation_defaults(location: Location) -> dict[str, Any]:
    try:
        text = read_small_file(location.folder / "generation_config.json")
        settings = json.loads(text)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointUnusable(
            f"model {location.name!r}: generation_config.json is unreadable ({error})"
        ) from error
    if not isinstance(settings, dict):
        raise CheckpointUnusable(f"model {location.name!r}: generation_config.json holds no object")
    return {name: settings[name] for name in _DEFAULTS if settings.get(name) is not None}


def _licence(folder: Path) -> str | None:
    """The `license` line of the model card's front matter."""
    try:
        lines = read_small_file(folder / "README.md").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    if not lines or lines[0].strip() != "---":
        return None
    for line in lines[1:]:
        if line.strip() == "---":
            return None
        key, _, value = line.partition(":")
        if key.strip() == "license" and value.strip():
            return value.strip().strip("'\"")[:80]
    return None


def _are_finite(name: str, tensors: Mapping[str, StoredTensor]) -> bool | None:
    if total_bytes(tensors.values()) > MOST_CHECKED_BYTES:
        return None
    try:
        broken = first_not_finite(tensors)
    except OSError as error:
        raise CheckpointUnusable(f"model {name!r} cannot be read ({error})") from error
    if broken is not None:
        raise CheckpointUnusable(
            f"model {name!r}: weight {broken} has values that are not finite; copy or fetch it "
            "again"
        )
    return True
