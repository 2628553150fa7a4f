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
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from bridge.config import read_value
from bridge.config.small_file import read_small_file
from bridge.delivery.wav import SIDECAR
from bridge.errors import BadArgument, UnknownId
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

    def discard(self, request: str, index: int | None = None) -> int:
        """Move a request's clips, or one of them, with their sidecars to `Discarded`.

        Each client numbers its requests from the start, so an older one may have the same id: the
        newest clip of each index is discarded.

        Returns:
            How many were moved: a clip that somebody removed is not an error.

        Raises:
            UnknownId: the history has no clip of this request.
            BadArgument: the request has no clip of this index, or its clips cannot be moved.
        """
        newest: dict[int, KnownClip] = {}
        for clip in self._clips:
            if clip.request == request:
                newest.setdefault(clip.index, clip)
        of_request = list(newest.values())
        if not of_request:
            raise UnknownId(f"no clip of {request!r} is known: /bridge/clips lists the newest")
        chosen = [clip for clip in of_request if index is None or clip.index == index]
        if not chosen:
            there = ", ".join(str(clip.index) for clip in of_request)
            raise BadArgument(f"index {index}: {request!r} has {there}")
        return self.discard_clips(chosen)

    def discard_clips(self, clips: Sequence[KnownClip]) -> int:
        """Move these clips and their sidecars to `Discarded`, as `discard` does.

        Raises:
            BadArgument: they cannot be moved.
        """
        moved = 0
        for clip in clips:
            try:
                moved += _move(clip.path, self._folder / DISCARDED)
            except OSError as error:
                raise BadArgument(
                    f"{clip.path.name} cannot be moved to {DISCARDED}: {error.strerror}"
                ) from error
            self._clips = [one for one in self._clips if one.path != clip.path]
        _clear_discarded(self._folder / DISCARDED)
        return moved


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


def _move(clip: Path, folder: Path) -> bool:
    """Move a clip and its sidecar to a free name in the folder; False if the clip is gone."""
    if not clip.exists():
        return False
    folder.mkdir(exist_ok=True)
    target, number = folder / clip.name, 1
    while target.exists() or target.with_suffix(SIDECAR).exists():
        number += 1
        target = folder / f"{clip.stem} {number}{clip.suffix}"
    os.replace(clip, target)
    # Its week in this folder starts now.
    os.utime(target)
    sidecar = clip.with_suffix(SIDECAR)
    if sidecar.exists():
        os.replace(sidecar, target.with_suffix(SIDECAR))
        os.utime(target.with_suffix(SIDECAR))
    return True


def _clear_discarded(folder: Path) -> None:
    """Delete clips that were discarded more than a week ago."""
    oldest = time.time() - KEPT_SECONDS
    for path in (*folder.glob("*.wav"), *folder.glob(f"*{SIDECAR}")):
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()
