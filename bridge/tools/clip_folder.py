"""What the commands about stored clips share: the folder, and ids of clips."""

from __future__ import annotations

import argparse

from bridge.config.flags import add_config_flag, add_flag, run_options
from bridge.delivery.clip_book import ClipBook
from bridge.errors import BadArgument
from bridge.rendering import outputs

LONGEST_ID = 1000
"""Characters of an id or a path."""


def add_folder_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which folder holds the clips."""
    add_flag(parser, "clips")
    add_config_flag(parser)


def open_book(arguments: argparse.Namespace) -> ClipBook:
    """The clips of the folder that was named, else of the daemon's.

    Raises:
        BadArgument: what was named is no folder.
        UnreadableFile: the configuration cannot be used.
    """
    folder = run_options(arguments).clips or outputs.clips_folder()
    if folder.exists() and not folder.is_dir():
        raise BadArgument(f"clips {str(folder)!r} is not a folder: name the folder of the clips")
    return ClipBook(folder)


def read_id(word: str) -> str:
    """Check what was written as a clip's id.

    Raises:
        BadArgument: it cannot be one.
    """
    if not word or len(word) > LONGEST_ID or "\0" in word:
        raise BadArgument(f"id {word[:40]!r}: write one that `melody-bridge clips` shows")
    return word
