"""Takes that nobody needs any more are deleted, some time after they were last used."""

from __future__ import annotations

import errno
import itertools
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePath

from bridge.config.small_file import read_small_file
from bridge.delivery.clip_files import DISCARDED
from bridge.delivery.folder_lock import folder_lock
from bridge.delivery.notes_file import notes_name
from bridge.delivery.sidecar import KEPT, UNREADABLE, fields_of
from bridge.delivery.takes import TAKES
from bridge.delivery.wav import SIDECAR

MOST_AT_ONCE = 1000
"""Takes that are deleted in one go; the rest are deleted in the next."""
_SUFFIXES = (".wav", ".mid")
_FILES_AT_ONCE = 100
_PAUSE_SECONDS = 0.002
"""Rest after so many files: the daemon's event loop gets its turn."""
_DAY_SECONDS = 24 * 3600
_NO_SIDECAR = (errno.EINVAL, errno.EFBIG, errno.EISDIR, errno.ELOOP)
"""A pipe, a huge file, a folder, a link to itself: none is a sidecar."""
_KEPT = re.compile(rf'"{KEPT}"\s*:\s*true')


def delete_old_takes(
    clips: Path, days: int, should_stop: Callable[[], bool] = lambda: False
) -> list[str]:
    """Delete the takes of a clips folder that are old and that no clip needs.

    A take stays for `days` after it was written, after it was last used, and after the last clip
    that follows it was made. As long as one of these clips is kept, it stays. Only files directly
    in the folder for takes are deleted; a link there, or in its place, is left alone.

    Args:
        days: 1 or more.
        should_stop: asked now and then; True: delete nothing more.

    Returns:
        The names of the takes that were deleted.

    Raises:
        OSError: the folder cannot be read, or a sidecar in it; then nothing is deleted.
        NotWritable: another program is changing the clips.
    """
    oldest = time.time() - days * _DAY_SECONDS
    folder = clips / TAKES
    begun = time.time()
    old = {name for name in _takes(folder) if _is_old(folder / name, oldest)}
    if not old or not _release(old, clips, oldest, should_stop):
        return []
    deleted: list[str] = []
    with folder_lock(clips):
        # What was kept meanwhile: its sidecar is new.
        _release(old, clips, oldest, should_stop, changed_after=begun)
        for name in itertools.islice(sorted(old), MOST_AT_ONCE):
            # Looked at again: `again` may have used it meanwhile.
            if _is_old(folder / name, oldest):
                with suppress(OSError):
                    (folder / name).unlink()
                    deleted.append(name)
    return deleted


def _takes(folder: Path) -> Iterator[str]:
    """The names of the takes in a folder; none where a link is in its place."""
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            return
    except FileNotFoundError:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_SUFFIXES) and not entry.name.startswith("."):
                yield entry.name


def _is_old(take: Path, oldest: float) -> bool:
    """Whether a take is a file of its own, last written or used before that time."""
    try:
        status = take.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_mtime < oldest


def _release(
    old: set[str],
    clips: Path,
    oldest: float,
    should_stop: Callable[[], bool],
    changed_after: float = 0.0,
) -> bool:
    """Take the takes that clips need out of a set.

    Args:
        changed_after: look only at sidecars that were changed then or later.

    Returns:
        Whether all clips were looked at, and takes are left.
    """
    count = 0
    for folder in (clips, clips / DISCARDED):
        if not folder.is_dir():
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.endswith(SIDECAR) or entry.name.startswith("."):
                    continue
                count += 1
                if not changed_after and count % _FILES_AT_ONCE == 0:
                    time.sleep(_PAUSE_SECONDS)
                if not old or should_stop():
                    return False
                with suppress(FileNotFoundError):
                    status = entry.stat()
                    if status.st_ctime >= changed_after:
                        old -= _needed(Path(entry.path), status.st_mtime >= oldest)
    return bool(old)


def _needed(sidecar: Path, is_recent: bool) -> set[str]:
    """The names of the takes that a clip needs.

    Raises:
        OSError: the sidecar cannot be read at this time.
    """
    try:
        text = read_small_file(sidecar)
        # Parsing takes ten times as long as searching, and most clips are neither.
        if not is_recent and not _KEPT.search(text):
            return set()
        fields = fields_of(text)
    except OSError as error:
        if error.errno in _NO_SIDECAR:
            return set()
        raise
    # Another program's file: it names no take.
    except UNREADABLE:
        return set()
    # The melody's path too: sidecars of earlier versions have no link.
    links = (fields.get(name) for name in ("take", "melody"))
    names = {PurePath(link).name for link in links if isinstance(link, str)}
    return names | {notes_name(name) for name in names}
