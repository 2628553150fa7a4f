"""Reading small files of a folder where anything may be: pipes, devices, huge files."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST_BYTES = 4 << 20
"""A hundred times the largest configuration, preset or sidecar."""


def read_small_file(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """The text of a regular file. It never waits, as opening a pipe would.

    Raises:
        OSError: the file cannot be read, is not a regular file, or is larger than `most_bytes`;
            `strerror` says which.
        UnicodeDecodeError: the file is not UTF-8.
    """
    # Before opening: opening some devices does something, such as rewinding a tape.
    _check_regular(path.stat().st_mode)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        # Again: another file may have taken the name meanwhile.
        _check_regular(os.fstat(descriptor).st_mode)
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"larger than {most_bytes >> 10} kB")
    return content.decode("utf-8")


def _check_regular(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file")
