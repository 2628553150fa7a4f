"""`melody-bridge transcribe`: the notes that a hum means, as a list, as MIDI, or as a picture."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.config import read_value
from bridge.config.flags import add_flag
from bridge.errors import BadArgument, DiskFull, NotWritable, SilentMelody

if TYPE_CHECKING:
    from bridge.melody import TranscribedNote, Transcription
    from bridge.timing import Meter, Note, Take

_OPTIONS = ("key", "tempo_bpm", "meter", "quantize", "plot")
_DECIMALS = 4


@dataclass(frozen=True, eq=False)
class _Heard:
    """What was heard of a recording.

    Attributes:
        notes: each note as it was heard, and in beats from frame 0.
        tempo_bpm: of the beats.
        remarks: a sentence each for what was changed or assumed.
    """

    take: Take
    transcription: Transcription
    notes: tuple[tuple[TranscribedNote, Note], ...]
    tempo_bpm: Fraction
    meter: Meter
    remarks: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("melody", metavar="HUM", help="a recording of one voice or instrument")
    parser.add_argument("--out", metavar="MID", help="write the notes as MIDI to this .mid file")
    for name in _OPTIONS:
        add_flag(parser, name)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Transcribe, write what was asked for, and print the notes; return the exit status.

    Raises:
        BridgeError: the recording cannot be read or has no note, or a file cannot be written.
    """
    from bridge.rendering import outputs
    from bridge.tools.progress_bar import progress_bar

    given = {
        name: read_value(name, value)
        for name in _OPTIONS
        if (value := getattr(arguments, name)) is not None
    }
    out = None if arguments.out is None else _midi_path(arguments.out)
    plot: Path | None = given.pop("plot", None)
    if plot is not None:
        outputs.check_plot(plot)
    with progress_bar() as progress:
        progress("hearing the melody", None)
        heard = _hear(Path(arguments.melody).expanduser(), **given)
    if out is not None:
        _write_midi(out, heard)
    if plot is not None:
        with outputs.all_or_nothing() as written:
            outputs.write_picture(plot, _picture(heard), written)
    if sys.stderr is not None:
        for remark in heard.remarks:
            print(remark, file=sys.stderr)
    if arguments.json:
        print(json.dumps(_as_json(heard, out, plot), allow_nan=False))
        return 0
    print("\n".join(_lines(heard)))
    for path in (out, plot):
        if path is not None:
            print(path)
    return 0


def _hear(
    melody: Path,
    *,
    key: str = "auto",
    tempo_bpm: Fraction | str = "auto",
    meter: Meter | None = None,
    quantize: float = 0.0,
) -> _Heard:
    """The notes of a recording.

    Raises:
        BadArgument: the file is MIDI, which has notes already.
        SilentMelody: there is no note.
    """
    from bridge.melody import MIDI_SUFFIXES, quantized, read_melody, transcribe
    from bridge.rendering.meant import in_beats, sure_tempo, wanted_key
    from bridge.timing import first_meter, first_tempo

    if melody.suffix.lower() in MIDI_SUFFIXES:
        raise BadArgument(f"{melody.name} is MIDI, so its notes are known: name a recording")
    take = read_melody(melody)
    assert not isinstance(take.source, tuple)
    found = transcribe(take.source, key=wanted_key(key))
    if not found.notes:
        raise SilentMelody(
            f"{take.name} has no note: record one voice or instrument, close to the microphone"
        )
    remarks = list(found.remarks)
    asked_bpm = tempo_bpm if isinstance(tempo_bpm, Fraction) else None
    own_bpm = sure_tempo(found)
    if asked_bpm is None and own_bpm is None:
        remarks.append(f"{take.name} has no clear tempo, so beats count at 120 bpm: name --tempo.")
    bpm = first_tempo(asked_bpm, own_bpm)
    notes = found.notes
    if quantize:
        notes = quantized(notes, quantize, tempo_bpm=bpm, first_beat_seconds=0.0)
    pairs = tuple((each, note) for note, each in in_beats(notes, take, bpm))
    return _Heard(take, found, pairs, bpm, first_meter(meter), tuple(remarks))


