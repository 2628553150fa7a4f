"""`melody-bridge keep`, `unkeep`, `discard` and `restore`: what becomes of stored clips."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bridge.delivery import KnownClip, clip_files
from bridge.delivery.clip_book import clip_id
from bridge.delivery.clip_files import MovedClip
from bridge.tools.clip_folder import add_folder_flags, open_book, read_id

RESTORE = "restore"
_DONE = {"keep": "kept", "unkeep": "let go", "discard": "discarded", RESTORE: "restored"}
"""What has become of the clips, by the command's name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the clips' ids, and the folder."""
    parser.add_argument(
        "ids", nargs="+", metavar="ID", help="as `melody-bridge clips` shows it, or `last`"
    )
    add_folder_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Change the clips, and print what has become of them.

    Every id is looked up before any clip is changed.

    Returns:
        The exit status: 1 when some of the clips stay as they were.

    Raises:
        UnknownId, BadArgument: no clip, or several clips, are meant by an id; or all are kept, and
            were to be discarded.
        NotWritable, DiskFull: the clips cannot be changed.
    """
    command, book = arguments.command, open_book(arguments)
    found = [book.find(read_id(word), discarded=command == RESTORE) for word in arguments.ids]
    # Two ids may mean one clip.
    clips = list({clip.id: clip.known for clip in found}.values())
    paths = _change(command, book.folder, clips)
    for path in paths:
        print(f"{clip_id(path.stem)}  {_DONE[command]}  {path.name}")
    if len(paths) < len(clips) and sys.stderr is not None:
        print(f"{len(clips) - len(paths)} stay as they were: kept, or gone", file=sys.stderr)
    return int(len(paths) < len(clips))


def _change(command: str, folder: Path, clips: Sequence[KnownClip]) -> list[Path]:
    """Change the clips, and return the paths that they have then."""
    if command == "discard":
        return [moved.path for moved in clip_files.discard(folder, clips)]
    if command == RESTORE:
        moved = [
            MovedClip(replace(clip, path=folder / clip.path.name), clip.path) for clip in clips
        ]
        return [clip.path for clip in clip_files.restore(folder, moved)]
    marked = clip_files.mark_kept(folder, clips, is_kept=command == "keep")
    return [clip.path for clip in marked]
