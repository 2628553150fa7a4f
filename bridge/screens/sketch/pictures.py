"""Waveform and pitch classes of a clip and of its melody, read from their files.

`Pictures` reads in a thread and remembers the newest; the screen draws what is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import STEP_SECONDS, note_pitch_classes, pitch_classes
from bridge.delivery.sidecar import UNREADABLE, read_fields, read_tempo
from bridge.delivery.wav import SIDECAR
from bridge.errors import BridgeError
from bridge.melody import read_melody
from bridge.rendering.meant import NOTES_FIELD, read_note_fields
from bridge.timing import FALLBACK_TEMPO_BPM, Take

PARTS = 1024
"""Parts of a picture's waveform: more than the widest terminal shows."""
MOST_PICTURES = 64
_PART = ("melody_start_seconds", "melody_start", "trim")
"""Fields of a sidecar that make a melody begin later than its file."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What is drawn of a sound.

    Attributes:
        peaks: float32 `[parts]`, 0…1.
        classes: int64 `[steps of 128 ms]`, the pitch classes; −1 at rests.
    """

    peaks: NDArray[np.float32]
    classes: NDArray[np.int64]


NO_PICTURE = Picture(np.zeros(0, np.float32), np.zeros(0, np.int64))


def picture_of(take: Take) -> Picture:
    """The picture of a sound, or of notes, whose peaks are 1 where one sounds."""
    if isinstance(take.source, Waveform):
        return Picture(_peaks(take.source), pitch_classes(take.source))
    tempo_bpm = take.tempo_bpm or FALLBACK_TEMPO_BPM
    seconds = float(take.end_beats * 60 / tempo_bpm)
    classes = note_pitch_classes(take.source, tempo_bpm, 1 + int(seconds / STEP_SECONDS))
    return Picture((classes >= 0).astype(np.float32), classes)


def _peaks(waveform: Waveform) -> NDArray[np.float32]:
    loudest = np.abs(waveform.samples).max(axis=1)
    parts = np.array_split(loudest, min(PARTS, len(loudest)))
    return np.array([part.max() for part in parts], np.float32)


def melody_path(clip: Path) -> Path | None:
    """The file of the melody that a clip follows, as its sidecar says; None: it names none."""
    melody = _fields_of(clip).get("melody")
    return Path(melody) if isinstance(melody, str) else None


def _fields_of(clip: Path) -> dict[str, Any]:
    """The fields of a clip's sidecar; none where it cannot be read."""
    try:
        return read_fields(clip.with_suffix(SIDECAR))
    except (OSError, ValueError, RecursionError):
        return {}


class Pictures:
    """The pictures of files. For the event loop's thread."""

    def __init__(self, on_picture: Callable[[], None]) -> None:
        """Args:
        on_picture: called when one more picture can be drawn.
        """
        self._on_picture = on_picture
        self._clips: dict[str, tuple[Picture, Picture]] = {}
        self._reading: set[asyncio.Task[None]] = set()
        # One at a time: a picture takes 40 ms of a core that the engine needs, too.
        self._turn = asyncio.Semaphore(1)

    def of_clip(self, path: str) -> tuple[Picture, Picture]:
        """The pictures of a clip and of its melody; empty ones until they are read."""
        if path not in self._clips:
            while len(self._clips) >= MOST_PICTURES:
                del self._clips[next(iter(self._clips))]
            self._clips[path] = NO_PICTURE, NO_PICTURE
            task = asyncio.get_running_loop().create_task(self._read(path))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)
        return self._clips[path]

    async def close(self) -> None:
        """Read no more."""
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    async def _read(self, path: str) -> None:
        async with self._turn:
            clip = await asyncio.to_thread(_read, Path(path))
            melody = await asyncio.to_thread(_read_melody_of, Path(path))
        if path in self._clips:
            self._clips[path] = clip, melody
            self._on_picture()


def _read(path: Path) -> Picture:
    """The picture of a file; an empty one where it cannot be read: it may have moved."""
    try:
        return picture_of(read_melody(path))
    except (BridgeError, OSError):
        return NO_PICTURE


def _read_melody_of(clip: Path) -> Picture:
    """The picture of a clip's melody: of a recording, with the notes that were meant."""
    fields = _fields_of(clip)
    melody = fields.get("melody")
    if not isinstance(melody, str):
        return NO_PICTURE
    picture = _read(Path(melody))
    if any(map(fields.get, _PART)):
        # The notes count from the part's start, and the picture is that of the whole file.
        return picture
    try:
        notes = read_note_fields(fields.get(NOTES_FIELD))
        tempo_bpm = read_tempo(fields.get("melody_tempo_bpm") or fields["tempo_bpm"])
    except UNREADABLE:
        return picture
    return replace(picture, classes=note_pitch_classes(notes, tempo_bpm, len(picture.classes)))
