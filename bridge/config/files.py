"""The user's own folder: `config.toml`, and `presets` beside it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs

from bridge.config.options import CLIP_OPTIONS, DEFAULT_OSC_PORT, FILE_OPTIONS
from bridge.config.readers import read_value
from bridge.errors import BadArgument, UnreadableFile

CONFIG = f"""\
# Settings of Melody Bridge. Remove the # before a name to set it; a flag wins over this file.

# The daemon's UDP port on 127.0.0.1: 1 to 65535.
#osc_port = {DEFAULT_OSC_PORT}
# What it hears: a device's name, part of it, or its index (`melody-bridge devices` lists them), or
# "none". Without this line, the system's default input.
#input = "none"
# How much later than it was played a sound arrives, -500 to 500: `melody-bridge calibrate` tells.
#input_latency_ms = 0.0
# Folders that a message may name melody files in, beside home, the temp folder and volumes.
#melody_roots = ["~/Samples"]

# Where clips go.
#clips = "~/Music/Melody Bridge"
# Hz of the clips, 8000 to 192000: best the same as the set's.
#sample_rate = 44100
# pocket, a folder, or a Hugging Face id.
#model = "pocket"
# auto, cpu, cuda, cuda:N or mps.
#device = "auto"

# What a request means that does not say otherwise: bars 1 to 1000, variations 1 to 16,
# guidance_scale 1 to 20, temperature 0.01 to 10, top_k 0 (all) to 65536.
#bars = 4
#variations = 1
#guidance_scale = 3.0
#temperature = 1.0
#top_k = 250
"""
"""What `melody-bridge config --init` writes: it changes nothing yet."""

RENDER_OPTIONS = (*CLIP_OPTIONS, "model", "device", "sample_rate")


def user_folder() -> Path:
    """Where the user's `config.toml` and `presets` folder are looked for."""
    return platformdirs.user_config_path("melody-bridge", appauthor=False)


def config_path() -> Path:
    """The user's `config.toml`, whether or not it is there."""
    return user_folder() / "config.toml"


def read_config(path: Path | None = None) -> Mapping[str, Any]:
    """Option values by name from a configuration.

    Args:
        path: a file that has to be there; None: the user's own, empty when there is none.

    Raises:
        UnreadableFile: it cannot be read, is not TOML, or a value is unknown or out of range.
    """
    if path is None:
        path = config_path()
        if not path.exists():
            return {}
    try:
        return read_values(read_toml(path), FILE_OPTIONS)
    except BadArgument as error:
        raise UnreadableFile(f"configuration {str(path)!r}: {error}") from error


def render_defaults() -> Mapping[str, Any]:
    """What the user's own configuration says of a render, by field of `config.Options`.

    Raises:
        UnreadableFile: as `read_config`.
    """
    configured = read_config()
    defaults = {name: configured[name] for name in RENDER_OPTIONS if name in configured}
    return defaults | ({"out": configured["clips"]} if "clips" in configured else {})


def write_config(path: Path | None = None) -> Path:
    """Write a commented configuration that changes nothing yet, and never over one that is there.

    Raises:
        BadArgument: there is one, or it cannot be written.
    """
    path = path or config_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not there: a link fails where the name is taken.
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            part.write_text(CONFIG, encoding="utf-8")
            os.link(part, path)
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


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's table.

    Raises:
        UnreadableFile: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableFile(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UnreadableFile(f"{str(path)!r} is not TOML: {error}") from error


def read_values(table: Mapping[str, object], known: tuple[str, ...]) -> dict[str, Any]:
    """The options that a table gives values of.

    Raises:
        BadArgument: a name is not among the known, or a value is of the wrong type or out of range.
    """
    for name in table:
        if name not in known:
            raise BadArgument(f"{name!r} is not known here: {', '.join(known)} are")
    values = {}
    for name, raw in table.items():
        try:
            values[name] = read_value(name, raw)
        except BadArgument as error:
            # As a sentence it may be spelled otherwise: "sample rate".
            message = str(error)
            raise BadArgument(message if name in message else f"{name}: {message}") from error
    return values
