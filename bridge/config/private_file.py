"""Files that hold secrets: only their owner can read or write them."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from bridge.config.files import rename_to_free_name
from bridge.config.small_file import read_small_file
from bridge.errors import BadArgument, NotWritable, UnreadableFile

_OTHERS_READ = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def read_private_file(path: Path, most_bytes: int, *, is_secret: bool) -> str:
    """The text of a small file that others cannot change.

    Windows is not asked for permissions: a user's folders are closed to other users there.

    Args:
        is_secret: others must not read it either.

    Raises:
        UnreadableFile: the file is missing, too large, or not UTF-8 text.
        BadArgument: other users can change it, or read it where it is secret.
    """
    shown = repr(str(path))
    try:
        mode = path.stat().st_mode
        if os.name == "posix" and mode & _OTHERS_WRITE:
            raise BadArgument(f"{shown} can be changed by other users: run chmod 600 on it")
        if os.name == "posix" and is_secret and mode & _OTHERS_READ:
            raise BadArgument(f"{shown} can be read by other users: run chmod 600 on it")
        return read_small_file(path, most_bytes)
    except OSError as error:
        raise UnreadableFile(f"{shown} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        # Without the error's own text, which quotes the bytes.
        raise UnreadableFile(f"{shown} is not text: name another file") from error


def write_private_file(path: Path, text: str, *, replace: bool) -> None:
    """Write a file that its owner alone can read: the whole text, or nothing.

    A link stays, and its target is written.

    Args:
        replace: a file of that name is replaced; else it is left alone.

    Raises:
        BadArgument: the name is taken, and `replace` is false.
        NotWritable: the file cannot be written.
    """
    real = Path(os.path.realpath(path))
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        # It makes the file with the mode 0600.
        descriptor, name = tempfile.mkstemp(
            prefix=f".{real.name}.", suffix=".part", dir=real.parent
        )
        part = Path(name)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                part.replace(real)
            else:
                rename_to_free_name(part, real)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
    except FileExistsError as error:
        raise BadArgument(f"{str(path)!r} exists: give a new name") from error
    except OSError as error:
        raise NotWritable(f"{str(path)!r} cannot be written: {error.strerror or error}") from error
