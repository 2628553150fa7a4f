"""Clips as files: named by the bridge, complete or absent, and never overwriting another file.

A clip is written under a temporary name in its folder (`.name.wav.part`), synced to disk, and
renamed. Its sidecar and its notes come first, so that whoever sees the clip finds how it was made.
The part file also reserves the name: it is created exclusively, and locked while it is written. So
two writers never take one name, and a part file that a killed writer left can be distinguished from
work in progress and removed.
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
import time
from collections.abc import Iterator, Mapping
from datetime import date
from fractions import Fraction
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from bridge.audio import Waveform
from bridge.delivery.notes_file import NOTES_SUFFIX, notes_path
from bridge.delivery.riff import wav_bytes
from bridge.errors import DiskFull, NotWritable
from bridge.timing import Meter

PART = ".part"
SIDECAR = ".json"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No space, no quota, or a limit on the file's size."""
STALE_NOTES_SECONDS = 600.0
"""A part file of notes that is older is a killed writer's."""
LONGEST_TITLE = 48
"""Most letters of a title in a clip's name; a file name can have 255 bytes."""


def clip_name(
    title: str, *, tempo_bpm: Fraction, bars: int, seed: int, day: date | None = None
) -> str:
    """A clip's name, such as `2026-11-22 lofi-keys 120bpm 4bars seed7`.

    Args:
        title: a preset's or a melody's name; anything but letters and digits becomes a hyphen.
        day: today if None.
    """
    length = f"{bars}bar" if bars == 1 else f"{bars}bars"
    return _name(title, f"{_decimal(tempo_bpm)}bpm {length}", seed, day)


def raw_clip_name(title: str, *, seconds: float, seed: int, day: date | None = None) -> str:
    """A raw clip's name, such as `2026-11-22 lofi-keys raw 2.5s seed7`; as `clip_name`."""
    return _name(title, f"raw {_decimal(seconds)}s", seed, day)


def _name(title: str, length: str, seed: int, day: date | None) -> str:
    return f"{(day or date.today()).isoformat()} {plain_name(title)} {length} seed{seed}"


def _decimal(value: Fraction | float) -> str:
    """A number with at most three decimals."""
    return f"{float(value):.3f}".rstrip("0").rstrip(".")


def plain_name(title: str) -> str:
    """A title as part of a file's name: letters and digits; a hyphen replaces anything else."""
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
    notes: bytes | None = None,
) -> Path:
    """Write a clip and what is beside it; the clip appears complete, after that, or not at all.

    A taken name gets ` 2`, ` 3` and so on. An interrupted write, by Ctrl-C for instance, leaves no
    file; the next writer removes the files of a killed one.

    Args:
        out: a file ending in `.wav`, or else a folder, which is created if it does not exist.
        metadata: everything needed to make the clip again: JSON's types, fractions, paths and
            numpy numbers; NaN and infinities become null.
        name: the clip's name if `out` is a folder, from `clip_name` or `raw_clip_name`.
        bars: of the loop; 0: a raw clip, which is none.
        notes: the MIDI file of the notes that led; None: none did.

    Returns:
        The clip's path. The sidecar is beside it, with `.json` in place of `.wav`, and the notes
        with `.notes.mid`.

    Raises:
        DiskFull: no space, or a limit on file sizes.
        NotWritable: the folder cannot be created or written to.
    """
    folder, stem = _folder_and_stem(Path(out), name)
    sound = wav_bytes(waveform, bars=bars, tempo_bpm=tempo_bpm, meter=meter)
    return write_atomically(
        folder, f"{stem}.wav", sound, sidecar=_sidecar_bytes(metadata), notes=notes
    )


def beside(clip: Path) -> tuple[Path, Path]:
    """The files that belong to a clip, whether they are there or not: its sidecar, its notes."""
    return clip.with_suffix(SIDECAR), notes_path(clip)


