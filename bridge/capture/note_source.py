"""Played notes as the source of a capture: their instants become beats of the take."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from math import inf, log10

from bridge.capture.played import MOST_NOTES, PlayedNote, PlayedNotes
from bridge.capture.source import Clock, MakeTake, Recorded, Source
from bridge.errors import SilentMelody
from bridge.soundcard.level import LOWEST_DB
from bridge.timing import (
    TICKS_PER_BEAT,
    Meter,
    Note,
    Span,
    Take,
    beats_to_seconds,
)

ARRIVAL_SECONDS = 0.1
"""A message has arrived this long after it was played, also on a busy machine."""
EARLY_SECONDS = 0.1
EARLY_BEATS = Fraction(1, 8)
"""People play early: a note this short before a bar line belongs to the bar that begins there.

That is the nearest sixteenth note, but never more than `EARLY_SECONDS`.
"""
TIED_BEATS = Fraction(1, 4)
"""A note from before the take belongs to it if it sounds on for a sixteenth note."""
NO_NOTES = (
    "no note was played (drums on channel 10 do not count): check the keyboard, its cable, and the "
    "MIDI port that was chosen"
)


class NoteSource(Source):
    """The notes that are played on MIDI inputs."""

    nothing_came = f"{NO_NOTES}; it was stopped before the first note"

    def __init__(
        self,
        played: PlayedNotes,
        clock: Clock,
        tempo_bpm: Fraction | None,
        meter: Meter,
        name: str,
    ) -> None:
        super().__init__(clock, tempo_bpm, meter, name)
        self.played = played
        self._onset_after: float | None = None
        self._seen_seconds = -inf
        self._peak_db = LOWEST_DB

    def input_lost(self) -> None:
        """Do nothing: notes do not come from the input."""

    @property
    def silence_remark(self) -> str:
        return f"{NO_NOTES}; the first bar has none" if self._peak_db == LOWEST_DB else ""

    def first_onset(self, now_seconds: float) -> float | None:
        if self._onset_after is None:
            self._onset_after = now_seconds
        notes = self.played.begun(self._onset_after, inf)
        return notes[0].start_seconds if notes else None

    def forget_onsets(self) -> None:
        self._onset_after = None

    def progress(self, start_seconds: float, now_seconds: float) -> tuple[float, float]:
        first_seconds = max(start_seconds - EARLY_SECONDS, self._seen_seconds)
        self._peak_db = max(self._peak_db, _peak_db(self.played.begun(first_seconds, now_seconds)))
        self._seen_seconds = now_seconds - ARRIVAL_SECONDS
        return max(0.0, now_seconds - start_seconds), self._peak_db

    def forget_progress(self) -> None:
        self._seen_seconds, self._peak_db = -inf, LOWEST_DB

    def has(self, span: Span, now_seconds: float) -> bool:
        return now_seconds >= span.end_seconds + ARRIVAL_SECONDS

    def settle(self, span: Span, tempo_bpm: Fraction | None) -> MakeTake:
        notes = self.played.between(span.start_seconds - EARLY_SECONDS, span.end_seconds)
        return self.settle_notes(span, notes, tempo_bpm)

    def settle_notes(
        self, span: Span, notes: Sequence[PlayedNote], tempo_bpm: Fraction | None
    ) -> MakeTake:
        """Settle a span with these notes; those outside it are left out.

        Raises:
            SilentMelody: no note begins in the span or is held into it.
        """
        length_beats, early = _length_beats(span), early_seconds(span.tempo_bpm)
        ends_on_line = length_beats % span.meter.beats_per_bar == 0
        begins_by = span.end_seconds - (early if ends_on_line else 0.0)
        held_until = span.start_seconds + float(beats_to_seconds(TIED_BEATS, span.tempo_bpm))
        taken = [
            note
            for note in notes
            if note.start_seconds < begins_by
            and (note.start_seconds >= span.start_seconds - early or note.end_seconds > held_until)
        ]
        if not taken:
            raise SilentMelody(NO_NOTES)
        remarks = []
        missing_seconds = self.played.complete_from_seconds - span.start_seconds
        if missing_seconds > 0:
            remarks.append(
                f"notes of its first {missing_seconds:.1f} s are missing: {MOST_NOTES} notes are "
                "kept, and more came"
            )
        if tempo_bpm is None:
            remarks.append(
                f"the tempo is not known, so its notes are counted at {float(span.tempo_bpm):g} "
                "bpm: set the tempo before you play"
            )
        return partial(_recorded, span, taken, length_beats, self.name, tuple(remarks))


def early_seconds(tempo_bpm: Fraction) -> float:
    """How long before a bar line a note still belongs to the bar that begins there."""
    return min(EARLY_SECONDS, float(beats_to_seconds(EARLY_BEATS, tempo_bpm)))


def _recorded(
    span: Span,
    notes: Sequence[PlayedNote],
    length_beats: Fraction,
    name: str,
    remarks: tuple[str, ...],
) -> Recorded:
    """The take of a span's notes; those that are early, or held into it, begin at its start."""
    taken = []
    for note in notes:
        start = max(_ticks(note.start_seconds, span), 0)
        end = _ticks(min(note.end_seconds, span.end_seconds), span)
        length = Fraction(max(end - start, 1), TICKS_PER_BEAT)
        taken.append(Note(Fraction(start, TICKS_PER_BEAT), length, note.pitch, note.velocity))
    taken.sort(key=lambda note: (note.start_beat, note.pitch))
    take = Take(tuple(taken), span.tempo_bpm, span.meter, name=name, length_beats=length_beats)
    return Recorded(take, span.end_seconds - span.start_seconds, _peak_db(notes), remarks)


def _length_beats(span: Span) -> Fraction:
    """Length of a span: whole bars where it ends at a bar line."""
    ticks = max(_ticks(span.end_seconds, span), 1)
    bar_ticks = span.meter.beats_per_bar * TICKS_PER_BEAT
    bars = round(ticks / bar_ticks)
    if bars and abs(ticks - bars * bar_ticks) < EARLY_BEATS * TICKS_PER_BEAT:
        return bars * span.meter.beats_per_bar
    return Fraction(ticks, TICKS_PER_BEAT)


def _ticks(seconds: float, span: Span) -> int:
    """An instant in ticks from the span's start on."""
    return round((seconds - span.start_seconds) * float(span.tempo_bpm) / 60 * TICKS_PER_BEAT)


def _peak_db(notes: Sequence[PlayedNote]) -> float:
    """The velocity of the hardest note in dB: 0 is 127; -120 without a note."""
    hardest = max((note.velocity for note in notes), default=0)
    return 20 * log10(hardest / 127) if hardest else LOWEST_DB
