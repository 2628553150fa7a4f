"""The user's folder: `config.toml` and the `presets` folder beside it."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs

from bridge.config.entry import Place
from bridge.config.options import options_in
from bridge.config.small_file import read_small_file
from bridge.errors import BadArgument, UnreadableFile

_CONFIG_HEAD = """\
# Settings of Melody Bridge. Remove the # before a name to set it; a flag wins over this file.
"""
_LINE_CHARACTERS = 100
_MOST_TOML_BYTES = 256 << 10
"""Ten times the commented configuration; Python reads a megabyte of TOML in a second."""
_MOST_DEPTH = 8


def user_folder() -> Path:
    """The folder of the user's `config.toml` and `presets`."""
    return platformdirs.user_config_path("melody-bridge", appauthor=False)


def config_path() -> Path:
    """The path of the user's `config.toml`, whether or not the file exists."""
    return user_folder() / "config.toml"


def read_config(path: Path | None = None) -> Mapping[str, Any]:
    """Option values by name from a configuration file.

    Args:
        path: a file that must exist; None: the user's own, which may be missing.

    Raises:
        UnreadableFile: the file cannot be read, is not TOML, or a value is unknown or out of range.
    """
    if path is None:
        path = config_path()
        if not path.exists():
            return {}
    try:
        return read_values(read_toml(path), "file")
    except BadArgument as error:
        raise UnreadableFile(f"configuration {str(path)!r}: {error}") from error


def render_defaults(path: Path | None = None) -> Mapping[str, Any]:
    """The configuration of a render, by field of `config.Options`.

    Args:
        path: as in `read_config`.

    Raises:
        UnreadableFile: as `read_config`.
    """
    configured = read_config(path)
    names = {option.name for option in options_in("render")}
    defaults = {name: value for name, value in configured.items() if name in names}
    return defaults | ({"out": configured["clips"]} if "clips" in configured else {})


def config_text() -> str:
    """A configuration file that sets nothing: every option with its help, commented out."""
    lines = [_CONFIG_HEAD]
    for option in options_in("file"):
        lines += textwrap.wrap(
            f"{option.help[0].upper()}{option.help[1:]} ({option.limits}).",
            _LINE_CHARACTERS,
            initial_indent="# ",
            subsequent_indent="# ",
        )
        lines.append(f"#{option.name} = {option.example or json.dumps(option.default)}")
    return "\n".join(lines) + "\n"


def write_config(path: Path | None = None) -> Path:
    """Write a commented configuration file that changes nothing yet. Never overwrite one.

    Raises:
        BadArgument: the file exists, or cannot be written.
    """
    path = path or config_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            part.write_text(config_text(), encoding="utf-8")
            rename_to_free_name(part, path)
        finally:
            part.unlink(missing_ok=True)
    except FileExistsError as error:
        raise BadArgument(
            f"configuration {str(path)!r} is there already: edit it, or move it away first"
        ) from error
    except OSError as error:
        raise BadArgument(
            f"configuration {str(path)!r} cannot be written: {error.strerror}"
        ) from error
    return path


def rename_to_free_name(part: Path, path: Path) -> None:
    """Give a whole file its name, and never take one that is taken.

    Raises:
        FileExistsError: the name is taken.
    """
    if sys.platform == "win32":
        part.rename(path)  # Windows renames to a free name only.
        return
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        # exFAT and many network shares have no hard links: claim the name, then replace it.
        path.touch(exist_ok=False)
        part.replace(path)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's table.

    Raises:
        UnreadableFile: the file cannot be read, or is not TOML.
    """
    return parse_toml(read_text(path, _MOST_TOML_BYTES), path)


def read_text(path: Path, most_bytes: int) -> str:
    """The text of a file of the user's, its line ends as they are.

    Raises:
        UnreadableFile: the file cannot be read, is too large, or is not UTF-8.
    """
    try:
        return read_small_file(path, most_bytes)
    except OSError as error:
        raise UnreadableFile(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{str(path)!r} is not TOML: {error}") from error


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """The table of a TOML file's text.

    Raises:
        UnreadableFile: the text is not TOML, or nested too deep; the message names the path.
    """
    try:
        table = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise UnreadableFile(f"{str(path)!r} is not TOML: {error}") from error
    except RecursionError as error:
        raise _too_deep(path) from error
    if _depth(table) > _MOST_DEPTH:
        raise _too_deep(path)
    return table


def _too_deep(path: Path) -> UnreadableFile:
    return UnreadableFile(f"{str(path)!r} is nested more than {_MOST_DEPTH} deep: no setting is")


def _depth(table: dict[str, Any]) -> int:
    """How deep tables and lists are nested, counted no further than `_MOST_DEPTH` and one."""
    level: list[object] = [table]
    depth = 0
    while level and depth <= _MOST_DEPTH:
        depth += 1
        level = [
            each
            for one in level
            if isinstance(one, dict | list)
            for each in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def read_values(table: Mapping[str, object], place: Place) -> dict[str, Any]:
    """Option values by name from a TOML table.

    Raises:
        BadArgument: an option may not be set in that place, or a value is of the wrong type or out
            of range.
    """
    known = {option.name: option for option in options_in(place)}
    for name in table:
        if name not in known:
            raise BadArgument(f"{name!r} is not known here: {', '.join(known)} are")
    return {name: known[name].read(raw) for name, raw in table.items()}
