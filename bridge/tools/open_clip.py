"""`melody-bridge open`: a stored clip, or the folder of all clips, in the system's own program."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bridge.tools.clip_folder import add_folder_flags, open_book, read_id

WAIT_SECONDS = 2.0
"""How long to wait for the opener's failure; some run for as long as the program that they open."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the clip's id, and the folder."""
    parser.add_argument(
        "id",
        nargs="?",
        metavar="ID",
        help="as `melody-bridge clips` shows it, or `last`; left out: the folder",
    )
    add_folder_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Open the clip or the folder, and print its path; return the exit status.

    Where the system has no program that opens files, such as over ssh, only the path is printed.

    Raises:
        UnknownId, BadArgument: no clip, or several clips, are meant.
    """
    book = open_book(arguments)
    path = book.folder if arguments.id is None else book.find(read_id(arguments.id)).known.path
    print(path, flush=True)
    problem = open_path(path) if path.exists() else "there are no clips yet"
    if problem and sys.stderr is not None:
        print(f"not opened: {problem}", file=sys.stderr)
    return 0


def open_path(path: Path) -> str:
    """Open a file or folder in the system's own program. Return why not; empty: it was opened."""
    if sys.platform == "win32":
        try:
            os.startfile(path)
        except OSError as error:
            return str(error.strerror)
        return ""
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    if sys.platform != "darwin" and not ({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()):
        # There, xdg-open would start a browser in this terminal.
        return "there is no display"
    if shutil.which(opener) is None:
        return f"{opener} is not installed"
    process = subprocess.Popen(
        [opener, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        status = process.wait(WAIT_SECONDS)
    except subprocess.TimeoutExpired:
        return ""
    return f"{opener} ended with status {status}" if status else ""
