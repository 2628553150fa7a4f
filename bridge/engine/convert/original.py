"""Reads the two files of an audiocraft checkpoint, without audiocraft.

audiocraft exports a language model as `state_dict.bin` and its codec as
`compression_state_dict.bin` (audiocraft/utils/export.py). Each is a pickle of a dictionary:
`best_state` holds the tensors and `xp.cfg` the settings of the training, as YAML. A codec that
was not trained anew is `pretrained`, a name, instead.
"""

from __future__ import annotations

import pickle
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from bridge.engine.weights import quiet
from bridge.errors import CheckpointUnusable

LANGUAGE_MODEL = "state_dict.bin"
CODEC = "compression_state_dict.bin"
MOST_SETTINGS = 1 << 20
"""Characters of YAML. Exported checkpoints have about 20,000."""
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")
_MOST_REFERENCES = 8
"""References in a row, so that two that name each other end."""
_ABSENT = object()
_BROKEN = (OSError, RuntimeError, ValueError, EOFError, KeyError, TypeError, AttributeError)
"""What torch's reader raises for a broken archive."""


class Settings:
    """The settings of a training run, `xp.cfg`, by dotted path."""

    def __init__(self, text: object, file: Path) -> None:
        """Parse the YAML.

        Raises:
            CheckpointUnusable: it is none, or has no mapping.
        """
        self.file = file
        if not isinstance(text, str):
            raise CheckpointUnusable(
                f"{str(file)!r}: 'xp.cfg' is no text; export the checkpoint with audiocraft's "
                "audiocraft.utils.export"
            )
        if len(text) > MOST_SETTINGS:
            raise CheckpointUnusable(
                f"{str(file)!r}: 'xp.cfg' has {len(text)} characters, and at most {MOST_SETTINGS} "
                "are read; export the checkpoint again"
            )
        try:
            self._root = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise CheckpointUnusable(
                f"{str(file)!r}: 'xp.cfg' is no valid YAML ({reason}); export the checkpoint again"
            ) from error

    def get(self, path: str, default: object = None) -> Any:
        """The value at a dotted path, or the default where there is none.

        A value that is a reference, `${channels}`, is followed.
        """
        for _ in range(_MOST_REFERENCES):
            value = self._at(path)
            reference = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
            if reference is None:
                return default if value is _ABSENT else value
            path = reference[1]
        return default

    def integer(self, path: str) -> int:
        """The whole number above 0 at a path.

        Raises:
            CheckpointUnusable: there is none.
        """
        value = self.get(path)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise CheckpointUnusable(
                f"{str(self.file)!r}: setting {path} is {value!r}, not a whole number above 0; "
                "export the checkpoint again"
            )
        return value

    def _at(self, path: str) -> Any:
        value: Any = self._root
        for part in path.split("."):
            if not isinstance(value, dict) or part not in value:
                return _ABSENT
            value = value[part]
        return value


@dataclass(frozen=True, eq=False)
class Package:
    """One file of an audiocraft checkpoint.

    Attributes:
        file: its path.
        state: the tensors by audiocraft's name; empty where `pretrained` names them.
        settings: of the training run; None where `pretrained` names them.
        pretrained: a Hugging Face id, where the file only refers to a codec.
    """

    file: Path
    state: Mapping[str, torch.Tensor]
    settings: Settings | None
    pretrained: str | None = None


def read_package(file: Path) -> Package:
    """Read a file of an audiocraft checkpoint.

    The file is a pickle. torch reads it with `weights_only=True`, which makes tensors and plain
    containers alone and refuses whatever else the pickle names, so it runs no code of the file.

    Raises:
        CheckpointUnusable: the file is missing, cut, holds more than weights, or is another thing.
    """
    content = _unpickled(file)
    if not isinstance(content, dict):
        raise _not_exported(file, f"holds a {type(content).__name__}")
    pretrained = content.get("pretrained")
    if isinstance(pretrained, str):
        return Package(file, {}, None, pretrained)
    state = content.get("best_state")
    if not isinstance(state, dict) or not state:
        raise _not_exported(file, "has no 'best_state'")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise _not_exported(file, f"has {name!r} in 'best_state', which is no tensor")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise CheckpointUnusable(
                f"{str(file)!r}: weight {name} has values that are not finite; copy or fetch it "
                "again"
            )
    return Package(file, state, Settings(content.get("xp.cfg"), file))


def _unpickled(file: Path) -> object:
    try:
        # Opening a pipe would wait for ever.
        if not stat.S_ISREG(file.stat().st_mode):
            raise CheckpointUnusable(f"{str(file)!r} is not a regular file")
        is_zip = _is_zip(file)
    except OSError as error:
        raise CheckpointUnusable(
            f"{str(file)!r}: {error.strerror or error}; give the folder that holds audiocraft's "
            f"{LANGUAGE_MODEL} and {CODEC}"
        ) from error
    try:
        # A zip archive, torch's format since 1.6, can be mapped: its tensors are read when used.
        with quiet():
            return torch.load(file, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        raise CheckpointUnusable(
            f"{str(file)!r} holds more than weights, so reading it could run code, or it is "
            "damaged; nothing of it was run. Export the checkpoint with audiocraft's "
            "audiocraft.utils.export"
        ) from error
    except _BROKEN as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise CheckpointUnusable(
            f"{str(file)!r} cannot be read ({reason}); copy or fetch it again"
        ) from error


def _is_zip(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == b"PK\x03\x04"


def _not_exported(file: Path, found: str) -> CheckpointUnusable:
    return CheckpointUnusable(
        f"{str(file)!r} {found}: it is no exported checkpoint of audiocraft; export it with "
        "audiocraft.utils.export"
    )
