"""Captured melodies as files, so that a clip can be made again from what was hummed for it."""

from __future__ import annotations

import io
from datetime import date
from fractions import Fraction
from pathlib import Path

import mido
import soundfile

from bridge.audio import Waveform
from bridge.delivery.wav import plain_name, write_whole
from bridge.errors import BadArgument
from bridge.timing import MAX_TEMPO_BPM, MIN_TEMPO_BPM, Note, Take

TAKES = "Takes"
"""The folder in the clips folder that they go to."""
TICKS_PER_BEAT = 960
VELOCITY = 100


def takes_folder(clips: Path) -> Path:
    """The folder for takes in the clips folder, made when it is not there.

    Raises:
        BadArgument: it cannot be made.
    """
    folder = clips / TAKES
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadArgument(
            f"cannot make {folder} ({error.strerror}): choose another folder for clips"
        ) from error
    return folder


def write_take(clips: Path, take: Take, *, title: str, tempo_bpm: Fraction) -> Path:
    """Write a take's audio (WAV, float32, as it was captured) or its notes (MIDI).

    Args:
        clips: the clips folder.
        title: what to call it beside its day and tempo.
        tempo_bpm: the tempo it is told to have, where it knows none of its own.

    Raises:
        DiskFull: no space, or a limit on file sizes.
        BadArgument: the folder cannot be made or written to.
    """
    tempo_bpm = take.tempo_bpm or tempo_bpm
    stem = f"{date.today().isoformat()} {plain_name(title)} {float(tempo_bpm):.6g}bpm"
    if isinstance(take.source, Waveform):
        return write_whole(clips / TAKES, f"{stem}.wav", _wav(take.source))
    return write_whole(clips / TAKES, f"{stem}.mid", _midi(take, take.source, tempo_bpm))


def _wav(waveform: Waveform) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, waveform.samples, waveform.sample_rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def _midi(take: Take, notes: tuple[Note, ...], tempo_bpm: Fraction) -> bytes:
    """One track; it ends where the take does, rests after the last note included."""
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
    # An end before a start at the same tick: else a note repeated would end the new one.
    changes = sorted(
        change
        for note in notes
        for change in (
            (_tick(note.start_beat), 1, note.pitch),
            (_tick(note.start_beat) + max(_tick(note.length_beats), 1), 0, note.pitch),
        )
    )
    now = 0
    for tick, on, pitch in changes:
        kind = "note_on" if on else "note_off"
        track.append(mido.Message(kind, note=pitch, velocity=VELOCITY, time=tick - now))
        now = tick
    length = _tick(take.length_beats) if take.length_beats is not None else now
    track.append(mido.MetaMessage("end_of_track", time=max(length - now, 0)))
    file = io.BytesIO()
    mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT, tracks=[track]).save(file=file)
    return file.getvalue()


def _tick(beats: Fraction) -> int:
    return round(beats * TICKS_PER_BEAT)
