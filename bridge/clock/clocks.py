"""All sources of time, and the one that counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from bridge.clock.beat_clock import BeatClock
from bridge.clock.exact_clock import ExactClock
from bridge.clock.internal_clock import InternalClock
from bridge.clock.osc_clock import OscClock
from bridge.clock.session_time import changed_meter
from bridge.commands import ClipSettings, ClockSource, Transport
from bridge.events import ClockChanged
from bridge.timing import first_meter, first_tempo

ClockChoice = ClockSource | Literal["auto"]
"""A source of time, or the one that moves."""
KEPT_SECONDS = 5.0
"""`auto` keeps a source until it has stopped for this long."""

_NAMES: Mapping[ClockSource, str] = {
    "osc": "the DAW's OSC messages",
    "midi": "MIDI clock",
    "jack": "JACK transport",
    "link": "Ableton Link",
    "internal": "the internal clock",
}
"""The sources as people know them. Of several that move, `auto` takes the first of these."""
_WITHOUT_METER: tuple[ClockSource, ...] = ("midi", "link")
"""Sources that know no meter: theirs is the session's."""


class Clocks:
    """One beat clock for each source of time, and which of them counts.

    Attributes:
        internal: starts and stops the internal clock.
        choice: the source that was chosen, or `"auto"`.
        source: the source that counts now.
    """

    def __init__(
        self,
        settings: Callable[[], ClipSettings],
        on_change: Callable[[str], None],
        *,
        choice: ClockChoice = "auto",
    ) -> None:
        """Args:
        settings: gives the session's settings of this moment.
        on_change: called with a sentence when another source counts.
        choice: as for `select`.
        """
        self._settings, self._on_change = settings, on_change
        self._osc = OscClock()
        self._exact: Mapping[ClockSource, ExactClock] = {
            source: ExactClock() for source in _NAMES if source != "osc"
        }
        self._clocks: Mapping[ClockSource, BeatClock] = {"osc": self._osc, **self._exact}
        self.internal = InternalClock(self._exact["internal"], settings)
        self.choice: ClockChoice = choice
        self.source: ClockSource = "osc" if choice == "auto" else choice
        # When each source was last known to move.
        self._moved_seconds: dict[ClockSource, float] = {}

    @property
    def current(self) -> BeatClock:
        """The clock that counts now."""
        return self._clocks[self.source]

    def update(
        self,
        source: ClockSource,
        reading: Transport,
        *,
        steady_since_seconds: float | None = None,
    ) -> None:
        """Add a reading of a source; its `received_seconds` is not before the last one's.

        Args:
            steady_since_seconds: as for `ExactClock.update`; not for OSC.
        """
        if source in _WITHOUT_METER:
            reading = replace(reading, meter=first_meter(changed_meter(self._settings(), None)))
        if source == "osc":
            self._osc.update(reading)
        else:
            self._exact[source].update(reading, steady_since_seconds=steady_since_seconds)

    def select(self, choice: ClockChoice, now_seconds: float) -> None:
        """Choose the source that counts; `"auto"`: the one that moves."""
        self.choice = choice
        if choice == "auto":
            self._take_what_moves(now_seconds)
        else:
            self._take(choice, "it was chosen")

    def start(self, seconds: float, *, count_in_bars: int = 0, lead_seconds: float = 0.0) -> str:
        """Start the internal clock.

        Args:
            count_in_bars, lead_seconds: as for `InternalClock.start`.

        Returns:
            A remark for the person who did; empty when there is nothing to say.
        """
        self.internal.start(seconds, count_in_bars=count_in_bars, lead_seconds=lead_seconds)
        if self.source == "internal":
            return ""
        if self.choice != "auto" or self.current.is_playing(seconds):
            return (
                f"the internal clock runs, but the time comes from {_NAMES[self.source]}: "
                "send /bridge/clock internal to go by it"
            )
        self._take("internal", "it was started")
        return ""

    def count_in_until(self, now_seconds: float) -> float | None:
        """When the internal clock's count-in ends; None unless it counts, and is the one."""
        beat = self.current.beat_at(now_seconds)
        if self.source != "internal" or beat is None or beat >= 0:
            return None
        return self.current.next_bar_line(now_seconds)

    def settings_changed(self, now_seconds: float) -> None:
        """Give the session's tempo and meter to the clocks that have none of their own."""
        meter = first_meter(changed_meter(self._settings(), None))
        for source in _WITHOUT_METER:
            if self._clocks[source].meter is not None:
                self._clocks[source].meter = meter
        if self.internal.clock.tempo_bpm is not None:
            self.internal.poll(now_seconds)

    def poll(self, now_seconds: float) -> None:
        """Let the internal clock go on, and follow what moves; call it ten times a second."""
        if self.source == "internal" or self.internal.clock.tempo_bpm is not None:
            self.internal.poll(now_seconds)
        if self.choice == "auto":
            self._take_what_moves(now_seconds)

    def state(self, now_seconds: float) -> ClockChanged:
        """The time that counts now; where its source has none yet, the session's, else 120, 4/4."""
        clock, settings = self.current, self._settings()
        meter = first_meter(clock.meter, changed_meter(settings, None))
        return ClockChanged(
            self.source,
            float(first_tempo(clock.tempo_bpm, settings.get("tempo_bpm"))),
            meter.numerator,
            meter.denominator,
            clock.is_playing(now_seconds),
        )

    def _take_what_moves(self, now_seconds: float) -> None:
        moving: list[ClockSource] = []
        for source, clock in self._clocks.items():
            if clock.is_playing(now_seconds) and clock.last_reading_seconds is not None:
                moving.append(source)
                self._moved_seconds[source] = clock.last_reading_seconds
        moved_seconds = self._moved_seconds.get(self.source)
        if moved_seconds is not None and now_seconds <= moved_seconds + KEPT_SECONDS:
            return
        if moving:
            self._take(moving[0], "it plays")
        elif moved_seconds is None:
            # Nothing has played yet: what gives a tempo is better than what gives none.
            known = [source for source, clock in self._clocks.items() if clock.tempo_bpm]
            if known:
                self._take(known[0], "it gives a tempo")

    def _take(self, source: ClockSource, why: str) -> None:
        if source == self.source:
            return
        before, self.source = self.source, source
        self._on_change(
            f"the time comes from {_NAMES[source]} now, not from {_NAMES[before]}: {why}"
        )
