"""The metronome: clicks on the clock's beats, and a count-in before a recording.

Clicks go to the output alone: nothing that is written has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice

from bridge.audio import db_to_amplitude
from bridge.clock.beat_clock import BeatClock
from bridge.clock.quantum import GridLine, next_line
from bridge.delivery.playback import AHEAD_SECONDS, SOONEST_SECONDS
from bridge.events import MetronomeChanged
from bridge.soundcard.clicks import MOST_CLICKS, Click, SetClicks, Tick
from bridge.soundcard.output_report import OutputStatus
from bridge.soundcard.player import Player
from bridge.timing import Quantum

LEAD_SECONDS = 0.2
"""`poll` comes each 0.1 s, may be late, and gives no click that is due at once."""
SHORTEST_SECONDS = 0.1
"""Clicks that would be closer than this are too many to count by: every second one is left out."""
UNEVEN_SECONDS = 0.002
"""Clicks stay evenly spaced while they are off their beats by less: a gap of that is not heard."""
_BEFORE_SECONDS = 0.001
"""A click this close to the end of the count-in is on its end, and belongs to the take."""


class Metronome:
    """Clicks on every beat of the meter; one of 7/8 is an eighth. For the event loop's thread.

    Attributes:
        is_on: whether it clicks all the time; in a count-in it does so anyway.
    """

    def __init__(
        self,
        player: Player,
        clock: Callable[[], BeatClock],
        *,
        latency_seconds: Callable[[], float],
        count_in_until: Callable[[float], float | None],
        is_on: bool,
        gain_db: float,
        publish: Callable[[MetronomeChanged], None],
    ) -> None:
        """Args:
        clock: gives the clock that counts at this moment.
        latency_seconds: gives the time from handing a frame over until it is heard.
        count_in_until: gives the end of a count-in that is under way at an instant; None: none is.
        gain_db: a click's peak is at this level.
        publish: called with each change.
        """
        self._player, self._clock = player, clock
        self._latency_seconds, self._count_in_until = latency_seconds, count_in_until
        self._publish = publish
        self.is_on, self._gain_db = is_on, gain_db
        self._given: SetClicks = SetClicks((), 1.0)
        # A beat and its frame, from which the next ones are counted.
        self._anchor = (0.0, 0)

    @property
    def state(self) -> MetronomeChanged:
        """As it is published."""
        return MetronomeChanged(self.is_on, self._gain_db)

    @property
    def lead_seconds(self) -> float:
        """How long before its first beat a clock must start so that this beat is heard."""
        return self._latency_seconds() + LEAD_SECONDS

    def set(self, is_on: bool, gain_db: float | None, now_seconds: float) -> None:
        """Switch it on or off; None: its gain is as it was."""
        self.is_on = is_on
        self._gain_db = self._gain_db if gain_db is None else gain_db
        self.poll(now_seconds)
        self._publish(self.state)

    def tick(self, is_accent: bool) -> None:
        """Click once, now."""
        self._player.send(Tick(is_accent, db_to_amplitude(self._gain_db)))

    def poll(self, now_seconds: float) -> None:
        """Give the clicks that are near; call it ten times a second."""
        status = self._player.status
        if status is None:
            self._given = SetClicks((), 1.0)
            return
        clicks = tuple(islice(self._clicks(status, now_seconds), MOST_CLICKS))
        command = SetClicks(clicks, db_to_amplitude(self._gain_db))
        if command != self._given and (clicks or self._given.clicks):
            self._given = command
            self._player.send(command)

    def _clicks(self, status: OutputStatus, now_seconds: float) -> Iterator[Click]:
        """The clicks to come: those about to begin as they were given, and the next ones."""
        clock, count_in_until = self._clock(), self._count_in_until(now_seconds)
        if not clock.is_playing(now_seconds) or not (self.is_on or count_in_until):
            return
        soonest = now_seconds + self._latency_seconds() + SOONEST_SECONDS
        first_frame = status.frame_at(now_seconds + SOONEST_SECONDS)
        yield from (
            click for click in self._given.clicks if status.frame <= click.at_frame < first_frame
        )
        for line in _lines(clock, soonest, soonest + AHEAD_SECONDS):
            is_counted = count_in_until and line.seconds < count_in_until - _BEFORE_SECONDS
            frame = self._frame(line.seconds, status)
            if (self.is_on or is_counted) and frame >= first_frame:
                bar_beats = clock.meter.beats_per_bar if clock.meter else 1
                yield Click(frame, line.beats_into_bar % bar_beats == 0)

    def _frame(self, seconds: float, status: OutputStatus) -> int:
        """The frame of a beat: as far from the anchor as the beat, unless that is heard to be off.

        The estimate of a frame's time moves by up to a millisecond; clicks that all follow it would
        not be evenly spaced.
        """
        estimate = status.frame_at(seconds - self._latency_seconds())
        anchor_seconds, anchor_frame = self._anchor
        rate = self._player.sample_rate
        frame = anchor_frame + round((seconds - anchor_seconds) * rate)
        if abs(frame - estimate) > UNEVEN_SECONDS * rate:
            self._anchor, frame = (seconds, estimate), estimate
        return frame


def _lines(clock: BeatClock, after_seconds: float, until_seconds: float) -> Iterator[GridLine]:
    """The beats of the clock's meter in a span of time."""
    if clock.meter is None or clock.tempo_bpm is None:
        return
    spacing = Fraction(4, clock.meter.denominator)
    while spacing * 60 / clock.tempo_bpm < SHORTEST_SECONDS:
        spacing *= 2
    quantum = Quantum(spacing, "beats")
    line = next_line(clock, after_seconds, quantum)
    while line is not None and line.seconds <= until_seconds:
        yield line
        line = next_line(clock, line.seconds, quantum)
