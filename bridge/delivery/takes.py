"""Captured melodies as files, so that a clip can be made again from its melody."""

from __future__ import annotations

import io
from datetime import date
from fractions import Fraction
from pathlib import Path

import mido
import soundfile

from bridge.audio import Waveform
from bridge.delivery.wav import plain_name, write_atomically
from bridge.errors import NotWritable
from bridge.timing import MAX_TEMPO_BPM, MIN_TEMPO_BPM, TICKS_PER_BEAT, Note, Take

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
    return write_atomically(clips / TAKES, f"{stem}.mid", _midi(take, take.source, tempo_bpm))


def _wav(waveform: Waveform) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, waveform.samples, waveform.sample_rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def _midi(take: Take, notes: tuple[Note, ...], tempo_bpm: Fraction) -> bytes:
    """A MIDI file with one track, which ends with the take, including rests after the last note."""
    bounded = min(max(tempo_bpm, Fraction(MIN_TEMPO_BPM)), Fraction(MAX_TEMPO_BPM))
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=round(60_000_000 / bounded)))
    if take.meter is not None:
        track.append(
            mido.MetaMessage(
                "time_signature",
                numerator=take.meter.numerator,
                denominator=take.meter.denominator,
            )
        )
    # At one tick, ends come before starts: else the end of a repeated note would end the new one.
    changes = sorted(
        change
        for note in notes
        for change in (
            (_tick(note.start_beat), 1, note.pitch, note.velocity),
            (_tick(note.start_beat) + max(_tick(note.length_beats), 1), 0, note.pitch, 0),
        )
    )
    now = 0
    for tick, on, pitch, velocity in changes:
        kind = "note_on" if on else "note_off"
        track.append(mido.Message(kind, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    length = _tick(take.length_beats) if take.length_beats is not None else now
    track.append(mido.MetaMessage("end_of_track", time=max(length - now, 0)))
    file = io.BytesIO()
    mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT, tracks=[track]).save(file=file)
    return file.getvalue()


def _tick(beats: Fraction) -> int:
    return round(beats * TICKS_PER_BEAT)
