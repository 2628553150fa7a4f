"""Melodies of notes that arrive in several messages."""

from __future__ import annotations

from dataclasses import replace

from bridge.commands import CaptureNotes
from bridge.errors import BadArgument, SilentMelody
from bridge.timing import Meter, Take

MOST_NOTES = 10_000
"""Notes of one melody; a message holds a few hundred."""


def joined_notes(known: CaptureNotes, more: CaptureNotes) -> CaptureNotes:
    """All notes so far, with the newest message's bars.

    Raises:
        BadArgument: the melody has more than `MOST_NOTES`.
    """
    notes = known.notes + more.notes
    if len(notes) > MOST_NOTES:
        raise BadArgument(f"{len(notes)} notes: a melody has {MOST_NOTES} at most")
    return replace(more, notes=notes)


def take_of_notes(notes: CaptureNotes, meter: Meter) -> Take:
    """The notes as a take of whole bars.

    Raises:
        SilentMelody: there are no notes.
    """
    if not notes.notes:
        raise SilentMelody(
            f"{notes.id} has no note: send some before it is stopped or rendered from"
        )
    ordered = sorted(notes.notes, key=lambda note: (note.start_beat, note.pitch))
    length_beats = notes.bars * meter.beats_per_bar
    return Take(tuple(ordered), meter=meter, name=notes.id, length_beats=length_beats)
