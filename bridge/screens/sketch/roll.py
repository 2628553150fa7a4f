"""What was sung lately, on the beats: the piano roll that scrolls by.

While a clock plays, the roll follows its beats. Else it follows the singer: a phrase begins on a
bar line with its first sound, as a take without a transport does, and the roll rests between
phrases.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bridge.audio import db_to_amplitude
from bridge.events import NO_PITCH, BeatReached, ClockChanged, DefaultsChanged, Event, Level, Pitch
from bridge.timing import FALLBACK_METER, FALLBACK_TEMPO_BPM, Meter

MOST_MOMENTS = 2048
"""Three minutes of levels, which come ten times a second."""
REST_SECONDS = 2.0
"""A rest of this length ends a phrase, as in `capture/phrase.py`."""
HEARD_DB = -40.0
"""A peak from here on is a sound, also where no pitch is heard in it."""
HELD_SECONDS = 0.35
"""A moment lasts until the next, but no longer."""
MOST_BEATS_BETWEEN = 2.0
"""A playhead that moves further than this between two beats has jumped."""


@dataclass(frozen=True)
class Moment:
    """What was heard at one time.

    Attributes:
        seconds: when, on the caller's clock.
        beat: where, in beats from a bar line.
        peak_db: the level.
        note: MIDI's; None: no voice.
    """

    seconds: float
    beat: float
    peak_db: float
    note: int | None


class Roll:
    """The moments of the last phrases. Times are seconds of one clock of the caller's.

    Attributes:
        moments: the oldest first.
    """

    def __init__(self) -> None:
        self.moments: deque[Moment] = deque(maxlen=MOST_MOMENTS)
        self._tempo_bpm, self._meter = float(FALLBACK_TEMPO_BPM), FALLBACK_METER
        self._is_playing = False
        self._note: int | None = None
        # Where the roll is at `_since_seconds`, from where it goes on while it moves.
        self._beat, self._since_seconds = 0.0, 0.0
        self._heard_seconds = -math.inf

    @property
    def beats_per_bar(self) -> float:
        """Quarter notes in a bar."""
        return float(self._meter.beats_per_bar)

    def observe(self, event: Event, seconds: float) -> None:
        """Follow one event that arrived then."""
        match event:
            case ClockChanged():
                self._clock_changed(event, seconds)
            case DefaultsChanged(settings) if not self._is_playing:
                self._beat, self._since_seconds = self.beat(seconds), seconds
                self._tempo_bpm = float(settings.get("tempo_bpm") or FALLBACK_TEMPO_BPM)
            case BeatReached(beat) if self._is_playing:
                if not 0 <= beat - self._beat <= MOST_BEATS_BETWEEN:
                    self.moments.clear()
                self._beat, self._since_seconds = float(beat), seconds
            case Pitch(note):
                self._note = None if event == NO_PITCH else note
            case Level(peak_db):
                self._heard(peak_db, seconds)

    def beat(self, seconds: float) -> float:
        """Where the roll is, in beats."""
        if self._is_playing:
            # The next beat's own event says when it is there.
            passed = (seconds - self._since_seconds) * self._tempo_bpm / 60
            return self._beat + min(passed, 0.999)
        phrase_seconds = min(seconds, self._heard_seconds + REST_SECONDS) - self._since_seconds
        return self._beat + max(phrase_seconds, 0.0) * self._tempo_bpm / 60

    def notes(self, seconds: float, bars: float, width: int) -> list[int]:
        """The notes of the last bars, a column each, the newest last; −1: none."""
        columns = [-1] * width
        head = self._column(self.beat(seconds), bars, width)
        ends = [*self.moments, Moment(seconds, self.beat(seconds), -math.inf, None)]
        for moment, after in pairwise(ends):
            if moment.note is None:
                continue
            beats = min(after.seconds - moment.seconds, HELD_SECONDS) * self._tempo_bpm / 60
            end_beat = min(after.beat, moment.beat + beats)
            first = self._column(moment.beat, bars, width) - head + width - 1
            last = self._column(end_beat, bars, width) - head + width - 1
            for column in range(max(first, 0), min(last + 1, width)):
                columns[column] = moment.note
        return columns

    def bar_lines(self, seconds: float, bars: float, width: int) -> list[bool]:
        """Which of those columns begin a bar."""
        head = self._column(self.beat(seconds), bars, width)
        per_bar = self.beats_per_bar
        lines = [False] * width
        newest = math.floor(self.beat(seconds) / per_bar)
        for bar in range(newest - math.ceil(bars) - 1, newest + 1):
            column = self._column(bar * per_bar, bars, width) - head + width - 1
            if 0 <= column < width:
                lines[column] = True
        return lines

    def take(self, length_seconds: float, seconds: float) -> list[Moment]:
        """The moments of a take of that length that ends now: on a bar line, or with a phrase."""
        if self._is_playing:
            late_beats = self.beat(seconds) % self.beats_per_bar
            end = seconds - late_beats * 60 / self._tempo_bpm
        else:
            end = min(seconds, self._heard_seconds + HELD_SECONDS)
        return [each for each in self.moments if 0 <= end - each.seconds <= length_seconds]

    def _column(self, beat: float, bars: float, width: int) -> int:
        return math.floor(beat * width / (bars * self.beats_per_bar))

    def _clock_changed(self, clock: ClockChanged, seconds: float) -> None:
        if clock.is_playing != self._is_playing:
            self.moments.clear()
            self._beat = 0.0
        else:
            self._beat = self.beat(seconds)
        self._since_seconds = seconds
        self._is_playing, self._tempo_bpm = clock.is_playing, clock.tempo_bpm
        self._meter = Meter(clock.numerator, clock.denominator)

    def _in_phrase(self, seconds: float) -> bool:
        return seconds - self._heard_seconds < REST_SECONDS

    def _heard(self, peak_db: float, seconds: float) -> None:
        in_phrase = self._is_playing or self._in_phrase(seconds)
        if self._note is not None or peak_db > HEARD_DB:
            if not in_phrase:
                bars = math.ceil(self.beat(seconds) / self.beats_per_bar)
                self._beat, self._since_seconds = bars * self.beats_per_bar, seconds
            self._heard_seconds = seconds
        elif not in_phrase:
            return
        self.moments.append(Moment(seconds, self.beat(seconds), peak_db, self._note))


def peaks_of(moments: Sequence[Moment]) -> NDArray[np.float32]:
    """The amplitudes of moments, 0…1."""
    return np.array([db_to_amplitude(each.peak_db) for each in moments], np.float32)


def classes_of(moments: Sequence[Moment]) -> NDArray[np.int64]:
    """The pitch classes of moments; −1: none."""
    return np.array([-1 if each.note is None else each.note % 12 for each in moments], np.int64)
