"""Tempo and meter of the session: as a request or a person set them, else the DAW's."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from bridge.clock.beat_clock import BeatClock
from bridge.commands import ClipSettings
from bridge.timing import Meter, first_meter


class SessionTime:
    """Makes clock and session defaults into tempo and meter.

    Attributes:
        clock: where the music is.
    """

    def __init__(self, clock: BeatClock, defaults: Callable[[], ClipSettings]) -> None:
        """Args:
        defaults: gives the session's settings of this moment.
        """
        self.clock = clock
        self._defaults = defaults

    def tempo_bpm(self, settings: ClipSettings | None = None) -> Fraction | None:
        """The settings' tempo, else the session's, else the DAW's; None when none is known."""
        tempo_bpm: Fraction | None = self._over_defaults(settings).get("tempo_bpm")
        return tempo_bpm or self.clock.tempo_bpm

    def meter(self, settings: ClipSettings | None = None) -> Meter | None:
        """The settings' meter, else the session's, else the DAW's; None when none is known.

        A numerator or denominator alone changes that part of the DAW's meter, else of 4/4.
        """
        given = self._over_defaults(settings)
        numerator, denominator = given.get("numerator"), given.get("denominator")
        if numerator is None and denominator is None:
            return self.clock.meter
        base = first_meter(self.clock.meter)
        return Meter(numerator or base.numerator, denominator or base.denominator)

    def _over_defaults(self, settings: ClipSettings | None) -> ClipSettings:
        return (settings or ClipSettings()).over(self._defaults())
