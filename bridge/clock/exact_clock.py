"""The beat clock of sources that say exactly when the playhead was where: MIDI clock, Link, JACK.

A reading's `received_seconds` is when the playhead was at its beat. So the readings are points that
the beat goes through, in straight lines.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from fractions import Fraction

from bridge.clock.beat_clock import SILENCE_SECONDS, BeatClock
from bridge.clock.segment import (
    AHEAD_SECONDS,
    NEAR_SECONDS,
    PHASE_SECONDS,
    STOPPED,
    PlaybackSegment,
)
from bridge.commands import Transport

_NOISE_SECONDS = 0.0001
"""A reading this close to where it was expected changes nothing."""


class ExactSegment(PlaybackSegment):
    """Playback through exact readings. Negative beats are a count-in: it has no bar lines."""

    @property
    def first_position(self) -> float:
        """The position before which no bar line belongs to it."""
        first = super().first_position
        if self._first_position >= 0:
            return first
        near_beats = NEAR_SECONDS / self._pieces[0].beat_seconds
        return max(first, -near_beats)

    def add(self, reading: Transport, lap_beats: float | None = None) -> None:
        """Add a reading of this segment, which may be the first of another lap."""
        lap_beats = self.lap_beats if lap_beats is None else lap_beats
        position, seconds = reading.beat + lap_beats, reading.received_seconds
        self.last_reading_seconds = max(self.last_reading_seconds, seconds)
        last_seconds = self._scale_from_position(self._last_position)
        tempo_bpm, beat_seconds = reading.tempo_bpm, float(60 / reading.tempo_bpm)
        newest = self._pieces[-1]
        if position <= self._last_position or seconds <= last_seconds:
            # It is behind the newest one by the jitter of its source, or changes the tempo there.
            if tempo_bpm != newest.tempo_bpm and abs(seconds - last_seconds) <= _NOISE_SECONDS:
                self._add_piece(self._last_position, tempo_bpm=tempo_bpm, beat_seconds=beat_seconds)
            return
        self._bend(position, seconds, reading.tempo_bpm)
        self._start_lap(position, lap_beats)
        self._update_grid(reading, position)
        newest = self._pieces[-1]
        if (newest.tempo_bpm, newest.beat_seconds) != (tempo_bpm, beat_seconds):
            self._add_piece(
                position, seconds=seconds, tempo_bpm=tempo_bpm, beat_seconds=beat_seconds
            )
        self._last_position = position

    def retune(self, since_seconds: float, tempo_bpm: Fraction) -> None:
        """Correct the tempo since an instant: it is better known now. No position changes."""
        first = bisect_left(self._pieces, since_seconds, key=lambda piece: piece.seconds)
        self._pieces[first:] = [
            replace(piece, tempo_bpm=tempo_bpm) for piece in self._pieces[first:]
        ]

    def _bend(self, position: float, seconds: float, tempo_bpm: Fraction) -> None:
        """Change the way since the newest reading so that the position is reached in time."""
        newest = self._pieces[-1]
        if tempo_bpm == newest.tempo_bpm:
            if abs(self._scale_from_position(position) - seconds) <= _NOISE_SECONDS:
                return
        else:
            # Where the old tempo's line meets the new one's is where the tempo changed.
            beat_seconds = float(60 / tempo_bpm)
            at_new = newest.seconds + (position - newest.position) * beat_seconds
            beats = (seconds - at_new) / (newest.beat_seconds - beat_seconds)
            changed = newest.position + beats
            if self._last_position <= changed <= position:
                self._add_piece(changed, tempo_bpm=tempo_bpm, beat_seconds=beat_seconds)
                return
        last = self._last_position
        last_seconds = self._scale_from_position(last)
        self._add_piece(last, beat_seconds=(seconds - last_seconds) / (position - last))


class ExactClock(BeatClock):
    """A beat clock whose readings are exact."""

    def update(self, reading: Transport, *, steady_since_seconds: float | None = None) -> None:
        """Add a reading; its `received_seconds` is not before the last one's.

        Args:
            steady_since_seconds: the tempo has been the reading's since then; the source knows it
                better now than it did.
        """
        super().update(reading)
        segment = self._history[-1]
        if steady_since_seconds is not None and isinstance(segment, ExactSegment):
            segment.retune(steady_since_seconds, reading.tempo_bpm)

    def _extend(self, reading: Transport) -> bool:
        segment = self._history[-1] if self._history else None
        if not isinstance(segment, ExactSegment):
            return self._disproves_the_stop(reading)
        if segment.ended:
            return False
        if abs(segment.lateness(reading)) <= AHEAD_SECONDS:
            segment.add(reading)
            return True
        lap_beats = segment.lap_of(reading)
        if lap_beats is None:
            return False
        segment.add(reading, lap_beats)
        return True

    def _disproves_the_stop(self, reading: Transport) -> bool:
        """Go on with the segment before a stop if the playhead is where it would be without one.

        The source was only silent, such as a MIDI clock that lost its cable for a second.
        """
        before = self._history[-2] if len(self._history) > 1 else None
        if not (isinstance(before, ExactSegment) and before.ended == STOPPED):
            return False
        silent_seconds = reading.received_seconds - before.last_reading_seconds
        if silent_seconds > SILENCE_SECONDS or abs(before.lateness(reading)) > PHASE_SECONDS:
            return False
        self._history.pop()
        before.reopen()
        before.add(reading)
        return True

    def _segment(self, reading: Transport, began: str, after_seconds: float) -> ExactSegment:
        return ExactSegment(reading, began, after_seconds)
