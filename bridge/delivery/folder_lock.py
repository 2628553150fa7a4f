"""Locks between programs: on the clips of a folder, and on a file that a long run writes.

One program at a time changes the clips of a folder: the daemon, or a command beside it.

Writing new clips needs no lock: each name is reserved (`bridge.delivery.wav`).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bridge.errors import NotWritable

WAIT_SECONDS = 5.0
"""How long to wait for another program; moving sixteen clips takes a few milliseconds."""
_POLL_SECONDS = 0.01
_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


@contextlib.contextmanager
def folder_lock(folder: Path, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the folder's lock. The system frees it when the process ends, however that ends.

    Raises:
        NotWritable: the folder cannot be opened, or another program has had the lock for
            `wait_seconds`.
    """
    try:
        descriptor = _opened(folder)
    except OSError as error:
        raise NotWritable(f"the clips of {folder} cannot be changed: {error.strerror}") from error
    try:
        deadline = time.monotonic() + wait_seconds
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                raise NotWritable(
                    f"another program has been changing the clips of {folder} for "
                    f"{wait_seconds:g} s: try again when it is done"
                )
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def file_lock(file: Path) -> Iterator[bool]:
    """Hold the lock of a file, which need not exist; False: another program has it.

    The system frees it when the process ends, however that ends. The lock is another, hidden file
    beside it, because the file itself may be replaced; it is removed at the end.

    Raises:
        OSError: the folder cannot be written to.
    """
    real = file.resolve()
    path = real.with_name(f".{real.name}.lock")
    descriptor = _locked_file(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            # Windows removes no file that is open; elsewhere it goes while nobody else can lock it.
            if sys.platform == "win32":
                os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            if sys.platform != "win32":
                os.close(descriptor)


def _locked_file(path: Path) -> int | None:
    """A descriptor of the locked file, which is made if it is missing; None: another has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if not _locked(descriptor):
            os.close(descriptor)
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        # Its last owner has removed it meanwhile.
        os.close(descriptor)


def _opened(folder: Path) -> int:
    """Open what is locked: the folder itself; on Windows, which locks files alone, a file."""
    if sys.platform != "win32":
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    name = hashlib.sha256(str(folder.absolute()).lower().encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"melody-bridge-{name}.lock"
    return os.open(path, os.O_RDWR | os.O_CREAT)


def _locked(descriptor: int) -> bool:
    """Lock; False: another process has it. A mount without locks counts as locked."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _TAKEN
    return True
