"""Finds a checkpoint, and checks that its files can be used.

Nothing here reads a weight or imports torch, so a wrong name, a folder of something else, or
pickled weights are reported at once.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bridge.config.small_file import read_small_file
from bridge.engine.parts import check_parts
from bridge.engine.tensor_files import WEIGHTS, StoredTensor, missing_weights, stored_tensors
from bridge.errors import BadArgument, CheckpointUnusable

POCKET = "pocket"
COMPOSITE = "musicgen_melody"
"""`model_type` of a complete checkpoint: text encoder, codec and decoder."""
DECODER = "musicgen_melody_decoder"
"""`model_type` of a decoder alone."""
FIRST_TRANSFORMERS = (5, 18)
"""5.1 to 5.17 silently drop all conditioning (transformers issue 45647)."""

_HUB_ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*/[\w.-]+)(@(?P<revision>[\w./-]+))?")
_HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".th", ".pkl")
MOST_POSITIONS = 100_000
"""Positions need no weights. MusicGen has 2048."""
MOST_TOKENIZER_BYTES = 64 << 20
"""T5's has 1.4 MB, multilingual ones 20."""
_LAYERS = ("num_hidden_layers", "num_layers", "num_decoder_layers", "num_lstm_layers")
_LENGTHS = (
    *("hidden_size", "ffn_dim", "d_ff", "d_kv", "d_model", "vocab_size", "codebook_size"),
    *("codebook_dim", "num_filters", "num_attention_heads", "num_heads", "num_codebooks"),
)
_POSITIONS = ("max_position_embeddings", "chroma_length")
_TOKENIZERS = ("tokenizer.json", "spiece.model")


@dataclass(frozen=True)
class Location:
    """A checkpoint whose files exist.

    Attributes:
        name: the name that the caller gave, without its revision.
        folder: holds `config.json` and the safetensors.
        revision: the commit on Hugging Face; None for a folder and for `pocket`.
        model_type: `musicgen_melody` or `musicgen_melody_decoder`.
    """

    name: str
    folder: Path
    revision: str | None
    model_type: str


def find(
    model: str | os.PathLike[str], revision: str | None = None, *, fetch: bool = True
) -> Location:
    """Locate a checkpoint: `pocket`, a folder, or a Hugging Face id, `owner/name[@revision]`.

    Files that were fetched from Hugging Face are used again without the network, so an id without a
    revision stays at the commit of the first time.

    Args:
        fetch: False finds only what is on this machine already.

    Raises:
        BadArgument: a revision of something that has none, or two revisions.
        CheckpointUnusable: no such folder, not fetched and no network, no MusicGen Melody
            configuration, or no safetensors.
    """
    name = os.fspath(model)
    if not name:
        raise BadArgument("model '': give 'pocket', a folder or a Hugging Face id, owner/name")
    folder = Path(os.path.expanduser(name))
    hub = _HUB_ID.fullmatch(name)
    if name != POCKET and not folder.is_dir() and hub is not None:
        if revision is not None and hub["revision"] is not None:
            raise BadArgument(f"model {name!r} names its revision; {revision!r} is one too many")
        return _fetched(hub["id"], revision or hub["revision"], fetch=fetch)
    if revision is not None:
        raise BadArgument(
            f"revision {revision!r}: only a Hugging Face id, owner/name, has one; {name!r} does not"
        )
    if name == POCKET:
        # Not at the top: the recipe that trains `pocket` imports the engine.
        from bridge.pocket import checkpoint_folder

        folder = checkpoint_folder()
    if not folder.exists():
        raise CheckpointUnusable(
            f"model {name!r}: no such folder; give 'pocket', a folder or a Hugging Face id, "
            "owner/name"
        )
    if not folder.is_dir():
        raise CheckpointUnusable(
            f"model {name!r} is a file; give the folder that holds its config.json"
        )
    return Location(name, folder, None, _checked_files(name, folder))


def check_transformers(installed: str | None = None) -> None:
    """Refuse a transformers that would ignore the conditions.

    Raises:
        CheckpointUnusable: transformers is older than 5.18.
    """
    installed = installed or version("transformers")
    if tuple(map(int, re.findall(r"\d+", installed)[:2])) < FIRST_TRANSFORMERS:
        raise CheckpointUnusable(
            f"transformers {installed} is too old, or ignores prompt and melody (5.1 to 5.17): "
            "pip install 'transformers>=5.18,<6'"
        )


