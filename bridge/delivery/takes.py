"""Captured melodies as files, so that a clip can be made again from its melody."""

from __future__ import annotations

import io
from datetime import date
from fractions import Fraction
from math import ceil
from pathlib import Path

import soundfile

from bridge.audio import Waveform
from bridge.delivery.notes_file import midi_bytes, notes_path
from bridge.delivery.wav import plain_name, replace_file, write_atomically
from bridge.errors import NotWritable
from bridge.timing import Meter, Note, Take

TAKES = "Takes"
"""Folder inside the clips folder for takes."""


def takes_folder(clips: Path) -> Path:
    """Return the folder for takes, and create it if it does not exist.

    Raises:
        NotWritable: the folder cannot be created.
    """
    folder = clips / TAKES
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritable(
            f"cannot make {folder} ({error.strerror}): choose another folder for clips"
        ) from error
    return folder


def write_take(clips: Path, take: Take, *, title: str, tempo_bpm: Fraction) -> Path:
    """Write a take's audio (WAV, float32, as it was captured) or its notes (MIDI).

    Args:
        clips: the clips folder.
        title: part of the file's name, beside the day and the tempo.
        tempo_bpm: the tempo of a take that has none of its own.

    Raises:
        DiskFull: no space, or a limit on file sizes.
        NotWritable: the folder cannot be created or written to.
    """
    tempo_bpm = take.tempo_bpm or tempo_bpm
    stem = f"{date.today().isoformat()} {plain_name(title)} {float(tempo_bpm):.6g}bpm"
    if isinstance(take.source, Waveform):
        return write_atomically(clips / TAKES, f"{stem}.wav", _wav(take.source))
    return write_atomically(clips / TAKES, f"{stem}.mid", midi_bytes(take, tempo_bpm))


def write_notes(take: Path, notes: tuple[Note, ...], *, tempo_bpm: Fraction, meter: Meter) -> Path:
    """Write the notes of a recording beside it, as MIDI of whole bars; earlier ones are replaced.

    Args:
        take: the recording's file.
        notes: in beats from its first bar line; one at least.
        tempo_bpm, meter: the recording's.

    Raises:
        OSError: they cannot be written.
    """
    path = notes_path(take)
    bars = ceil(Take(notes).end_beats / meter.beats_per_bar)
    length_beats = bars * meter.beats_per_bar
    replace_file(path, midi_bytes(Take(notes, meter=meter, length_beats=length_beats), tempo_bpm))
    return path


def take_link(clips: Path, melody: Path) -> str | None:
    """The link from a clip's sidecar to its take, such as `Takes/hum.wav`.

    It holds wherever the clips folder is moved to. None: the melody is not in the folder for takes.
    """
    folder, melody = (clips / TAKES).resolve(), melody.resolve()
    return f"{TAKES}/{melody.name}" if melody.parent == folder else None


def linked_take(clips: Path, link: object) -> Path | None:
    """The take that a sidecar links to; None: none that is there. It is always inside `Takes`."""
    if not isinstance(link, str) or not link.startswith(f"{TAKES}/"):
        return None
    path = clips / TAKES / link.removeprefix(f"{TAKES}/")
    try:
        is_inside = path.resolve().parent == (clips / TAKES).resolve()
        return path if is_inside and path.is_file() else None
    except (OSError, ValueError):
        return None


def _wav(waveform: Waveform) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, waveform.samples, waveform.sample_rate, format="WAV", subtype="FLOAT")
    return file.getvalue()