def _midi_path(text: str) -> Path:
    """The file for the MIDI.

    Raises:
        BadArgument, NotWritable: it cannot be one.
    """
    from bridge.rendering import outputs

    path = Path(text).expanduser()
    if path.suffix.lower() != ".mid":
        raise BadArgument(f"out {text!r}: the notes are MIDI, so name a .mid file")
    if path.is_dir():
        raise BadArgument(f"out {text!r} is a folder: name a .mid file in it")
    outputs.check_writable("out", path.parent)
    return path


def _write_midi(path: Path, heard: _Heard) -> None:
    """Write the notes in one step; an existing file is replaced.

    Raises:
        NotWritable, DiskFull: they cannot be written.
    """
    from bridge.delivery.notes_file import midi_bytes
    from bridge.delivery.wav import FULL, replace_file
    from bridge.timing import Take

    notes = Take(tuple(note for _, note in heard.notes), meter=heard.meter)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, midi_bytes(notes, heard.tempo_bpm))
    except OSError as error:
        kind = DiskFull if error.errno in FULL else NotWritable
        raise kind(f"out {str(path)!r} cannot be written: {error.strerror}") from error


def _picture(heard: _Heard) -> bytes:
    """The recording, its notes outlined in its chromagram; a PNG."""
    from bridge.rendering.picture import Column, draw

    source = heard.take.source
    assert not isinstance(source, tuple)
    bar_seconds = float(heard.meter.beats_per_bar * 60 / heard.tempo_bpm)
    column = Column(
        f"melody: {heard.take.name}",
        source,
        heard.tempo_bpm,
        heard.meter,
        max(source.seconds / bar_seconds, 1.0),
        notes=tuple(note for _, note in heard.notes),
    )
    return draw([column])


def _lines(heard: _Heard) -> list[str]:
    """A line about the recording, and one for each note: bar, beat, name, length, confidence."""
    from bridge.chroma import note_name

    found = heard.transcription
    about = [
        f"{len(heard.notes)} notes",
        f"tuning {found.tuning_cents:+.0f} cents",
        f"{float(heard.tempo_bpm):g} bpm",
    ]
    if found.key is not None:
        about.append(str(found.key))
    lines = [", ".join(about), "  bar  beat   note  beats  cents  sure  velocity"]
    for each, note in heard.notes:
        bar, beat = divmod(note.start_beat, heard.meter.beats_per_bar)
        lines.append(
            f"{bar + 1:5d} {float(beat) + 1:5.2f}   {note_name(note.pitch):<4}"
            f"{float(note.length_beats):7.2f} {each.cents:+6.0f}  {each.confidence:4.2f}"
            f"{each.velocity:10d}"
        )
    return lines


def _as_json(heard: _Heard, out: Path | None, plot: Path | None) -> dict[str, Any]:
    found = heard.transcription
    return {
        "melody": heard.take.name,
        "notes": [
            {
                "start_beat": round(float(note.start_beat), _DECIMALS),
                "length_beats": round(float(note.length_beats), _DECIMALS),
                "start_seconds": round(each.start_seconds, _DECIMALS),
                "seconds": round(each.seconds, _DECIMALS),
                "pitch": each.pitch,
                "cents": round(each.cents, 1),
                "velocity": each.velocity,
                "confidence": round(each.confidence, 3),
            }
            for each, note in heard.notes
        ],
        "tempo_bpm": round(float(heard.tempo_bpm), 3),
        "tempo_confidence": round(found.tempo_confidence, 3),
        "meter": str(heard.meter),
        "key": None if found.key is None else str(found.key),
        "key_confidence": round(found.key_confidence, 3),
        "tuning_cents": round(found.tuning_cents, 1),
        "moved": found.moved,
        "is_melody": found.is_melody,
        "remarks": list(heard.remarks),
        "out": None if out is None else str(out),
        "plot": None if plot is None else str(plot),
    }