def read_config(name: str, folder: Path) -> dict[str, Any]:
    """The folder's `config.json`.

    Raises:
        CheckpointUnusable: the file is missing, or is not a JSON object.
    """
    try:
        config = json.loads(read_small_file(folder / "config.json"))
    except FileNotFoundError as error:
        raise CheckpointUnusable(
            f"model {name!r} has no config.json, so it is not a checkpoint of transformers"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointUnusable(f"model {name!r}: config.json is unreadable ({error})") from error
    if not isinstance(config, dict):
        raise CheckpointUnusable(f"model {name!r}: config.json holds no object")
    return config


def _fetched(hub_id: str, revision: str | None, *, fetch: bool) -> Location:
    """The snapshot in Hugging Face's cache, fetched if it is incomplete."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    def snapshot(*, cached: bool) -> Path:
        return Path(
            snapshot_download(
                hub_id,
                revision=revision,
                allow_patterns=list(_HUB_FILES),
                local_files_only=cached,
            )
        )

    bars_were_off = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        try:
            folder = snapshot(cached=True)
            # Another program may have fetched only the part that it needs.
            if not _is_complete(hub_id, folder):
                raise FileNotFoundError
        except FileNotFoundError:
            if not fetch:
                raise
            folder = snapshot(cached=False)
    # The hub's errors come from three libraries and share no base.
    except Exception as error:
        at = f" at revision {revision!r}" if revision else ""
        if not fetch:
            raise CheckpointUnusable(
                f"model {hub_id!r}{at} is not on this machine yet: the first use fetches it from "
                "Hugging Face, several GB"
            ) from error
        raise CheckpointUnusable(
            f"model {hub_id!r}{at} is no folder here and cannot be fetched from Hugging Face "
            f"({_first_line(error)}); check the name and the network, or give a folder"
        ) from error
    finally:
        if not bars_were_off:
            enable_progress_bars()
    return Location(hub_id, folder, folder.name, _checked_files(hub_id, folder))


def _checked_files(name: str, folder: Path) -> str:
    """The `model_type`, after checking that configuration and weights are MusicGen Melody's."""
    config = read_config(name, folder)
    model_type = config.get("model_type")
    if model_type not in (COMPOSITE, DECODER):
        raise CheckpointUnusable(
            f"model {name!r} is of type {model_type!r}, not a MusicGen Melody checkpoint "
            f"({COMPOSITE!r}), such as facebook/musicgen-stereo-melody"
        )
    _refuse_code(name, folder, config)
    # With neither file, transformers would make an empty tokenizer.
    if model_type == COMPOSITE and not any((folder / file).is_file() for file in _TOKENIZERS):
        raise CheckpointUnusable(
            f"model {name!r} has no tokenizer: {' or '.join(_TOKENIZERS)} is missing; copy it from "
            "the checkpoint that this one was made from"
        )
    missing = missing_weights(folder)
    if not missing:
        tensors = stored_tensors(name, folder)
        _check_sizes(name, config, tensors)
        check_parts(name, config, tensors)
        return str(model_type)
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix in _PICKLES)
    if pickles and missing == [WEIGHTS]:
        raise CheckpointUnusable(
            f"model {name!r} has its weights only as {pickles[0]}, a pickle, which can run code "
            "when read; where you trust it, save it again with transformers' save_pretrained, "
            "which writes safetensors"
        )
    raise CheckpointUnusable(
        f"model {name!r} is incomplete: {missing[0]} is missing; copy or fetch it again"
    )


def _refuse_code(name: str, folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that asks for Python code of its own: none would run, and it needs it.

    Raises:
        CheckpointUnusable: it does.
    """
    asked_in = [] if "auto_map" not in config else ["config.json"]
    try:
        tokenizer = json.loads(read_small_file(folder / "tokenizer_config.json"))
    except FileNotFoundError:
        tokenizer = {}
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointUnusable(
            f"model {name!r}: tokenizer_config.json is unreadable ({error})"
        ) from error
    if isinstance(tokenizer, dict) and "auto_map" in tokenizer:
        asked_in.append("tokenizer_config.json")
    if asked_in:
        raise CheckpointUnusable(
            f"model {name!r}: {asked_in[0]} asks for code of its own (auto_map), which never runs "
            "here; where you trust its weights, remove auto_map from the file"
        )
    for file in (folder / file for file in _TOKENIZERS):
        if file.is_file() and file.stat().st_size > MOST_TOKENIZER_BYTES:
            raise CheckpointUnusable(
                f"model {name!r}: {file.name} has {file.stat().st_size >> 20} MB, and at most "
                f"{MOST_TOKENIZER_BYTES >> 20} are read; copy or fetch it again"
            )


def _is_complete(name: str, folder: Path) -> bool:
    try:
        needs_tokenizer = read_config(name, folder).get("model_type") == COMPOSITE
    except CheckpointUnusable:
        return False
    tokenizer = any((folder / file).is_file() for file in _TOKENIZERS)
    return (tokenizer or not needs_tokenizer) and not missing_weights(folder)


def _check_sizes(name: str, config: Mapping[str, Any], tensors: Mapping[str, StoredTensor]) -> None:
    """Check that no size in the configuration is larger than anything in the weights.

    transformers allocates what the configuration says before it looks at the weights.

    Raises:
        CheckpointUnusable: one is.
    """
    numbers = (int(word) for key in tensors for word in key.split(".") if word.isdecimal())
    layers = 1 + max(numbers, default=0)
    longest = max((length for tensor in tensors.values() for length in tensor.shape), default=0)
    sections = {"": config}
    sections |= {key: value for key, value in config.items() if isinstance(value, dict)}
    for section, values in sections.items():
        for key, value in values.items():
            limit = (
                layers
                if key in _LAYERS
                else longest
                if key in _LENGTHS
                else MOST_POSITIONS
                if key in _POSITIONS
                else None
            )
            if limit is None or value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limit:
                where = f"{section}.{key}" if section else key
                raise CheckpointUnusable(
                    f"model {name!r}: config.json has {where} {value!r}, and the weights have "
                    f"{limit} at most; copy or fetch it again"
                )


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
