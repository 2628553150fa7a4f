"""Tempo and meter of the session: the request's, else the DAW's, else what a person has set.

This is the one place that decides them, so captures and clips always go by the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from bridge.clock.beat_clock import BeatClock
from bridge.clock.exact_clock import ExactClock
from bridge.commands import ClipSettings
from bridge.timing import Meter, first_meter


class SessionTime:
    """Makes clock and session settings into tempo and meter.

    A DAW that sends its time outranks the session's settings, unless these have `tempo_lock`.

    """

    def __init__(
        self, clock: Callable[[], BeatClock], defaults: Callable[[], ClipSettings]
    ) -> None:
        """Args:
        clock: gives the clock that counts at this moment.
        defaults: gives the session's settings of this moment.
        """
        self._clock, self._defaults = clock, defaults
        self._no_bar_lines = ExactClock()

    @property
    def clock(self) -> BeatClock:
        """Where the music is, by the source of time that counts now."""
        return self._clock()

    def tempo_bpm(self, settings: ClipSettings | None = None) -> Fraction | None:
        """The tempo of a request, or of the session; None when none is known.

        A request for the melody's own tempo goes by no other.

        Args:
            settings: the request's, which outrank all others.
        """
        requested: Fraction | str | None = (settings or ClipSettings()).get("tempo_bpm")
        if isinstance(requested, str):
            return None
        chosen: Fraction | None = self._defaults().get("tempo_bpm")
        daw = self.clock.tempo_bpm
        return requested or ((chosen or daw) if self._is_locked() else (daw or chosen))

    def meter(self, settings: ClipSettings | None = None) -> Meter | None:
        """The meter of a request, or of the session; None when none is known.

        A numerator or denominator alone changes that part of the next meter, at last of 4/4.

        Args:
            settings: the request's, which outrank all others.
        """
        daw = self.clock.meter
        daw_counts = daw is not None and not self._is_locked()
        session = daw if daw_counts else changed_meter(self._defaults(), daw)
        return changed_meter(settings or ClipSettings(), session)

    @property
    def bar_lines(self) -> BeatClock:
        """The bar lines that captures go by: the DAW's, unless a lock sets another time.

        Under such a lock captures go by the session's tempo, as without a DAW.
        """
        clock = self.clock
        differs = (self.tempo_bpm(), self.meter()) != (clock.tempo_bpm, clock.meter)
        return self._no_bar_lines if self._is_locked() and differs else clock

    @property
    def overruled(self) -> str:
        """A sentence about settings that the DAW's time outranks; empty when there are none."""
        defaults, daw = self._defaults(), self.clock
        if self._is_locked() or daw.tempo_bpm is None or daw.meter is None:
            return ""
        tempo_bpm, meter = defaults.get("tempo_bpm"), changed_meter(defaults, daw.meter)
        if tempo_bpm in (None, daw.tempo_bpm) and meter == daw.meter:
            return ""
        return (
            f"the DAW's {float(daw.tempo_bpm):g} bpm and {daw.meter} count, not the session's own "
            "time: send /bridge/set tempo_lock 1 to hold that"
        )

    def _is_locked(self) -> bool:
        return bool(self._defaults().get("tempo_lock"))


def changed_meter(settings: ClipSettings, meter: Meter | None) -> Meter | None:
    """A meter with the settings' numerator and denominator in place of its own.

    None where neither is known.
    """
    numerator, denominator = settings.get("numerator"), settings.get("denominator")
    if numerator is None and denominator is None:
        return meter
    base = first_meter(meter)
    return Meter(numerator or base.numerator, denominator or base.denominator)
