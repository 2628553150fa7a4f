"""The capture of the last phrase that was played on MIDI inputs while the DAW was stopped."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from bridge.capture.capture import SourceCapture
from bridge.capture.note_source import ARRIVAL_SECONDS, NO_NOTES, NoteSource
from bridge.capture.phrase import PAUSE_SECONDS
from bridge.capture.played import PlayedNote
from bridge.errors import SilentMelody
from bridge.timing import bars_text, bars_to_seconds, first_tempo


class PlayedPhrase(SourceCapture):
    """The last phrase: the notes since the last rest of `PAUSE_SECONDS`.

    It begins with its first note. Where it is longer than the bars, it begins with the earliest
    note from which the bars reach its last note. It is stale when it ended before the last `bars`
    + 1 bars.
    """

    def __init__(self, source: NoteSource, bars: int, now_seconds: float) -> None:
        super().__init__(source)
        self._notes = source
        self._bars = bars
        self._requested_seconds = now_seconds

    def poll(self, now_seconds: float) -> None:
        source, until = self._notes, self._requested_seconds
        if self.settled or now_seconds < until + ARRIVAL_SECONDS:
            return
        phrase = _last_phrase(source.played.between(-inf, until), until)
        if not phrase:
            raise SilentMelody(NO_NOTES)
        tempo_bpm = first_tempo(source.tempo_bpm)
        seconds = float(bars_to_seconds(self._bars, source.meter, tempo_bpm))
        last_start = phrase[-1].start_seconds
        taken = [note for note in phrase if note.start_seconds + seconds > last_start]
        if left_out := len(phrase) - len(taken):
            self.remarks += (
                f"the phrase is longer than {bars_text(self._bars)} at {float(tempo_bpm):g} bpm: "
                f"its first {left_out} notes are left out; ask for more bars, or set the tempo",
            )
        bar_seconds = seconds / self._bars
        end_seconds = max(note.end_seconds for note in taken)
        self.is_stale = end_seconds < until - seconds - bar_seconds
        span = source.span(taken[0].start_seconds, seconds)
        self._make_take = source.settle_notes(span, taken, source.tempo_bpm)


def _last_phrase(notes: Sequence[PlayedNote], until_seconds: float) -> list[PlayedNote]:
    """The notes since the last rest of `PAUSE_SECONDS`; they end by an instant."""
    phrase: list[PlayedNote] = []
    end_seconds = -inf
    for note in notes:
        if note.start_seconds - end_seconds >= PAUSE_SECONDS:
            phrase = []
        end = min(note.end_seconds, until_seconds)
        phrase.append(note._replace(end_seconds=end))
        end_seconds = max(end_seconds, end)
    return phrase
