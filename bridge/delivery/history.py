"""The history of clips, read from their sidecars, so that a restart loses nothing.

The files are the only list. A clip that somebody deletes leaves the history; a clip that is copied
in with its sidecar joins it at the next start.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from bridge.config import read_value
from bridge.config.small_file import read_small_file
from bridge.delivery.wav import FULL, SIDECAR
from bridge.errors import BadArgument, DiskFull, NotWritable, UnknownId
from bridge.timing import Meter, parse_tempo

DISCARDED = "Discarded"
"""Folder inside the clips folder for discarded clips."""
KEPT_SECONDS = 7 * 24 * 3600
"""Lifetime of a discarded clip: an undo in the DAW may need it again."""
_UNREADABLE = (
    *(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, ArithmeticError),
)
"""Errors that reading another program's file can raise."""
REMEMBERED = 200
"""Number of clips in the history; older ones are files like any other."""


@dataclass(frozen=True)
class KnownClip:
    """A clip in the clips folder.

    Attributes:
        path: absolute.
        request: the id of the request that made it; empty when none did.
        index: its index in that request, from 0.
        melody_similarity: 0…1; None without a melody.
    """

    path: Path
    request: str
    index: int
    bars: int
    tempo_bpm: Fraction
    meter: Meter
    seed: int
    sample_rate: int
    melody_similarity: float | None


@dataclass(frozen=True)
class MovedClip:
    """A discarded clip.

    Attributes:
        clip: as it was before.
        path: where it is now.
    """

    clip: KnownClip
    path: Path


class History:
    """The newest clips of a folder. It reads and moves files; use it from one thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Read the folder; a missing folder has no clips."""
        self._folder = folder.absolute()
        self._clips = _read_newest(self._folder)
        _clear_discarded(self._folder / DISCARDED)

    def add(self, clips: Sequence[KnownClip]) -> None:
        """Add clips that have just been written, the newest first."""
        self._clips = [*clips, *self._clips][:REMEMBERED]

    def newest(self, count: int) -> list[KnownClip]:
        """Up to `count` clips whose files still exist, newest first."""
        self._clips = [clip for clip in self._clips if clip.path.exists()]
        return self._clips[:count]

    def find(self, request: str, index: int) -> KnownClip:
        """A request's clip of that index, the newest one.

        Raises:
            UnknownId: the history has no clip of this request.
            BadArgument: the request has no clip of this index.
        """
        return _newest_of(self._clips, request, index, "clip")[0]

    def discard(self, request: str, index: int | None = None) -> list[MovedClip]:
        """Move a request's clips, or one of them, with their sidecars to `Discarded`.

        Each client numbers its requests from the start, so an older one may have the same id: the
        newest clip of each index is discarded.

        Returns:
            What was moved: a clip that somebody removed is not an error.

        Raises:
            UnknownId: the history has no clip of this request.
            BadArgument: the request has no clip of this index.
            NotWritable, DiskFull: the clips cannot be moved.
        """
        return self.discard_clips(_newest_of(self._clips, request, index, "clip"))

    def discard_clips(self, clips: Sequence[KnownClip]) -> list[MovedClip]:
        """Move these clips and their sidecars to `Discarded`, as `discard` does.

        Raises:
            NotWritable, DiskFull: they cannot be moved.
        """
        moved = []
        for clip in clips:
            path = _moved(clip.path, self._folder / DISCARDED)
            if path is not None:
                moved.append(MovedClip(clip, path))
            self._clips = [one for one in self._clips if one.path != clip.path]
        _clear_discarded(self._folder / DISCARDED)
        return moved

    def discarded(self, request: str, index: int | None = None) -> list[MovedClip]:
        """A request's clips in `Discarded`, or one of them: the newest of each index.

        Raises:
            UnknownId: `Discarded` has no clip of this request.
            BadArgument: it has none of this index.
        """
        clips = _newest_of(_read_newest(self._folder / DISCARDED), request, index, "discarded clip")
        return [
            MovedClip(replace(clip, path=self._folder / clip.path.name), clip.path)
            for clip in clips
        ]

    def restore(self, moved: Sequence[MovedClip]) -> list[KnownClip]:
        """Move discarded clips and their sidecars back to the clips folder.

        Returns:
            The clips that are there now: one that somebody removed is not among them. A clip whose
            name is taken by now gets another.

        Raises:
            NotWritable, DiskFull: they cannot be moved.
        """
        restored = []
        for each in moved:
            path = _moved(each.path, self._folder, name=each.clip.path.name)
            if path is not None:
                restored.append(replace(each.clip, path=path))
        self.add(restored)
        return restored


