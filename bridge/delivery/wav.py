"""Clips as files: named by the bridge, whole or not there at all, never over another.

A clip is written beside its place under a name no one opens (`.name.wav.part`), brought to disk,
and renamed. The sidecar comes first, so that whoever sees the clip finds how it was made. The part
is also the reservation of the name: it is created exclusively and locked while it is written, so
that two writers never take one name, and what a killed writer left behind can be told from work in
progress and cleared away.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from fractions import Fraction
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from bridge.audio import Waveform
from bridge.delivery.riff import wav_bytes
from bridge.errors import BadArgument, DiskFull
from bridge.timing import Meter

PART = ".part"
SIDECAR = ".json"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No space, no quota, or a limit on the file's size."""
LONGEST_TITLE = 48
"""Letters of a clip's title in its name; a file name holds 255 bytes."""


def clip_name(
    title: str, *, tempo_bpm: Fraction, bars: int, seed: int, day: date | None = None
) -> str:
    """What to call a clip, such as `2026-11-22 lofi-keys 120bpm 4bars seed7`.

    Args:
        title: a preset's or a melody's name; anything but letters and digits becomes a hyphen.
        day: today if None.
    """
    tempo = f"{float(tempo_bpm):.3f}".rstrip("0").rstrip(".")
    length = f"{bars}bar" if bars == 1 else f"{bars}bars"
    return f"{(day or date.today()).isoformat()} {plain_name(title)} {tempo}bpm {length} seed{seed}"


def plain_name(title: str) -> str:
    """The title as part of a file's name: letters and digits, anything else a hyphen."""
    hyphened = re.sub(r"[\W_]+", "-", title.lower()).strip("-")
    return hyphened[:LONGEST_TITLE].rstrip("-") or "clip"


def write_clip(
    out: str | os.PathLike[str],
    waveform: Waveform,
    metadata: Mapping[str, Any],
    *,
    name: str,
    bars: int,
    tempo_bpm: Fraction,
    meter: Meter,
) -> Path:
    """Write a clip and its sidecar; the clip appears whole, after the sidecar, or not at all.

    A name that is taken gets ` 2`, ` 3` and so on. Whatever interrupts it, Ctrl-C included, leaves
    nothing; what a killed writer left is cleared by the next.

    Args:
        out: a file ending in `.wav`, or else a folder; made if it is not there.
        metadata: everything needed to make the clip again: JSON's types, fractions, paths and
            numpy numbers; NaN and infinities become null.
        name: the clip's name in a folder, from `clip_name`.

    Returns:
        The clip's path. The sidecar is beside it, with `.json` in place of `.wav`.

    Raises:
        DiskFull: no space, or a limit on file sizes.
        BadArgument: the folder cannot be made or written to.
    """
    folder, stem = _place(Path(out), name)
    sound = wav_bytes(waveform, bars=bars, tempo_bpm=tempo_bpm, meter=meter)
    text = json.dumps(_plain(metadata), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return write_whole(folder, f"{stem}.wav", sound, sidecar=text.encode())


def write_whole(folder: Path, name: str, content: bytes, *, sidecar: bytes | None = None) -> Path:
    """Write a file that appears whole or not at all, its sidecar before it.

    Args:
        name: what to call it, `.wav` or `.mid`; a name that is taken gets ` 2`, ` 3` and so on.

    Returns:
        The file's path.

    Raises:
        DiskFull: no space, or a limit on file sizes.
        BadArgument: the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        clear_stale_parts(folder)
        with _reserved(folder, name) as (part, path):
            _fill(part, content)
            try:
                if sidecar is not None:
                    _write_sidecar(path, sidecar)
                os.replace(_part_of(path), path)
                _sync_folder(folder)
            except BaseException:
                if _is_still(part, path):
                    path.unlink()
                path.with_suffix(SIDECAR).unlink(missing_ok=True)
                raise
    except OSError as error:
        if error.errno in FULL:
            raise DiskFull(
                f"no room for the clip in {folder} ({error.strerror}): free some space"
            ) from error
        reason = error.strerror or str(error)
        raise BadArgument(f"cannot write to {folder}: {reason}; choose another folder") from error
    return path


def _place(out: Path, name: str) -> tuple[Path, str]:
    if out.suffix.lower() == ".wav" and not out.is_dir():
        return out.parent, out.stem
    return out, name


def clear_stale_parts(folder: Path) -> None:
    """Remove what killed writers left in a folder, and nothing that is being written.

    A clip's part is there as long as anything of it is unfinished, so it stands for them all: the
    sidecar's part, and a sidecar whose clip never came.
    """
    for part in (*folder.glob(f".*.wav{PART}"), *folder.glob(f".*.mid{PART}")):
        # Not ours to remove, or gone by now: then it is not in the way either.
        with contextlib.suppress(OSError), FileIO(part, "rb+") as file:
            if not _locked(file) or not _is_still(file, part):
                continue
            clip = folder / part.name.removeprefix(".").removesuffix(PART)
            sidecar = clip.with_suffix(SIDECAR)
            # Nothing is written under a name before it is known to be free: an empty part may be
            # that of a name that another's sidecar has.
            if os.fstat(file.fileno()).st_size:
                _part_of(sidecar).unlink(missing_ok=True)
                if not clip.exists():
                    sidecar.unlink(missing_ok=True)
            part.unlink()


@contextlib.contextmanager
def _reserved(folder: Path, name: str) -> Iterator[tuple[FileIO, Path]]:
    """A part of a name that is free, open and locked, and the path it is for; removed after."""
    stem, suffix = os.path.splitext(name)
    for number in itertools.count(1):
        clip = folder / f"{stem if number == 1 else f'{stem} {number}'}{suffix}"
        part = _part_of(clip)
        try:
            file = FileIO(part, "xb")
        except FileExistsError:
            continue
        with file:
            mine = True
            try:
                # One who clears parts away may have come before the lock: then it is theirs.
                with contextlib.suppress(OSError):  # A mount without locks: nobody clears it up.
                    mine = _locked(file) and _is_still(file, part)
                # Only now: a writer that was faster has renamed its part, and its clip is there.
                taken = clip.exists() or clip.with_suffix(SIDECAR).exists()
                if mine and not taken:
                    yield file, clip
                    return
            finally:
                if mine and _is_still(file, part):
                    part.unlink(missing_ok=True)


def _locked(file: FileIO) -> bool:
    """Lock a file for as long as it is open; False when another holds it."""
    if sys.platform == "win32":
        # Windows removes no file that is in use; a stale part stays there.
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(file: FileIO, path: Path) -> bool:
    """Whether the open file is the one at that path: neither renamed nor removed since."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _write_sidecar(clip: Path, content: bytes) -> None:
    sidecar = clip.with_suffix(SIDECAR)
    part = _part_of(sidecar)
    try:
        with FileIO(part, "wb") as file:
            _fill(file, content)
        os.replace(part, sidecar)
    finally:
        part.unlink(missing_ok=True)


def _fill(file: FileIO, content: bytes) -> None:
    """Write, and wait until it is on the disk."""
    rest = memoryview(content)
    while rest:
        # At a limit a write is short, and the next one fails.
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


def _part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}{PART}")


def _sync_folder(folder: Path) -> None:
    """Bring the folder's entries to disk, where the system can: Windows and some mounts cannot."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _plain(value: Any) -> Any:
    """What JSON can hold: exact decimals as numbers, other fractions and paths as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return int(value)
        number = float(value)
        return number if Fraction(str(number)) == value else str(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
