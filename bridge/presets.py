"""Presets: named sounds, each a TOML file, bundled or the user's own; and the user's defaults."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from bridge.config import read_value
from bridge.errors import BadArgument, UnknownPreset, UnreadableFile

PRESET_OPTIONS = ("bars", "guidance_scale", "temperature", "top_k", "variations")
"""What a preset may set beside its prompt. Tempo, meter and key are the session's."""
DEFAULT_OPTIONS = (*PRESET_OPTIONS, "model", "device", "sample_rate", "out")
"""What the user's `config.toml` may set."""

_PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Preset:
    """One preset.

    Attributes:
        name: what it is asked for by.
        description: one line for the list; may be empty.
        values: option values by field name of `bridge.config.Options`, `prompt` among them.
        path: the file it came from.
    """

    name: str
    description: str
    values: Mapping[str, Any]
    path: Path

    @property
    def prompt(self) -> str:
        """The prompt, its placeholders not yet filled in."""
        return str(self.values["prompt"])


def find_preset(name: str) -> Preset:
    """The preset of that name, the user's own before a bundled one.

    Raises:
        UnknownPreset: there is none.
        UnreadableFile: the file that would be it is not a valid preset.
    """
    presets, broken = list_presets()
    wanted = name.casefold()
    for preset in presets:
        if preset.name.casefold() == wanted:
            return preset
    for error_path, error in broken.items():
        if error_path.stem.casefold() == wanted:
            raise error
    names = [preset.name for preset in presets]
    close = difflib.get_close_matches(wanted, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise UnknownPreset(f"no preset is called {name!r}: {hint}`melody-bridge presets` lists them")


def list_presets() -> tuple[list[Preset], dict[Path, UnreadableFile]]:
    """All presets by name, the user's own in place of bundled ones; and the files that are none."""
    found: dict[str, Preset] = {}
    broken: dict[Path, UnreadableFile] = {}
    for folder in (bundled_folder(), user_folder() / "presets"):
        for path in sorted(folder.glob("*.toml")):
            try:
                preset = read_preset(path)
                found[preset.name.casefold()] = preset
            except UnreadableFile as error:
                broken[path] = error
    return [found[name] for name in sorted(found)], broken


def read_preset(path: Path) -> Preset:
    """Read and check one preset file.

    Raises:
        UnreadableFile: it cannot be read, is not TOML, lacks its name or prompt, or a value is
            unknown or out of range.
    """
    table = _read_toml(path)
    try:
        name = read_value("preset", table.pop("name", None))
        description = table.pop("description", "")
        if not isinstance(description, str):
            raise BadArgument(f"description {description!r}: write text")
        values = {"prompt": read_value("prompt", table.pop("prompt", None))}
        return Preset(name, description, values | _read_values(table, PRESET_OPTIONS), path)
    except BadArgument as error:
        raise UnreadableFile(f"preset {str(path)!r}: {error}") from error


def user_defaults() -> Mapping[str, Any]:
    """Option values by field name from the user's `config.toml`; empty when there is none.

    Raises:
        UnreadableFile: it cannot be read, is not TOML, or a value is unknown or out of range.
    """
    path = user_folder() / "config.toml"
    if not path.exists():
        return {}
    try:
        return _read_values(_read_toml(path), DEFAULT_OPTIONS)
    except BadArgument as error:
        raise UnreadableFile(f"configuration {str(path)!r}: {error}") from error


def bundled_folder() -> Path:
    """Where the presets lie that came with the program: in the wheel, or in the repository."""
    installed = _PACKAGE / "data" / "presets"
    return installed if installed.is_dir() else _PACKAGE.parent / "presets"


def user_folder() -> Path:
    """Where the user's `config.toml` and `presets` folder are looked for."""
    return platformdirs.user_config_path("melody-bridge", appauthor=False)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableFile(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UnreadableFile(f"{str(path)!r} is not TOML: {error}") from error


def _read_values(table: Mapping[str, object], known: tuple[str, ...]) -> dict[str, Any]:
    for name in table:
        if name not in known:
            raise BadArgument(f"{name!r} is not known here: {', '.join(known)} are")
    return {name: read_value(name, raw) for name, raw in table.items()}
