"""The metronome clicks on the clock's beats, evenly, and counts in up to the take's first beat."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from bridge.clock.clocks import Clocks
from bridge.commands import ClipSettings, Transport
from bridge.delivery.metronome import Metronome
from bridge.events import MetronomeChanged
from bridge.soundcard.clicks import Click, SetClicks
from bridge.timing import Meter
from tests.delivery.offline_player import BEGIN_SECONDS, BLOCK, RATE, OfflinePlayer, offline_player

POLL_BLOCKS = 10
LATENCY_SECONDS = 0.02


class Stage:
    """A metronome with an offline output and all clocks, in time of its own.

    Attributes:
        count_in_until: the end of a capture's count-in; None: the internal clock's.
        published: the states of the metronome.
    """

    def __init__(self, player: OfflinePlayer) -> None:
        self.player, self.settings = player, ClipSettings(tempo_bpm=Fraction(120))
        self.clocks = Clocks(lambda: self.settings, lambda change: None)
        self.count_in_until: float | None = None
        self.published: list[MetronomeChanged] = []
        self.metronome = Metronome(
            player,
            lambda: self.clocks.current,
            latency_seconds=lambda: LATENCY_SECONDS,
            count_in_until=lambda now: self.count_in_until or self.clocks.count_in_until(now),
            is_on=False,
            gain_db=-9.0,
            publish=self.published.append,
        )
        self._blocks = 0

    def switch(self, is_on: bool) -> None:
        self.metronome.set(is_on, None, self.player.seconds)

    def run(self, seconds: float) -> None:
        """Let time pass; poll ten times a second, as the daemon does."""
        for _ in range(round(seconds * RATE / BLOCK)):
            if self._blocks % POLL_BLOCKS == 0:
                self.clocks.poll(self.player.seconds)
                self.metronome.poll(self.player.seconds)
            self.player.render()
            self._blocks += 1

    def begins(self) -> list[int]:
        """The frames at which a click begins."""
        loud = np.flatnonzero(self.player.samples[:, 0])
        frames: list[int] = loud[np.flatnonzero(np.diff(loud, prepend=-RATE) > 1000)].tolist()
        return frames

    def accents(self) -> list[int]:
        """The frames of accents that were given."""
        given = [each for each in self.player.commands if isinstance(each, SetClicks)]
        clicks: list[Click] = [click for command in given for click in command.clicks]
        return sorted({click.at_frame for click in clicks if click.is_accent})


@pytest.fixture
def stage() -> Iterator[Stage]:
    with offline_player() as player:
        yield Stage(player)


@pytest.mark.parametrize(
    ("tempo", "meter"), [("120", (4, 4)), ("93.7", (3, 4)), ("111", (7, 8)), ("60", (3, 2))]
)
def test_clicks_are_on_the_exact_frames_of_the_beats_with_accents_on_bar_lines(
    stage: Stage, tempo: str, meter: tuple[int, int]
) -> None:
    numerator, denominator = meter
    stage.settings = ClipSettings(
        tempo_bpm=Fraction(tempo), numerator=numerator, denominator=denominator
    )
    stage.switch(True)
    start = BEGIN_SECONDS + 0.5
    stage.run(0.5)
    stage.clocks.start(start, lead_seconds=stage.metronome.lead_seconds)
    stage.run(9.0)
    first = (0.5 + stage.metronome.lead_seconds - LATENCY_SECONDS) * RATE
    spacing = Fraction(60 * 4 * RATE, denominator) / Fraction(tempo)
    begins = stage.begins()
    assert begins[0] == pytest.approx(first, abs=2)
    exact = [begins[0] + number * spacing for number in range(len(begins))]
    assert len(begins) >= 8.5 * RATE / spacing
    assert max(abs(frame - each) for frame, each in zip(begins, exact, strict=True)) <= 1
    bars = [frame for number, frame in enumerate(begins) if number % numerator == 0]
    assert [frame for frame in stage.accents() if frame <= begins[-1]] == bars


def test_it_stops_with_the_clock_and_when_it_is_switched_off(stage: Stage) -> None:
    stage.switch(True)
    stage.run(0.5)
    assert stage.begins() == [], "no clock plays"
    stage.clocks.start(stage.player.seconds)
    stage.run(2.0)
    stage.clocks.internal.halt(stage.player.seconds)
    # What is about to begin within a poll may still sound.
    stage.run(0.15)
    count = len(stage.begins())
    assert count >= 3
    stage.run(2.0)
    assert len(stage.begins()) == count
    stage.clocks.start(stage.player.seconds)
    stage.run(2.0)
    assert len(stage.begins()) > count
    stage.switch(False)
    count = len(stage.begins())
    stage.run(2.0)
    assert len(stage.begins()) == count
    assert [each.is_on for each in stage.published] == [True, False]


def test_it_follows_a_new_tempo(stage: Stage) -> None:
    stage.switch(True)
    stage.clocks.start(stage.player.seconds)
    stage.run(3.0)
    stage.settings = ClipSettings(tempo_bpm=Fraction(150))
    stage.clocks.settings_changed(stage.player.seconds)
    stage.run(3.0)
    gaps = np.diff(stage.begins())
    assert gaps[:3].tolist() == [22_050] * 3
    assert gaps[-4:].tolist() == [17_640] * 4
    # One beat has both tempos in it.
    assert sum(gap not in (22_050, 17_640) for gap in gaps.tolist()) <= 1


def test_beats_too_close_to_count_are_thinned_out(stage: Stage) -> None:
    stage.settings = ClipSettings(tempo_bpm=Fraction(240), numerator=16, denominator=16)
    stage.switch(True)
    stage.clocks.start(stage.player.seconds)
    stage.run(3.0)
    assert set(np.diff(stage.begins()).tolist()) <= {5512, 5513}


def test_the_internal_clock_is_counted_in_and_then_silent(stage: Stage) -> None:
    stage.clocks.start(
        stage.player.seconds, count_in_bars=2, lead_seconds=stage.metronome.lead_seconds
    )
    stage.run(8.0)
    begins = stage.begins()
    assert len(begins) == 8, "the ninth is the first beat of what is counted in"
    assert np.diff(begins).tolist() == [22_050] * 7
    assert [frame for frame in stage.accents() if frame <= begins[-1]] == [begins[0], begins[4]]


def test_a_capture_is_counted_in_up_to_its_bar_line_also_under_a_daw(stage: Stage) -> None:
    def read(beat: float) -> None:
        stage.clocks.update(
            "osc",
            Transport(
                Fraction(120), beat, True, Meter(), received_seconds=BEGIN_SECONDS + beat / 2
            ),
        )

    stage.count_in_until = BEGIN_SECONDS + 4
    for tenth in range(60):
        read(tenth / 5)
        stage.run(0.1)
    begins = np.array(stage.begins())
    beats = (begins / RATE + LATENCY_SECONDS) * 2
    assert np.allclose(beats, np.round(beats), atol=0.02)
    assert np.round(beats).tolist() == [1, 2, 3, 4, 5, 6, 7]