def write_atomically(
    folder: Path,
    name: str,
    content: bytes,
    *,
    sidecar: bytes | None = None,
    notes: bytes | None = None,
) -> Path:
    """Write a file that appears complete or not at all, after its sidecar and its notes.

    Args:
        name: the file's name, `.wav` or `.mid`; a taken name gets ` 2`, ` 3` and so on.

    Returns:
        The file's path.

    Raises:
        DiskFull: no space, or a limit on file sizes.
        NotWritable: the folder cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        clear_stale_parts(folder)
        with _reserved(folder, name) as (part, path):
            _fill(part, content)
            try:
                for file, of_file in zip(beside(path), (sidecar, notes), strict=True):
                    if of_file is not None:
                        replace_file(file, of_file)
                os.replace(_part_of(path), path)
                _sync_folder(folder)
            except BaseException:
                if _is_still(part, path):
                    path.unlink()
                for file in beside(path):
                    file.unlink(missing_ok=True)
                raise
    except OSError as error:
        if error.errno in FULL:
            raise DiskFull(
                f"no room for the clip in {folder} ({error.strerror}): free some space"
            ) from error
        reason = error.strerror or str(error)
        raise NotWritable(f"cannot write to {folder}: {reason}; choose another folder") from error
    return path


def replace_sidecar(sidecar: Path, metadata: Mapping[str, Any], written_ns: int) -> None:
    """Replace a clip's sidecar in one step. Hold the folder's lock (`bridge.delivery.folder_lock`).

    Args:
        written_ns: the new sidecar's modification time, in nanoseconds since 1970.

    Raises:
        OSError: it cannot be written; the old one is still there.
    """
    replace_file(sidecar, _sidecar_bytes(metadata), written_ns)


def _sidecar_bytes(metadata: Mapping[str, Any]) -> bytes:
    text = json.dumps(_plain(metadata), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A path that is not UTF-8 has lone surrogates, which become escapes of JSON.
    return text.encode(errors="backslashreplace")


def _folder_and_stem(out: Path, name: str) -> tuple[Path, str]:
    if out.suffix.lower() == ".wav" and not out.is_dir():
        return out.parent, out.stem
    return out, name


def clear_stale_parts(folder: Path) -> None:
    """Remove the files of killed writers from a folder, and none that is being written.

    A clip's part file exists as long as the clip is unfinished. So a stale one also marks the part
    files of what is beside it, and a sidecar or notes without a clip, as stale.
    """
    for part in (*folder.glob(f".*.wav{PART}"), *folder.glob(f".*.mid{PART}")):
        if part.name.endswith(f"{NOTES_SUFFIX}{PART}"):
            # No lock says whether its writer lives, and writing a few hundred bytes takes no time.
            with contextlib.suppress(OSError):
                if part.stat().st_mtime < time.time() - STALE_NOTES_SECONDS:
                    part.unlink()
            continue
        # If it belongs to another user, or is gone by now, it is not in the way either.
        with contextlib.suppress(OSError), FileIO(part, "rb+") as file:
            if not _locked(file) or not _is_still(file, part):
                continue
            clip = folder / part.name.removeprefix(".").removesuffix(PART)
            # A writer writes nothing before it knows that the name is free. So an empty part file
            # may have the name of another clip, whose sidecar and notes must stay.
            if os.fstat(file.fileno()).st_size:
                for each in beside(clip):
                    _part_of(each).unlink(missing_ok=True)
                    if not clip.exists():
                        each.unlink(missing_ok=True)
            part.unlink()


@contextlib.contextmanager
def _reserved(folder: Path, name: str) -> Iterator[tuple[FileIO, Path]]:
    """Reserve a free name: its part file, open and locked, and the final path. Removed at exit."""
    stem, suffix = os.path.splitext(name)
    for number in itertools.count(1):
        clip = folder / f"{stem if number == 1 else f'{stem} {number}'}{suffix}"
        part = _part_of(clip)
        try:
            file = FileIO(part, "xb")
        except FileExistsError:
            continue
        with file:
            is_ours = True
            try:
                # Another writer may have removed the part file before it was locked.
                with contextlib.suppress(OSError):  # A mount without locks: nobody removes it.
                    is_ours = _locked(file) and _is_still(file, part)
                # Checked last: by now the clip of a faster writer exists under its final name.
                taken = any(each.exists() for each in (clip, *beside(clip)))
                if is_ours and not taken:
                    yield file, clip
                    return
            finally:
                if is_ours and _is_still(file, part):
                    part.unlink(missing_ok=True)


def _locked(file: FileIO) -> bool:
    """Lock a file for as long as it is open; False when another process has the lock."""
    if sys.platform == "win32":
        # Windows removes no file that is in use; a stale part file stays there.
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(file: FileIO, path: Path) -> bool:
    """Whether an open file is still the one at its path: neither renamed nor removed."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def replace_file(path: Path, content: bytes, written_ns: int | None = None) -> None:
    """Write a file in one step; an existing one is replaced.

    Two programs must not do so at a time: hold the folder's lock, or a reserved name.

    Args:
        written_ns: its modification time, in nanoseconds since 1970; None: now.

    Raises:
        OSError: it cannot be written; an existing file is still there.
    """
    part = _part_of(path)
    try:
        with FileIO(part, "wb") as file:
            _fill(file, content)
        if written_ns is not None:
            os.utime(part, ns=(written_ns, written_ns))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _fill(file: FileIO, content: bytes) -> None:
    """Write all of the content, and wait until it is on the disk."""
    rest = memoryview(content)
    while rest:
        # At a size limit a write is short, and the next one fails.
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


def _part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}{PART}")


def _sync_folder(folder: Path) -> None:
    """Sync the folder's entries to disk, where the system can: Windows and some mounts cannot."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _plain(value: Any) -> Any:
    """Convert to JSON's types: exact decimals become numbers, other fractions and paths text."""
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
