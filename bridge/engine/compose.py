"""Puts a complete checkpoint together: a base, a decoder that was trained apart, an adapter."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bridge.config.small_file import read_small_file
from bridge.engine.checkpoint import Location, check_transformers, find
from bridge.engine.device import resolve_dtype
from bridge.engine.folder import check_new, complete_or_absent
from bridge.engine.tensor_files import stored_tensors
from bridge.engine.weights import model_bytes, quiet, read_model
from bridge.errors import BadArgument, CheckpointUnusable, Unsupported

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
_ADAPTER_PREFIX = "base_model.model."
"""peft writes it before the name that the adapted model has for a weight."""
_WHOLE_MODEL = ("decoder.", "enc_to_dec_proj.", "audio_enc_to_dec_proj.", "text_encoder.")
_DECODER_ALONE = ("model.decoder.", "lm_heads.")
_DTYPES = {"F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True)
class Composition:
    """What was put together.

    Attributes:
        folder: the new checkpoint.
        decoder: where its decoder comes from.
        adapted_weights: matrices that the adapter changed.
    """

    folder: Path
    decoder: str
    adapted_weights: int


def compose(
    base: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    decoder: str | os.PathLike[str] | None = None,
    adapter: str | os.PathLike[str] | None = None,
    dtype: str | None = None,
    progress: Callable[[str], None] = lambda doing: None,
) -> Composition:
    """Write a checkpoint with the text encoder and the codec of a base.

    Args:
        base: `pocket`, a folder or a Hugging Face id: the complete checkpoint that the decoder or
            the adapter was trained with.
        out: the folder to make; it appears when it is complete.
        decoder: a `MusicgenMelodyForCausalLM`, or a complete checkpoint whose decoder is taken;
            named like `base`. None: the base's own.
        adapter: a folder with a LoRA of peft, of the decoder or of the whole model, which is merged
            into the weights. None: none.
        dtype: number type of decoder and text encoder: `float32`, `float16` or `bfloat16`; None:
            that of the base's decoder. The codec keeps float32 unless the base's is smaller.
        progress: receives what is being done.

    Raises:
        BadArgument: neither a decoder nor an adapter is given, or `out` exists.
        CheckpointUnusable: a part cannot be used, or the parts do not fit together.
        DiskFull, NotWritable: the new folder cannot be written.
        Unsupported: an adapter is given and peft is not installed.
    """
    if decoder is None and adapter is None:
        raise BadArgument("there is nothing to put together: give a decoder, an adapter, or both")
    check_transformers()
    target = Path(out).expanduser()
    check_new(target)
    location = find(base)
    decoder_location = None if decoder is None else find(decoder)
    lora = None if adapter is None else _checked_adapter(Path(adapter).expanduser())
    number_type = _number_type(location, dtype)
    progress("reading")
    adapted = 0
    with quiet():
        model = read_model(location, decoder_location, number_type)
        if lora is not None:
            progress("merging the adapter")
            adapted = _merge(model, lora)
        progress("writing")
        with complete_or_absent(target, model_bytes(model)) as unfinished:
            model.save_pretrained(unfinished)
            copy_small_files(location.folder, unfinished)
    return Composition(target, (decoder_location or location).name, adapted)


def _number_type(location: Location, dtype: str | None) -> torch.dtype:
    if dtype is not None:
        return resolve_dtype(dtype, torch.device("cpu"))
    for name, tensor in stored_tensors(location.name, location.folder).items():
        if name.startswith("decoder."):
            return _DTYPES.get(tensor.dtype, torch.float32)
    return torch.float32


def _checked_adapter(folder: Path) -> Path:
    """The adapter's folder, after checking its files.

    Raises:
        CheckpointUnusable: it is no LoRA in safetensors.
        Unsupported: peft is not installed.
    """
    name = str(folder)
    try:
        config = json.loads(read_small_file(folder / ADAPTER_CONFIG))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointUnusable(
            f"adapter {name!r}: {ADAPTER_CONFIG} cannot be read ({error}); give the folder that "
            "peft saved"
        ) from error
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind != "LORA":
        raise CheckpointUnusable(f"adapter {name!r} is of type {kind!r}; only LORA can be merged")
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise CheckpointUnusable(
            f"adapter {name!r} has no {ADAPTER_WEIGHTS}: pickled weights can run code, so they are "
            "not read; save it again with peft's save_pretrained"
        )
    try:
        import peft  # noqa: F401
    except ImportError as error:
        raise Unsupported("an adapter needs peft: pip install 'melody-bridge[train]'") from error
    return folder


def _merge(model: Any, folder: Path) -> int:
    """Add the adapter's matrices to the model's weights; return how many were changed."""
    from safetensors import SafetensorError, safe_open

    name = str(folder)
    try:
        with safe_open(folder / ADAPTER_WEIGHTS, "pt") as opened:
            keys = sorted(opened.keys())
    except (SafetensorError, OSError) as error:
        raise CheckpointUnusable(
            f"adapter {name!r}: {ADAPTER_WEIGHTS} cannot be read ({error}); copy it again"
        ) from error
    adapted = [key.removeprefix(_ADAPTER_PREFIX) for key in keys]
    if adapted and all(key.startswith(_WHOLE_MODEL) for key in adapted):
        _merge_into(model, folder, keys)
    elif adapted and all(key.startswith(_DECODER_ALONE) for key in adapted):
        model.decoder = _merge_into(model.decoder, folder, keys)
    else:
        odd = next((key for key in adapted if not key.startswith(_WHOLE_MODEL)), "nothing")
        raise CheckpointUnusable(
            f"adapter {name!r} changes {odd}, which MusicGen Melody does not have; give one that "
            "was trained on this kind of model"
        )
    return sum(key.endswith("lora_A.weight") or ".lora_embedding_A" in key for key in keys)


def _merge_into(model: Any, folder: Path, keys: list[str]) -> Any:
    from peft import PeftModel, get_peft_model_state_dict

    name = str(folder)
    try:
        adapted = PeftModel.from_pretrained(model, folder, local_files_only=True)
        taken = set(get_peft_model_state_dict(adapted))
    # peft raises whatever it comes across in a wrong configuration.
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise CheckpointUnusable(
            f"adapter {name!r} does not fit the model ({reason}); give the base that it was "
            "trained with"
        ) from error
    if taken != set(keys):
        raise CheckpointUnusable(
            f"adapter {name!r} does not fit the model: {min(taken ^ set(keys))} is in one of them "
            "alone; give the base that it was trained with"
        )
    try:
        return adapted.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise CheckpointUnusable(
            f"adapter {name!r} has values that are not finite; copy it again"
        ) from error


def copy_small_files(source: Path, target: Path) -> None:
    """Copy the tokenizer, the defaults for generation and the model card of the base."""
    for file in sorted(source.iterdir()):
        is_text = file.suffix in (".json", ".txt", ".model") or file.name == "README.md"
        # The configuration and the index of the weights are new.
        is_new = file.name == "config.json" or file.name.endswith(".safetensors.index.json")
        if is_text and not is_new and file.is_file():
            shutil.copyfile(file, target / file.name)
