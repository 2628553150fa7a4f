"""Presets: named sounds, each in a TOML file; bundled, or the user's own."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from bridge.config.files import read_toml, read_values, user_folder
from bridge.config.options import read_value
from bridge.errors import BadArgument, UnknownPreset, UnreadableFile

_PACKAGE = Path(str(files("bridge")))
_MOST_READ = 1000
_read: dict[Path, tuple[tuple[int, int, int], Preset]] = {}
"""A cache that threads share: presets by file, each with its file's time, size and inode."""


@dataclass(frozen=True)
class Preset:
    """One preset.

    Attributes:
        name: the name that users choose it by.
        description: one line for the list; may be empty.
        values: option values by field name of `bridge.config.Options`, `prompt` among them.
        path: the file.
    """

    name: str
    description: str
    values: Mapping[str, Any]
    path: Path

    @property
    def prompt(self) -> str:
        """The prompt, its placeholders not yet filled in."""
        return str(self.values["prompt"])


Listing = tuple[list[Preset], dict[Path, UnreadableFile]]
"""All presets by name, and the errors of the files that cannot be read."""


def find_preset(name: str) -> Preset:
    """The preset of that name, the user's own before a bundled one.

    Raises:
        UnknownPreset: no preset has that name.
        UnreadableFile: the user's own file of that name is not a valid preset.
    """
    return choose_preset(name, list_presets())


def choose_preset(name: str, listing: Listing) -> Preset:
    """The preset of that name in a listing.

    Raises:
        UnknownPreset, UnreadableFile: as `find_preset`.
    """
    presets, broken = listing
    key = name.casefold()
    for path, error in broken.items():
        if key in _names(path):
            raise error
    for preset in presets:
        if preset.name.casefold() == key:
            return preset
    names = [preset.name for preset in presets]
    close = difflib.get_close_matches(key, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise UnknownPreset(f"no preset is called {name!r}: {hint}`melody-bridge presets` lists them")


def list_presets() -> Listing:
    """All presets by name, the user's own in place of bundled ones; and the invalid files.

    A bundled preset is not listed beside an invalid file of its name: the name means that file.
    """
    found: dict[str, Preset] = {}
    broken: dict[Path, UnreadableFile] = {}
    for folder in (bundled_folder(), user_folder() / "presets"):
        for path in sorted(folder.glob("*.toml")):
            try:
                preset = _read_again(path)
                found[preset.name.casefold()] = preset
            except UnreadableFile as error:
                broken[path] = error
                for name in _names(path):
                    found.pop(name, None)
    return [found[name] for name in sorted(found)], broken


def preset_names() -> list[str]:
    """The names of all valid presets, in alphabetical order."""
    return [preset.name for preset in list_presets()[0]]


def _read_again(path: Path) -> Preset:
    """Read a preset file unless it is the one that was read last time: listing stays cheap.

    Raises:
        UnreadableFile: as `read_preset`.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise UnreadableFile(f"{str(path)!r} cannot be read: {error.strerror}") from error
    version = (status.st_mtime_ns, status.st_size, status.st_ino)
    known = _read.get(path)
    if known is not None and known[0] == version:
        return known[1]
    preset = read_preset(path)
    if len(_read) >= _MOST_READ:
        _read.clear()
    _read[path] = version, preset
    return preset


def _names(path: Path) -> set[str]:
    """What a preset file may be called, valid or not: its file's name, and the one in it."""
    names = {path.stem.casefold()}
    with suppress(UnreadableFile):
        names.add(str(read_toml(path).get("name")).casefold())
    return names


def read_preset(path: Path) -> Preset:
    """Read and check one preset file.

    Raises:
        UnreadableFile: the file cannot be read, is not TOML, lacks its name or prompt, or has a
            value that is unknown or out of range.
    """
    table = read_toml(path)
    try:
        name = read_value("preset", table.pop("name", None))
        description = table.pop("description", "")
        if not isinstance(description, str):
            raise BadArgument(f"description {description!r}: write text")
        read_value("prompt", table.get("prompt"))
        return Preset(name, description, read_values(table, "preset"), path)
    except BadArgument as error:
        raise UnreadableFile(f"preset {str(path)!r}: {error}") from error


def bundled_folder() -> Path:
    """The folder of the bundled presets: in the wheel, or in the repository."""
    installed = _PACKAGE / "data" / "presets"
    return installed if installed.is_dir() else _PACKAGE.parent / "presets"
