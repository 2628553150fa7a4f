"""A checkpoint's folder that appears when it is complete, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.errors import BadArgument, DiskFull, NotWritable
from bridge.process import signals

_SPARE_BYTES = 1 << 20
"""For configuration and tokenizer."""


def check_new(folder: Path) -> None:
    """Check that a folder can be made there.

    Raises:
        BadArgument: something has the name already.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise BadArgument(f"{str(folder)!r} exists; give a new folder")


@contextmanager
def complete_or_absent(target: Path, size: int) -> Iterator[Path]:
    """A folder that takes the target's name when the block ends without an error.

    Ctrl-C and SIGTERM wait until the block ends; then the unfinished folder is removed.

    Args:
        size: bytes that the block writes, about.

    Raises:
        DiskFull: fewer bytes than `size` are free.
        NotWritable: the folder cannot be made.
        signals.Interrupted: a signal came meanwhile; nothing is left.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free
        if free < size + _SPARE_BYTES:
            raise DiskFull(
                f"{str(target)!r} needs {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; "
                "make room, or give another folder"
            )
        unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise NotWritable(f"{str(target)!r}: {error.strerror or error}") from error
    with signals.held():
        try:
            # mkdtemp makes a folder for its owner alone; a new folder has the user's usual mode.
            umask = os.umask(0)
            os.umask(umask)
            unfinished.chmod(0o777 & ~umask)
            yield unfinished
            signals.accept()
            os.replace(unfinished, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
