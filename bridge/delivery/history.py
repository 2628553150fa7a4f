"""The history of clips, read from their sidecars, so that a restart loses nothing.

The files are the only list. A clip that somebody deletes leaves the history; a clip that another
program puts there with its sidecar joins it when the clips are next listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from bridge.delivery import clip_files
from bridge.delivery.clip_files import DISCARDED, MovedClip
from bridge.delivery.sidecar import KnownClip, is_kept, newest_sidecars, read_known
from bridge.delivery.wav import SIDECAR
from bridge.errors import BadArgument, UnknownId

REMEMBERED = 200
"""Number of clips in the history; older ones are files like any other."""


class History:
    """The newest clips of a folder. It reads and moves files; use it from one thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Read the folder; a missing folder has no clips."""
        self._folder = folder.absolute()
        self._seen_ns = _changed_ns(self._folder)
        self._clips = _read_newest(self._folder)
        clip_files.clear_discarded(self._folder)

    def add(self, clips: Sequence[KnownClip]) -> None:
        """Add clips that have just been written, the newest first."""
        self._clips = [*clips, *self._clips][:REMEMBERED]

    def newest(self, count: int) -> list[KnownClip]:
        """Up to `count` clips whose files still exist, newest first."""
        self._clips = [clip for clip in self._clips if clip.path.exists()]
        self._join_others()
        # A command beside the daemon may have marked them.
        return [
            replace(clip, is_kept=is_kept(clip.path.with_suffix(SIDECAR)))
            for clip in self._clips[:count]
        ]

    def named(self, name: str) -> KnownClip | None:
        """The clip in the folder whose file has that name, without its suffix; None: there is none.

        It may be older than those that are remembered.
        """
        return read_known(self._folder / f"{name}{SIDECAR}")

    def _join_others(self) -> None:
        """Add clips that another program has put into the folder since the last look."""
        changed_ns = _changed_ns(self._folder)
        if changed_ns == self._seen_ns:
            return
        self._seen_ns = changed_ns
        known = {clip.path for clip in self._clips}
        read = _read_newest(self._folder)
        newer = list(takewhile(lambda clip: clip.path not in known, read))
        older = [clip for clip in read[len(newer) :] if clip.path not in known]
        self._clips = [*newer, *self._clips, *older][:REMEMBERED]

    def request_clips(self, request: str, index: int | None = None) -> list[KnownClip]:
        """A request's clips, or the one of that index: the newest of each index.

        Each client numbers its requests from the start, so an older one may have the same id.

        Raises:
            UnknownId: the history has no clip of this request.
            BadArgument: the request has no clip of this index.
        """
        return _newest_of(self._clips, request, index, "clip")

    def mark_kept(self, clips: Sequence[KnownClip], is_kept: bool) -> list[KnownClip]:
        """Mark clips as kept, or take the mark away: see `clip_files.mark_kept`."""
        return clip_files.mark_kept(self._folder, clips, is_kept)

    def discard(self, clips: Sequence[KnownClip]) -> list[MovedClip]:
        """Move clips and their sidecars to `Discarded`; kept ones stay: see `clip_files.discard`.

        Raises:
            BadArgument: all of them are kept.
            NotWritable, DiskFull: they cannot be moved.
        """
        moved = clip_files.discard(self._folder, clips)
        self._clips = [clip for clip in self._clips if clip.path.exists()]
        clip_files.clear_discarded(self._folder)
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
        """Move discarded clips back to the clips folder: see `clip_files.restore`."""
        restored = clip_files.restore(self._folder, moved)
        self.add(restored)
        return restored


def _changed_ns(folder: Path) -> int:
    """When files last came or went in a folder, in nanoseconds since 1970; 0: it is not there."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def _read_newest(folder: Path) -> list[KnownClip]:
    clips: list[tuple[int, KnownClip]] = []
    for written, name in newest_sidecars(folder):
        clip = read_known(folder / name)
        if clip is not None:
            clips.append((written, clip))
        if len(clips) == REMEMBERED:
            break
    # A request's best clip is written last; a coarse file clock may give all of them one time.
    clips.sort(key=lambda dated: (-dated[0], dated[1].index))
    return [clip for _, clip in clips]


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
