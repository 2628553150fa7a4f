"""Which source of time counts, and the internal clock."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from bridge.clock.clocks import ClockChoice, Clocks
from bridge.commands import ClipSettings, ClockSource, Transport
from bridge.events import ClockChanged
from bridge.timing import Meter

EXACT_SECONDS = 1e-6


class Stage:
    """All clocks, and time that passes.

    Attributes:
        now: the present instant.
        settings: the session's.
        changes: the sentences about changes of the source.
    """

    def __init__(self, choice: ClockChoice = "auto") -> None:
        self.now = 1000.0
        self.settings = ClipSettings()
        self.changes: list[str] = []
        self.clocks = Clocks(
            lambda: self.settings,
            self.changes.append,
            choice=choice,
        )
        self._playing: dict[ClockSource, float] = {}

    def source(self) -> ClockSource:
        """The source that counts."""
        return self.clocks.source

    def play(self, source: ClockSource) -> None:
        """Let a source play at 96 bpm and 3/4 from now on."""
        self._playing[source] = self.now
        self._read(source, True)

    def stop(self, source: ClockSource) -> None:
        self._read(source, False)
        del self._playing[source]

    def rest(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.now += 0.1
            for source in self._playing:
                self._read(source, True)
            self.clocks.poll(self.now)

    def set(self, **values: Any) -> None:
        self.settings = ClipSettings(**values)
        self.clocks.settings_changed(self.now)

    def _read(self, source: ClockSource, is_playing: bool) -> None:
        beat = (self.now - self._playing.get(source, self.now)) * 96 / 60
        reading = Transport(Fraction(96), beat, is_playing, Meter(3, 4), received_seconds=self.now)
        self.clocks.update(source, reading)


def test_auto_takes_the_one_that_moves_and_says_so() -> None:
    stage = Stage()
    assert stage.source() == "osc" and not stage.clocks.current.is_playing(stage.now)
    stage.play("midi")
    stage.rest(0.2)
    assert stage.source() == "midi"
    assert stage.changes == [
        "the time comes from MIDI clock now, not from the DAW's OSC messages: it plays"
    ]


def test_auto_keeps_a_source_until_it_has_stopped_for_5_s() -> None:
    stage = Stage()
    stage.play("jack")
    stage.rest(1.0)
    stage.play("osc")
    stage.rest(20.0)
    assert stage.source() == "jack"
    stage.stop("jack")
    stage.rest(4.5)
    assert stage.source() == "jack"
    stage.rest(1.0)
    assert stage.source() == "osc"
    assert len(stage.changes) == 2


def test_auto_keeps_a_stopped_source_while_nothing_else_moves() -> None:
    stage = Stage()
    stage.play("link")
    stage.rest(1.0)
    stage.stop("link")
    stage.rest(60.0)
    assert stage.source() == "link"


def test_a_source_that_falls_silent_counts_as_stopped() -> None:
    stage = Stage()
    stage.play("osc")
    stage.rest(1.0)
    del stage._playing["osc"]
    stage.play("midi")
    stage.rest(4.0)
    assert stage.source() == "osc"
    stage.rest(2.0)
    assert stage.source() == "midi"


def test_a_chosen_source_counts_whatever_moves() -> None:
    stage = Stage("midi")
    stage.play("osc")
    stage.rest(10.0)
    assert stage.source() == "midi"
    assert not stage.clocks.current.is_playing(stage.now)
    stage.clocks.select("osc", stage.now)
    assert stage.source() == "osc" and "it was chosen" in stage.changes[0]
    stage.clocks.select("auto", stage.now)
    assert stage.source() == "osc"


def test_sources_without_a_meter_take_the_sessions() -> None:
    stage = Stage()
    stage.play("midi")
    stage.rest(0.3)
    assert stage.clocks.current.meter == Meter(4, 4)
    stage.set(numerator=7, denominator=8)
    assert stage.clocks.current.meter == Meter(7, 8)
    stage.rest(10.0)
    line = stage.clocks.current.next_bar_line(stage.now)
    beat = stage.clocks.current.beat_at(line or 0.0)
    assert beat is not None and abs(beat / 3.5 - round(beat / 3.5)) < 1e-6
    jack = Stage("jack")
    jack.set(numerator=7, denominator=8)
    jack.play("jack")
    assert jack.clocks.current.meter == Meter(3, 4)


def test_the_internal_clock_plays_at_the_sessions_tempo_and_meter() -> None:
    stage = Stage("internal")
    stage.set(tempo_bpm=Fraction(937, 10), numerator=5)
    stage.rest(0.3)
    started = stage.now
    stage.clocks.start(stage.now)
    stage.rest(20.0)
    clock = stage.clocks.current
    assert clock.beat_at(stage.now) == pytest.approx(20 * 93.7 / 60, abs=EXACT_SECONDS)
    span = clock.bars_ending(stage.now, 6)
    assert (span.bars, span.tempo_bpm, span.is_steady) == (6, Fraction(937, 10), True)
    assert span.meter == Meter(5, 4)
    assert span.start_seconds == pytest.approx(started, abs=EXACT_SECONDS)


def test_a_tempo_that_is_set_while_it_runs_counts_at_once() -> None:
    stage = Stage("internal")
    stage.clocks.start(stage.now)
    stage.rest(2.0)
    stage.set(tempo_bpm=Fraction(60))
    assert stage.clocks.current.tempo_bpm == 60
    stage.rest(2.0)
    assert stage.clocks.current.beat_at(stage.now) == pytest.approx(6, abs=EXACT_SECONDS)


def test_it_halts_where_it_is_and_starts_from_the_beginning() -> None:
    stage = Stage("internal")
    stage.clocks.start(stage.now)
    stage.rest(2.5)
    stage.clocks.internal.halt(stage.now)
    stage.rest(3.0)
    assert stage.clocks.current.beat_at(stage.now) == pytest.approx(5)
    assert not stage.clocks.current.is_playing(stage.now)
    stage.clocks.start(stage.now)
    stage.rest(1.0)
    assert stage.clocks.current.beat_at(stage.now) == pytest.approx(2)


def test_a_count_in_has_negative_beats_and_belongs_to_no_bar() -> None:
    stage = Stage("internal")
    started = stage.now
    stage.clocks.start(stage.now, count_in_bars=2)
    stage.rest(1.0)
    clock = stage.clocks.current
    assert clock.beat_at(stage.now) == pytest.approx(-6)
    assert stage.clocks.count_in_until(stage.now) == pytest.approx(started + 4)
    assert clock.is_playing(stage.now)
    assert clock.next_bar_line(started - 0.01) == pytest.approx(started + 4)
    stage.rest(7.1)
    assert clock.bars_ending(stage.now, 9).bars == 2
    assert stage.clocks.count_in_until(stage.now) is None


def test_a_lead_puts_the_first_beat_later() -> None:
    stage = Stage("internal")
    stage.clocks.start(stage.now, count_in_bars=1, lead_seconds=0.25)
    assert stage.clocks.current.is_playing(stage.now)
    assert stage.clocks.count_in_until(stage.now) == pytest.approx(stage.now + 2.25)


def test_auto_takes_the_internal_clock_when_it_is_started_unless_another_moves() -> None:
    stage = Stage()
    assert stage.clocks.start(stage.now) == ""
    assert stage.source() == "internal"
    other = Stage()
    other.play("osc")
    other.rest(1.0)
    assert "/bridge/clock internal" in other.clocks.start(other.now)
    assert other.source() == "osc"
    stopped = Stage("osc")
    assert "the DAW's OSC messages" in stopped.clocks.start(stopped.now)


def test_the_state_is_the_sessions_where_the_source_knows_none() -> None:
    stage = Stage("link")
    assert stage.clocks.state(stage.now) == ClockChanged("link", 120.0, 4, 4, False)
    stage.set(tempo_bpm=Fraction(90), numerator=3)
    assert stage.clocks.state(stage.now) == ClockChanged("link", 90.0, 3, 4, False)
    stage.play("link")
    stage.rest(0.3)
    assert stage.clocks.state(stage.now) == ClockChanged("link", 96.0, 3, 4, True)


def test_a_capture_keeps_the_clock_that_it_began_with() -> None:
    stage = Stage()
    stage.play("midi")
    stage.rest(0.3)
    kept = stage.clocks.current
    stage.clocks.select("osc", stage.now)
    stage.rest(5.0)
    assert kept.is_playing(stage.now) and kept.bars_ending(stage.now, 2).bars == 2
