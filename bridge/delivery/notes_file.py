"""The notes of a clip or of a recording, as a MIDI file beside it."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import mido

from bridge.timing import MAX_TEMPO_BPM, MIN_TEMPO_BPM, TICKS_PER_BEAT, Take

NOTES_SUFFIX = ".notes.mid"
"""Ends the name of a file for the notes of the sound beside it: a melody that is named for its clip
may be `.mid` itself."""


def notes_name(sound: str) -> str:
    """The name of the file for the notes of a sound: `hum.notes.mid` for `hum.wav`."""
    return f"{Path(sound).stem}{NOTES_SUFFIX}"


def notes_path(sound: Path) -> Path:
    """The file for the notes of a sound, beside it."""
    return sound.with_name(notes_name(sound.name))


def midi_bytes(take: Take, tempo_bpm: Fraction) -> bytes:
    """A MIDI file of notes: one track, which ends with the take, with rests after the last note.

    Args:
        take: notes, not sound.
        tempo_bpm: their tempo, 20…999 in the file.
    """
    notes = take.source if isinstance(take.source, tuple) else ()
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
