"""`melody-bridge config`: the settings in config.toml."""

from __future__ import annotations

import argparse
import json

from bridge.config import DEFAULT_DEVICE
from bridge.config.files import config_path, read_config, write_config
from bridge.config.flags import config_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--init", action="store_true", help="write a commented file of settings")
    parser.add_argument("--config", metavar="FILE", help="this file (the user's own)")


def run(arguments: argparse.Namespace) -> int:
    """Print the settings, or write a file of them; return the exit status.

    Raises:
        BadArgument, UnreadableFile: the file cannot be written or read.
    """
    path = config_file(arguments)
    if arguments.init:
        print(write_config(path))
        return 0
    path = path or config_path()
    values = read_config(path) if path.exists() else {}
    print(f"{path}{'' if path.exists() else ' (not there; --init writes one)'}")
    for name, value in values.items():
        # As TOML writes it: JSON's strings, numbers and lists are TOML's too.
        shown = DEFAULT_DEVICE if value is None else value
        print(f"  {name} = {json.dumps(shown, default=str, ensure_ascii=False)}")
    return 0
