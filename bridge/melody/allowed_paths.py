"""Files that a message may name: a client is trusted to make music, not to read the disk."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import soundfile

from bridge.errors import PathRefused, UnreadableFile
from bridge.melody.audio_file import FFMPEG_SUFFIXES
from bridge.melody.read import MIDI_SUFFIXES

VOLUMES = {"darwin": ("/Volumes",), "linux": ("/media", "/mnt", "/run/media")}
"""Folders in which the system mounts disks and sticks."""
SUFFIXES = frozenset(
    {f".{name.lower()}" for name in soundfile.available_formats()}
    | {".aif", ".oga", ".opus", *FFMPEG_SUFFIXES, *MIDI_SUFFIXES}
) - {".raw"}
"""Suffixes of what libsndfile and ffmpeg read, and of MIDI.

Raw samples have no header, so `.raw` is out.
"""

_SHOWN = 120
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that make a name look like another one (Unicode's Bidi_Control)."""


def usual_roots() -> tuple[Path, ...]:
    """Home, the temp folder and mounted volumes."""
    volumes = VOLUMES.get(sys.platform, ())
    return (Path.home(), Path(tempfile.gettempdir()), *map(Path, volumes))


def allowed_path(path: str, roots: Iterable[Path]) -> Path:
    """Check the path of a file that a message names, and resolve all its links.

    Args:
        path: the path as it was sent.
        roots: folders that may contain it, at any depth.

    Raises:
        PathRefused: the path is not absolute, goes up with `..`, names a network share, contains
            control or reordering characters, has no suffix of audio or MIDI, or is outside the
            roots.
        UnreadableFile: the file does not exist, is not a regular file, or is not readable.
    """
    shown = ascii(path if len(path) <= _SHOWN else path[:_SHOWN] + "…")
    for refused, because in (
        (_has_hidden_character(path), "it holds characters that do not show"),
        (path.startswith(("//", "\\\\")), "network shares are not read: copy the file here"),
        (not os.path.isabs(path), "write the whole path, from the root"),
        (".." in path.replace("\\", "/").split("/"), "write it without .."),
        (not _has_suffix(path), "only audio and MIDI files are read, by their usual suffixes"),
    ):
        if refused:
            raise PathRefused(f"path {shown}: {because}")
    try:
        # Check where the path leads before whether the file exists: nobody learns what is outside.
        resolved = Path(os.path.realpath(path))
        if not any(resolved.is_relative_to(os.path.realpath(root)) for root in roots):
            raise PathRefused(
                f"path {shown} is outside the folders that messages may read: copy it into your "
                "home folder, or add its folder to melody_roots in config.toml"
            )
        if not _has_suffix(str(resolved)):
            raise PathRefused(f"path {shown} is a link to something that is neither audio nor MIDI")
        if not stat.S_ISREG(resolved.stat().st_mode):
            raise UnreadableFile(f"path {shown} is a folder, a device or a pipe: name a file")
        if not os.access(resolved, os.R_OK):
            raise UnreadableFile(f"path {shown} may not be read: check its permissions")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableFile(f"path {shown} cannot be opened ({reason}): check it") from error
    return resolved


def _has_hidden_character(path: str) -> bool:
    return any(
        character in _REORDERING or unicodedata.category(character) in ("Cc", "Cs")
        for character in path
    )


def _has_suffix(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in SUFFIXES
