"""The notes, tempo and meter of a MIDI file, format 0 or 1."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import mido

from bridge.errors import BadArgument, SilentMelody, UnreadableFile
from bridge.timing import MAX_TEMPO_BPM, MIN_TEMPO_BPM, Meter, Note

PERCUSSION_CHANNEL = 9
"""Channel 10 as musicians count: its note numbers are drums, not pitches."""
DEFAULT_TEMPO_MICROSECONDS = 500_000
"""A quarter note at 120 bpm: the MIDI file format's default."""

_MAX_BYTES = 4 * 1024 * 1024
_MAX_BEATS = 100_000


def notes_from_midi(path: str | os.PathLike[str]) -> tuple[tuple[Note, ...], Fraction, Meter]:
    """Read the notes of all tracks and channels but percussion.

    Returns:
        The notes, ordered by start, chords kept; the file's first tempo, 20…999 bpm (120 if it has
        none); its first meter (4/4 if it has none, or one that Live does not know). Later changes
        of tempo do not change the notes' beats.

    Raises:
        UnreadableFile: not a MIDI file of format 0 or 1, or damaged.
        SilentMelody: it has no pitched note.
    """
    file = _open(Path(path))
    ticks_per_beat = file.ticks_per_beat
    notes = [
        Note(
            Fraction(span.start, ticks_per_beat),
            Fraction(span.end - span.start, ticks_per_beat),
            span.pitch,
        )
        for track in file.tracks
        for span in _spans(track)
        if span.end > span.start
    ]
    if not notes:
        raise SilentMelody(f"melody {str(path)!r} has no notes (drums on channel 10 do not count)")
    notes.sort(key=lambda note: (note.start_beat, note.pitch))
    if max(note.start_beat + note.length_beats for note in notes) > _MAX_BEATS:
        raise UnreadableFile(
            f"melody {str(path)!r} is more than {_MAX_BEATS} beats long: "
            "it is damaged, export it again"
        )
    return tuple(notes), _first_tempo(file.tracks), _first_meter(file.tracks)


def _open(path: Path) -> mido.MidiFile:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UnreadableFile(
                f"melody {str(path)!r} has more than {_MAX_BYTES // 1024**2} MiB of MIDI: "
                "export the melody's track alone"
            )
        file = mido.MidiFile(path, clip=True)
    except UnreadableFile:
        raise
    # The parser raises errors of many kinds, and the cause of each is a damaged file.
    except Exception as error:
        raise UnreadableFile(
            f"melody {str(path)!r} is not a MIDI file that can be read: export it again"
        ) from error
    if file.type not in (0, 1) or file.ticks_per_beat <= 0:
        raise UnreadableFile(
            f"melody {str(path)!r} is MIDI of a kind without common beats: "
            "export it as format 0 or 1, in ticks per quarter note"
        )
    return file


class _Span(NamedTuple):
    start: int
    end: int
    pitch: int


def _spans(track: mido.MidiTrack) -> Iterator[_Span]:
    """The notes of one track in ticks; a note without an end ends with the track."""
    sounding: dict[tuple[int, int], int] = {}
    tick = 0
    for message in track:
        tick += message.time
        if message.type not in ("note_on", "note_off") or message.channel == PERCUSSION_CHANNEL:
            continue
        key = (message.channel, message.note)
        if key in sounding:
            yield _Span(sounding.pop(key), tick, message.note)
        if message.type == "note_on" and message.velocity > 0:
            sounding[key] = tick
    for (_, pitch), start in sounding.items():
        yield _Span(start, tick, pitch)


def _first_tempo(tracks: Iterable[mido.MidiTrack]) -> Fraction:
    message = _first(tracks, "set_tempo")
    microseconds = message.tempo if message else DEFAULT_TEMPO_MICROSECONDS
    exact = Fraction(60_000_000, max(microseconds, 1))
    # A tempo out of Live's range is no reason to refuse the file: its notes are in beats.
    bounded = min(max(exact, Fraction(MIN_TEMPO_BPM)), Fraction(MAX_TEMPO_BPM))
    return _shortest_tempo(bounded)


def _shortest_tempo(tempo_bpm: Fraction) -> Fraction:
    """The shortest decimal tempo within one microsecond per beat: 112, not 112.00006.

    Files have whole microseconds per beat, rounded or cut: less than one apart is the same tempo.
    """
    short = tempo_bpm
    for decimals in range(9):  # the eighth is a thousandth of a microsecond even at 999 bpm
        short = round(tempo_bpm, decimals)
        if abs(60_000_000 / short - 60_000_000 / tempo_bpm) < 1:
            break
    return short


def _first_meter(tracks: Iterable[mido.MidiTrack]) -> Meter:
    message = _first(tracks, "time_signature")
    try:
        return Meter(message.numerator, message.denominator) if message else Meter()
    except BadArgument:
        return Meter()


def _first(tracks: Iterable[mido.MidiTrack], kind: str) -> mido.MetaMessage | None:
    """The earliest message of a kind in any track."""
    found: list[tuple[int, mido.MetaMessage]] = []
    for track in tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == kind:
                found.append((tick, message))
                break
    return min(found, key=lambda item: item[0])[1] if found else None