def _read_newest(folder: Path) -> list[KnownClip]:
    dated = []
    # A clip may vanish, or the folder may be unreadable: the history is then shorter.
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SIDECAR) and not entry.name.startswith("."):
                with suppress(OSError):
                    dated.append((entry.stat().st_mtime_ns, Path(entry.path)))
    clips: list[tuple[int, KnownClip]] = []
    for written, sidecar in sorted(dated, reverse=True):
        clip = _read(sidecar)
        if clip is not None:
            clips.append((written, clip))
        if len(clips) == REMEMBERED:
            break
    # A request's best clip is written last; a coarse file clock may give all of them one time.
    clips.sort(key=lambda dated: (-dated[0], dated[1].index))
    return [clip for _, clip in clips]


def _read(sidecar: Path) -> KnownClip | None:
    """Read a sidecar; None if its clip is gone, or if another program wrote it."""
    path = sidecar.with_suffix(".wav")
    try:
        fields: dict[str, Any] = json.loads(read_small_file(sidecar))
        if not path.is_file():
            return None
        similarity = fields["melody_similarity"]
        return KnownClip(
            path=path,
            request=str(fields.get("request", "")),
            index=int(fields.get("index", 0)),
            bars=read_value("bars", fields["bars"]),
            tempo_bpm=_tempo(fields["tempo_bpm"]),
            meter=Meter.parse(fields["meter"]),
            seed=read_value("seed", fields["seed"]),
            sample_rate=read_value("sample_rate", fields["sample_rate"]),
            melody_similarity=None if similarity is None else float(similarity),
        )
    # A file of another program must not keep the daemon from starting, whatever it contains.
    except (*_UNREADABLE, BadArgument):
        return None


def _tempo(fields: object) -> Fraction:
    """Read a tempo: sidecars have decimals as numbers, and other fractions as text."""
    if isinstance(fields, str) and "/" in fields:
        numerator, _, denominator = fields.partition("/")
        return parse_tempo(Fraction(int(numerator), int(denominator)))
    return parse_tempo(fields if isinstance(fields, str) else float(str(fields)))


def _newest_of(
    clips: Sequence[KnownClip], request: str, index: int | None, what: str
) -> list[KnownClip]:
    """The newest clip of each index of a request, or of one index.

    Raises:
        UnknownId: there is no clip of this request.
        BadArgument: there is none of this index.
    """
    newest: dict[int, KnownClip] = {}
    for clip in clips:
        if clip.request == request:
            newest.setdefault(clip.index, clip)
    if not newest:
        raise UnknownId(f"no {what} of {request!r} is known: /bridge/clips lists the newest clips")
    if index is None:
        return [newest[each] for each in sorted(newest)]
    if index not in newest:
        there = ", ".join(map(str, sorted(newest)))
        raise BadArgument(f"index {index}: {request!r} has {there}")
    return [newest[index]]


def _moved(clip: Path, folder: Path, name: str | None = None) -> Path | None:
    """Move a clip and its sidecar to a folder; return its new path, None if the clip is gone.

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
    while target.exists() or target.with_suffix(SIDECAR).exists():
        number += 1
        target = wanted.with_name(f"{wanted.stem} {number}{wanted.suffix}")
    os.replace(clip, target)
    # Its week in this folder starts now.
    os.utime(target)
    sidecar = clip.with_suffix(SIDECAR)
    if sidecar.exists():
        os.replace(sidecar, target.with_suffix(SIDECAR))
        os.utime(target.with_suffix(SIDECAR))
    return target


def _clear_discarded(folder: Path) -> None:
    """Delete clips that were discarded more than a week ago."""
    oldest = time.time() - KEPT_SECONDS
    for path in (*folder.glob("*.wav"), *folder.glob(f"*{SIDECAR}")):
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()
