"""Where a render may write, judged before the model is loaded; and all of it, or nothing."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from bridge.errors import BadArgument, Unsupported

_OTHER_AUDIO = frozenset({".aif", ".aiff", ".au", ".caf", ".flac", ".m4a", ".mp3", ".ogg", ".opus"})


def clips_folder() -> Path:
    """Where clips go unless told otherwise."""
    return platformdirs.user_music_path() / "Melody Bridge"


def clip_folder(out: Path) -> Path:
    """The folder that a clip lies in when it is written to `out`, a folder or a `.wav` file.

    Raises:
        BadArgument: it cannot be written to, or `out` is a file of another kind.
    """
    with _remarks("out", out):
        folder = out.parent if out.suffix.lower() == ".wav" and not out.is_dir() else out
        if folder == out and (out.suffix.lower() in _OTHER_AUDIO or out.is_file()):
            raise BadArgument(f"out {str(out)!r}: clips are WAV, so name a .wav file or a folder")
        _check_writable("out", folder)
    return folder


def check_plot(path: Path) -> None:
    """Refuse a `.png` file that the picture cannot go to, or a picture that cannot be drawn.

    Raises:
        BadArgument: it cannot be written there.
        Unsupported: matplotlib, which draws it, is not installed.
    """
    with _remarks("plot", path):
        if path.is_dir():
            raise BadArgument(f"plot {str(path)!r} is a folder: name a .png file")
        _check_writable("plot", path.parent)
    if importlib.util.find_spec("matplotlib") is None:
        raise Unsupported("plot needs matplotlib: pip install 'melody-bridge[plot]'")


class Written:
    """What a run has put on disk so far, to take back."""

    def __init__(self) -> None:
        self._files: list[Path] = []
        self._folders: list[Path] = []

    def folder(self, path: Path) -> None:
        """Remember a folder that may be made, and those above it, as far as they are missing."""
        missing = [each for each in (path, *path.parents) if not each.exists()]
        self._folders += reversed(missing)

    def file(self, path: Path) -> None:
        """Remember a file that was not there before."""
        self._files.append(path)

    def take_back(self) -> None:
        """Remove it all, but for folders that something else has come to lie in."""
        for path in self._files:
            path.unlink(missing_ok=True)
        for path in reversed(self._folders):
            with suppress(OSError):
                path.rmdir()


@contextmanager
def all_or_nothing() -> Iterator[Written]:
    """What is written inside stays if the block is left well, and is removed otherwise."""
    written = Written()
    try:
        yield written
    except BaseException:
        written.take_back()
        raise


def write_picture(path: Path, png: bytes, written: Written) -> None:
    """Write a picture whole, in place of one that is there."""
    written.folder(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    written.file(part)
    part.write_bytes(png)
    if not path.exists():
        written.file(path)
    os.replace(part, path)


@contextmanager
def _remarks(option: str, path: Path) -> Iterator[None]:
    """What the system says of a path (too long, a loop of links) as a mistake in the option."""
    try:
        yield
    except OSError as error:
        raise BadArgument(f"{option} {str(path)!r:.200}: {error.strerror}") from error


def _check_writable(option: str, folder: Path) -> None:
    folder = folder.absolute()
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if not existing.is_dir():
        raise BadArgument(f"{option}: {str(existing)!r} is not a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise BadArgument(f"{option}: {str(existing)!r} cannot be written to")
