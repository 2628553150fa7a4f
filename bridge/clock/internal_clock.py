"""The internal clock: it plays at the session's tempo and meter, for those who have no DAW."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from bridge.clock.exact_clock import ExactClock
from bridge.clock.session_time import changed_meter
from bridge.commands import ClipSettings, Transport
from bridge.timing import Meter, first_meter, first_tempo


class InternalClock:
    """Starts and stops a beat clock. Its tempo is the session's, also while it runs.

    Attributes:
        clock: the beat clock.
    """

    def __init__(
        self,
        clock: ExactClock,
        settings: Callable[[], ClipSettings],
    ) -> None:
        """Args:
        settings: gives the session's settings of this moment.
        """
        self.clock = clock
        self._settings = settings

    def start(self, seconds: float, *, count_in_bars: int = 0, lead_seconds: float = 0.0) -> None:
        """Start from the beginning, also while it runs.

        Args:
            count_in_bars: bars of negative beats before beat 0.
            lead_seconds: how long it runs before the first of these beats.
        """
        seconds = self._not_before_the_last(seconds)
        beat = -float(count_in_bars * self._meter.beats_per_bar)
        beat -= lead_seconds * float(self._tempo_bpm) / 60
        self._update(seconds, beat, is_playing=False)
        self._update(seconds, beat, is_playing=True)

    def halt(self, seconds: float) -> None:
        """Stop where it is; nothing happens when it is stopped already."""
        seconds = self._not_before_the_last(seconds)
        beat = self.clock.beat_at(seconds)
        if beat is not None and self.clock.is_playing(seconds):
            self._update(seconds, beat, is_playing=False)

    def poll(self, seconds: float) -> None:
        """Take the session's tempo and meter; call it now and then, and when they change."""
        seconds = self._not_before_the_last(seconds)
        beat = self.clock.beat_at(seconds) or 0.0
        self._update(seconds, beat, is_playing=self.clock.is_playing(seconds))

    def _update(self, seconds: float, beat: float, *, is_playing: bool) -> None:
        reading = Transport(
            self._tempo_bpm, beat, is_playing, self._meter, received_seconds=seconds
        )
        self.clock.update(reading)

    @property
    def _tempo_bpm(self) -> Fraction:
        return first_tempo(self._settings().get("tempo_bpm"))

    @property
    def _meter(self) -> Meter:
        return first_meter(changed_meter(self._settings(), None))

    def _not_before_the_last(self, seconds: float) -> float:
        return max(seconds, self.clock.last_reading_seconds or seconds)
