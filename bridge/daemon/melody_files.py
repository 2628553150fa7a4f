"""Melodies from files that a message names: from allowed paths, a few at a time, in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.commands import CaptureFile
from bridge.melody import allowed_path, cut, read_melody
from bridge.timing import Take

MOST_READERS = 2
"""Files read at a time: each takes 150 MB at most while it is read."""


@dataclass(frozen=True, eq=False)
class FileMelody:
    """A melody that was read.

    Attributes:
        path: the file, resolved.
        take: the melody, cut to the part that was asked for.
        recipe: sidecar fields that name the part of the file.
    """

    path: Path
    take: Take
    recipe: Mapping[str, Any]


class MelodyFiles:
    """Reads melody files in the folders that messages may name. For the event loop's thread."""

    def __init__(self, roots: Iterable[Path]) -> None:
        """Args:
        roots: the folders that a message may name files in, at any depth.
        """
        self._roots = tuple(roots)
        self._readers = asyncio.Semaphore(MOST_READERS)

    async def read(self, command: CaptureFile) -> FileMelody:
        """Read a file in a thread.

        Raises:
            PathRefused: the file is not under the roots, or not an audio or MIDI file.
            UnreadableFile, SilentMelody, BadArgument: as `read_melody` and `cut`.
        """
        async with self._readers:
            return await asyncio.to_thread(self._read, command)

    def _read(self, command: CaptureFile) -> FileMelody:
        path = allowed_path(command.path, self._roots)
        take = read_melody(
            path, tempo_bpm=command.tempo_bpm, meter=command.meter, track=command.track
        )
        if command.start_seconds or command.length_seconds is not None:
            take = cut(
                take,
                start_seconds=command.start_seconds,
                length_seconds=command.length_seconds,
                wrap=command.wrap,
            )
        recipe = {
            "melody_start_seconds": command.start_seconds,
            "melody_length_seconds": command.length_seconds,
            "melody_wrap": command.wrap,
            "melody_part_tempo_bpm": command.tempo_bpm,
            "track": command.track,
        }
        return FileMelody(path, take, recipe)
