"""The clips of a folder as a person looks for them: by a short id, newest first, kept or discarded.

Reads the files alone, so it works beside a running daemon and without one. A folder may hold any
number of clips: sidecars are read one after the other, and only as many as are asked for.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridge.delivery.clip_files import DISCARDED
from bridge.delivery.notes_file import notes_path
from bridge.delivery.sidecar import (
    UNREADABLE,
    KnownClip,
    known_clip,
    newest_sidecars,
    read_fields,
    sidecars,
)
from bridge.delivery.takes import linked_take
from bridge.delivery.wav import SIDECAR
from bridge.errors import BadArgument, UnknownId
from bridge.events import ClipMark

NEWEST = "last"
"""In place of an id: the newest clip."""
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter is mistaken for a digit, and no id is `last`."""
_ID_LETTERS = 6
SHORTEST_PREFIX = 3
"""Letters of an id that name a clip, where no other id begins with them."""
MOST_CANDIDATES = 8
"""Clips that an ambiguous id lists."""


@dataclass(frozen=True)
class BookClip:
    """A clip and its sidecar.

    Attributes:
        id: short, from the file's name: the same as long as that stays.
        fields: the sidecar's.
        made: when it was made; of an older sidecar, when that was written.
        is_discarded: it is in `Discarded`.
        take: the melody that it follows, where that is a take beside the clips and still there.
    """

    id: str
    known: KnownClip
    fields: Mapping[str, Any]
    made: datetime
    is_discarded: bool
    take: Path | None

    @property
    def mark(self) -> ClipMark:
        """Whether somebody has kept or discarded it."""
        if self.is_discarded:
            return "discarded"
        return "kept" if self.known.is_kept else "none"

    @property
    def notes(self) -> Path | None:
        """The MIDI file of the notes that led it; None: there is none."""
        path = notes_path(self.known.path)
        return path if path.is_file() else None

    @property
    def melody(self) -> str:
        """The name of the melody that it follows; empty: none."""
        return Path(self.text("take") or self.text("melody")).stem

    def text(self, name: str) -> str:
        """A field that is text; empty where it is missing or something else."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""


class ClipBook:
    """The clips of one folder, as its files are now.

    Attributes:
        left_out: sidecars read so far that cannot be used: broken ones, and those without a clip.
    """

    def __init__(self, folder: Path) -> None:
        """Args:
        folder: the clips folder; a missing one has no clips.
        """
        self.folder = folder.absolute()
        self.left_out = 0

    def newest(self, *, discarded: bool = False) -> Iterator[BookClip]:
        """Read the clips, the newest first.

        Args:
            discarded: those in `Discarded` instead.
        """
        folder = self._folder_of(discarded)
        for _, name in newest_sidecars(folder):
            clip = self._read(folder / name, discarded)
            if clip is not None:
                yield clip

    def find(self, word: str, *, discarded: bool = False) -> BookClip:
        """The clip that a person means.

        Args:
            word: an id or its first letters, the clip's name or path, or `last`.
            discarded: look in `Discarded` instead of the clips folder.

        Raises:
            UnknownId: no clip is meant.
            BadArgument: several are; the message lists them.
        """
        where = f"{DISCARDED} has" if discarded else "the folder has"
        if word == NEWEST:
            newest = next(self.newest(discarded=discarded), None)
            if newest is None:
                raise UnknownId(f"{word}: {where} no clips yet ({self._folder_of(discarded)})")
            return newest
        clips = [
            clip
            for sidecar in self._meant(word, discarded)
            if (clip := self._read(sidecar, discarded)) is not None
        ]
        if not clips:
            more = " --discarded" if discarded else ""
            raise UnknownId(
                f"{word!r}: {where} no such clip; `melody-bridge clips{more}` lists them"
            )
        if len(clips) > 1:
            names = ", ".join(f"{clip.id} ({clip.known.path.stem})" for clip in clips)
            raise BadArgument(f"{word!r} is several clips: write one of {names}")
        return clips[0]

    def count_discarded(self) -> int:
        """The number of sidecars in `Discarded`."""
        return sum(1 for _ in sidecars(self._folder_of(discarded=True)))

    def _folder_of(self, discarded: bool) -> Path:
        return self.folder / DISCARDED if discarded else self.folder

    def _meant(self, word: str, discarded: bool) -> list[Path]:
        """The sidecars of the clips that a word may mean. Reads names alone."""
        folder = self._folder_of(discarded)
        is_meant: list[Callable[[str], bool]] = []
        path = Path(word)
        if path.parent == Path() or _is_folder(path.parent, folder):
            stem = path.stem if path.suffix in (".wav", SIDECAR) else path.name
            is_meant.append(lambda name: name == stem)
        letters = word.lower()
        if len(letters) >= SHORTEST_PREFIX and path.parent == Path():
            is_meant.append(lambda name: clip_id(name) == letters)
            is_meant.append(lambda name: clip_id(name).startswith(letters))
        # A whole id or a whole name wins over the first letters of another.
        for check in is_meant:
            found = []
            for entry in sidecars(folder):
                if check(entry.name.removesuffix(SIDECAR)):
                    found.append(folder / entry.name)
                if len(found) == MOST_CANDIDATES:
                    break
            if found:
                return found
        return []

    def _read(self, sidecar: Path, discarded: bool) -> BookClip | None:
        """Read one clip; None, and one more left out, where it cannot be used."""
        try:
            fields = read_fields(sidecar)
            known = known_clip(sidecar, fields)
            written = datetime.fromtimestamp(sidecar.stat().st_mtime, UTC)
        except UNREADABLE:
            known = None
        if known is None:
            self.left_out += 1
            return None
        return BookClip(
            id=clip_id(known.path.stem),
            known=known,
            fields=fields,
            made=_time(fields.get("made")) or written,
            is_discarded=discarded,
            take=linked_take(self.folder, fields.get("take")),
        )


def clip_id(name: str) -> str:
    """The short id of a clip's name, without the suffix: six letters and digits.

    It is a hash of the name, so that an id is found without reading a sidecar, and stays the same
    when a clip is kept, discarded or restored.
    """
    # macOS may give a name back in another form than it was written in.
    normal = unicodedata.normalize("NFC", name).encode("utf-8", "surrogatepass")
    number = int.from_bytes(hashlib.sha256(normal).digest()[:4], "big")
    letters = ""
    for _ in range(_ID_LETTERS):
        number, digit = divmod(number, len(_ALPHABET))
        letters += _ALPHABET[digit]
    return letters


def _is_folder(path: Path, folder: Path) -> bool:
    try:
        return path.resolve() == folder.resolve()
    except (OSError, ValueError):
        return False


def _time(text: object) -> datetime | None:
    """Read a time with its zone; None: it is none."""
    try:
        time = datetime.fromisoformat(str(text))
        return time.astimezone(UTC) if time.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
