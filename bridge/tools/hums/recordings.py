"""`melody-bridge eval --recordings`: how well people who sing are heard.

Each recording has a file of its notes beside it. A voice without accompaniment has no reference: 40
cents under one key it is 60 cents over the next. So the notes and raw chroma alike may be a
semitone higher or lower as a whole, where that is nearer to the notes of the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from bridge.chroma import audio_chroma, similarity
from bridge.errors import BadArgument, UnreadableFile
from bridge.melody import MIDI_SUFFIXES, read_melody, transcribe
from bridge.melody.allowed_paths import SUFFIXES
from bridge.tools.figures import Figure, as_rows, as_table, mean
from bridge.tools.hums import scores
from bridge.tools.hums.scores import Sung

_AUDIO_SUFFIXES = SUFFIXES.difference(MIDI_SUFFIXES)
_TRANSPOSITIONS = (-1, 0, 1)
_MOST_NOTES = 10_000


@dataclass(frozen=True)
class Heard:
    """How well one recording was heard.

    Attributes:
        onsets: F-measure of the onsets alone, 0…1.
        f_measure: of onset and pitch, 0…1.
        steps: share of the steps of 128 ms with the meant pitch class.
        raw_steps: the same by raw chroma.
    """

    onsets: float
    f_measure: float
    steps: float
    raw_steps: float


def main(folder: Path, *, as_json: bool) -> int:
    """Measure every recording of a folder, and print; return the exit status.

    Raises:
        BadArgument: the folder has no recording with notes, or a line is no note.
        UnreadableFile: a recording or its notes cannot be read.
    """
    console = Console(stderr=True)
    pairs = list(_pairs(folder))
    heard = []
    for path, notes in pairs:
        console.print(path.name, highlight=False)
        heard.append(_hear(path, notes))
    figures = _as_figures(heard)
    if as_json:
        rows = [
            {"name": path.name, **vars(each)} for (path, _), each in zip(pairs, heard, strict=True)
        ]
        print(json.dumps({"figures": as_rows(figures), "recordings": rows}, allow_nan=False))
    else:
        Console().print(as_table(f"recordings in {folder.name}", 1, figures))
    return 0


def _pairs(folder: Path) -> Iterator[tuple[Path, tuple[Sung, ...]]]:
    """Each recording that has notes beside it, and these, in the order of their names."""
    if not folder.is_dir():
        raise BadArgument(f"recordings {str(folder)!r} is no folder: name one")
    found = False
    for path in sorted(folder.iterdir()):
        beside = path.with_suffix(".txt")
        if path.suffix.lower() in _AUDIO_SUFFIXES and beside.is_file():
            found = True
            yield path, _read_notes(beside)
    if not found:
        raise BadArgument(
            f"recordings {str(folder)!r} has no audio file with a .txt file of its notes: add one"
        )


def _read_notes(path: Path) -> tuple[Sung, ...]:
    """The notes of a file: a line has start and end in seconds, and a MIDI note number."""
    notes = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    notes.append(_read_note(line, f"{path.name}, line {number}"))
                if len(notes) > _MOST_NOTES:
                    raise BadArgument(f"{path.name} has more than {_MOST_NOTES} notes: divide it")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"{path.name} cannot be read: {error}") from error
    if not notes:
        raise BadArgument(f"{path.name} has no note: write a line for each")
    return tuple(notes)


def _read_note(line: str, place: str) -> Sung:
    try:
        start, end, pitch = (float(word) for word in line.split())
    except ValueError:
        start = end = pitch = math.nan
    if not (0 <= start < end < math.inf and 0 <= pitch <= 127 and pitch == round(pitch)):
        raise BadArgument(
            f"{place}: {line.strip()[:40]!r} is no note: write its start and end in seconds and "
            "its MIDI note number, 0 to 127"
        )
    return start, end - start, int(pitch)


def _hear(path: Path, notes: tuple[Sung, ...]) -> Heard:
    source = read_melody(path).source
    assert not isinstance(source, tuple)
    heard = transcribe(source)
    found = [(note.start_seconds, note.seconds, note.pitch) for note in heard.notes]
    raw = audio_chroma(source).argmax(axis=1)
    leading = scores.leading_steps(found, source.seconds) if heard.is_melody else raw
    rows = []
    for semitones in _TRANSPOSITIONS:
        meant = [(start, length, pitch + semitones) for start, length, pitch in notes]
        classes = scores.steps_of(meant, source.seconds)
        f_measure = scores.note_f_measure(meant, found)
        rows.append((f_measure, similarity(leading, classes), similarity(raw, classes)))
    f_measure, steps, raw_steps = np.array(rows).max(axis=0).tolist()
    onsets = scores.note_f_measure(
        [(start, length, 0) for start, length, _ in notes],
        [(start, length, 0) for start, length, _ in found],
    )
    return Heard(onsets, f_measure, steps, raw_steps)


def _as_figures(heard: list[Heard]) -> list[Figure]:
    count = len(heard)
    raw_errors = sum(1 - each.raw_steps for each in heard)
    left = sum(1 - each.steps for each in heard) / raw_errors if raw_errors else math.nan
    values = [
        ("onsets found (F)", mean([each.onsets for each in heard])),
        ("notes found (F)", mean([each.f_measure for each in heard])),
        ("steps as meant", mean([each.steps for each in heard])),
        ("steps as meant, raw chroma", mean([each.raw_steps for each in heard])),
        ("raw chroma's errors that remain", left),
    ]
    return [Figure(name, value, None, False, count) for name, value in values]
