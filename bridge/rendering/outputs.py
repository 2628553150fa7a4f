"""The places that a render writes to: checked before the model is loaded, written all or none."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from bridge.delivery.wav import FULL
from bridge.errors import BadArgument, DiskFull, NotWritable, Unsupported

_OTHER_AUDIO = frozenset({".aif", ".aiff", ".au", ".caf", ".flac", ".m4a", ".mp3", ".ogg", ".opus"})


def clips_folder() -> Path:
    """The default folder for clips."""
    return platformdirs.user_music_path() / "Melody Bridge"


def clip_folder(out: Path) -> Path:
    """The folder of a clip that is written to `out`, a folder or a `.wav` file.

    Raises:
        NotWritable: the folder cannot be written to.
        BadArgument: `out` is a file of another kind.
    """
    with _path_errors("out", out):
        folder = out.parent if out.suffix.lower() == ".wav" and not out.is_dir() else out
        if folder == out and (out.suffix.lower() in _OTHER_AUDIO or out.is_file()):
            raise BadArgument(f"out {str(out)!r}: clips are WAV, so name a .wav file or a folder")
        check_writable("out", folder)
    return folder


def check_plot(path: Path) -> None:
    """Check that a picture can be drawn and written to a `.png` file.

    Raises:
        NotWritable: the file's folder cannot be written to.
        BadArgument: the path is a folder.
        Unsupported: matplotlib, which draws it, is not installed.
    """
    with _path_errors("plot", path):
        if path.is_dir():
            raise BadArgument(f"plot {str(path)!r} is a folder: name a .png file")
        check_writable("plot", path.parent)
    if importlib.util.find_spec("matplotlib") is None:
        raise Unsupported("plot needs matplotlib: pip install 'melody-bridge[plot]'")


class Written:
    """The files and folders that a run has written so far, to remove them when it fails."""

    def __init__(self) -> None:
        self._files: list[Path] = []
        self._folders: list[Path] = []

    def folder(self, path: Path) -> None:
        """Record a folder that may be made, and its missing parents."""
        missing = [each for each in (path, *path.parents) if not each.exists()]
        self._folders += reversed(missing)

    def file(self, path: Path) -> None:
        """Record a file that was not there before."""
        self._files.append(path)

    def remove(self) -> None:
        """Remove all files, and the folders that are empty then."""
        for path in self._files:
            path.unlink(missing_ok=True)
        for path in reversed(self._folders):
            with suppress(OSError):
                path.rmdir()


@contextmanager
def all_or_nothing() -> Iterator[Written]:
    """Remove everything that was written inside the block when it raises."""
    written = Written()
    try:
        yield written
    except BaseException:
        written.remove()
        raise


def write_picture(path: Path, png: bytes, written: Written) -> None:
    """Write a picture in one step; it replaces an existing file.

    Raises:
        NotWritable, DiskFull: it cannot be written.
    """
    try:
        written.folder(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        written.file(part)
        part.write_bytes(png)
        if not path.exists():
            written.file(path)
        os.replace(part, path)
    except OSError as error:
        kind = DiskFull if error.errno in FULL else NotWritable
        raise kind(f"plot {str(path)!r} cannot be written: {error.strerror}") from error


@contextmanager
def _path_errors(option: str, path: Path) -> Iterator[None]:
    """Raise the system's errors about a path (too long, a loop of links) as `BadArgument`."""
    try:
        yield
    except OSError as error:
        raise BadArgument(f"{option} {str(path)!r:.200}: {error.strerror}") from error


def check_writable(option: str, folder: Path) -> None:
    """Check that a folder, which may not be there yet, can be written to.

    Raises:
        NotWritable: it cannot.
    """
    folder = folder.absolute()
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if not existing.is_dir():
        raise NotWritable(f"{option}: {str(existing)!r} is not a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise NotWritable(
            f"{option}: {str(existing)!r} cannot be written to: choose another folder"
        )
