"""Changes to the clips of a folder: kept, discarded, restored. Each holds the folder's lock."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bridge.delivery.folder_lock import folder_lock
from bridge.delivery.sidecar import KEPT, KnownClip, is_kept, read_fields, read_known
from bridge.delivery.wav import FULL, SIDECAR, beside, replace_sidecar
from bridge.errors import BadArgument, DiskFull, NotWritable

DISCARDED = "Discarded"
"""Folder inside the clips folder for discarded clips."""
KEPT_SECONDS = 7 * 24 * 3600
"""Lifetime of a discarded clip: an undo in the DAW may need it again."""


@dataclass(frozen=True)
class MovedClip:
    """A discarded clip.

    Attributes:
        clip: as it was before.
        path: where it is now.
    """

    clip: KnownClip
    path: Path


def mark_kept(folder: Path, clips: Sequence[KnownClip], is_kept: bool) -> list[KnownClip]:
    """Record in the clips' sidecars whether they are kept.

    Returns:
        The clips as they are now: one that somebody removed is not among them.

    Raises:
        BadArgument: a sidecar cannot be read any more.
        NotWritable, DiskFull: a sidecar cannot be written.
    """
    marked = []
    with folder_lock(folder):
        for clip in clips:
            if clip.path.exists():
                _set_field(clip.path.with_suffix(SIDECAR), KEPT, is_kept)
                marked.append(replace(clip, is_kept=is_kept))
    return marked


def discard(folder: Path, clips: Iterable[KnownClip]) -> list[MovedClip]:
    """Move clips and what is beside them to `Discarded`; kept ones stay.

    Returns:
        What was moved: a clip that somebody removed is not an error.

    Raises:
        BadArgument: all of them are kept.
        NotWritable, DiskFull: they cannot be moved.
    """
    kept, moved = [], []
    with folder_lock(folder):
        there = [clip for clip in clips if clip.path.exists()]
        for clip in there:
            # Read again: another program may have marked it.
            if is_kept(clip.path.with_suffix(SIDECAR)):
                kept.append(clip)
            elif path := _moved(clip.path, folder / DISCARDED):
                moved.append(MovedClip(clip, path))
    if kept and len(kept) == len(there):
        names = ", ".join(clip.path.stem for clip in kept)
        raise BadArgument(f"{names}: kept, and a kept clip is not discarded: unkeep it first")
    return moved


def restore(folder: Path, moved: Iterable[MovedClip]) -> list[KnownClip]:
    """Move discarded clips and what is beside them back to the clips folder.

    Returns:
        The clips that are there now: one that somebody removed is not among them. A clip whose
        name is taken by now gets another.

    Raises:
        NotWritable, DiskFull: they cannot be moved.
    """
    restored = []
    with folder_lock(folder):
        for each in moved:
            if path := _moved(each.path, folder, name=each.clip.path.name):
                restored.append(replace(each.clip, path=path))
    return restored


def clear_discarded(folder: Path) -> None:
    """Delete the clips that were discarded more than a week ago from a clips folder.

    Only clips with their sidecars, and what is beside them: other files stay, and so does all that
    a link in place of the folder leads to.
    """
    oldest = time.time() - KEPT_SECONDS
    discarded = folder / DISCARDED
    if discarded.is_symlink() or not discarded.is_dir():
        return
    # Another program that changes the clips clears them too.
    with suppress(NotWritable), folder_lock(folder):
        for sidecar in discarded.glob(f"*{SIDECAR}"):
            with suppress(OSError):
                is_old = sidecar.stat().st_mtime < oldest
                if is_old and (clip := read_known(sidecar)) is not None:
                    for path in (clip.path, *beside(clip.path)):
                        path.unlink(missing_ok=True)


def _set_field(sidecar: Path, name: str, value: Any) -> None:
    """Set one field of a sidecar. Its time stays: clips are listed by it.

    Raises:
        BadArgument: the sidecar cannot be read.
        NotWritable, DiskFull: it cannot be written.
    """
    try:
        before = sidecar.stat()
        fields = read_fields(sidecar)
    except (OSError, ValueError, RecursionError) as error:
        raise BadArgument(f"{sidecar.name} cannot be read: {error}") from error
    if fields.get(name) == value:
        return
    try:
        replace_sidecar(sidecar, {**fields, name: value}, before.st_mtime_ns)
    except OSError as error:
        kind = DiskFull if error.errno in FULL else NotWritable
        raise kind(f"{sidecar.name} cannot be written: {error.strerror}") from error


def _moved(clip: Path, folder: Path, name: str | None = None) -> Path | None:
    """Move a clip and what is beside it to a folder; return its new path, None if it is gone.

    Args:
        name: its new name; None: its own. A taken name gets ` 2`, ` 3` and so on.

    Raises:
        NotWritable, DiskFull: it cannot be moved.
    """
    try:
        return _move(clip, folder / (name or clip.name))
    except OSError as error:
        kind = DiskFull if error.errno in FULL else NotWritable
        raise kind(f"{clip.name} cannot be moved to {folder.name}: {error.strerror}") from error


def _move(clip: Path, wanted: Path) -> Path | None:
    if not clip.exists():
        return None
    wanted.parent.mkdir(exist_ok=True)
    target, number = wanted, 1
    while any(each.exists() for each in (target, *beside(target))):
        number += 1
        target = wanted.with_name(f"{wanted.stem} {number}{wanted.suffix}")
    os.replace(clip, target)
    # Its week in this folder starts now.
    os.utime(target)
    for source, moved in zip(beside(clip), beside(target), strict=True):
        if source.exists():
            os.replace(source, moved)
            os.utime(moved)
    return target
