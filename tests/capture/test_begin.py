"""Takes begin and end on bar lines while the DAW plays, and at the first onset without it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from bridge.errors import BridgeError, NotEnoughBars, SilentMelody
from bridge.timing import Meter, bars_to_frames
from tests.capture.studio import (
    RATE,
    MakeStudio,
    audio,
    playing,
    poll,
    seconds_late,
    stopped,
)
from tests.clock.daw import Daw


@pytest.mark.parametrize("latency", [0.0, 0.04, -0.02])
@pytest.mark.parametrize("tempo_bpm", [Fraction(120), Fraction(937, 10)])
def test_a_started_take_begins_on_the_next_bar_line(
    make_studio: MakeStudio, latency: float, tempo_bpm: Fraction
) -> None:
    daw = playing(40, tempo_bpm=tempo_bpm)
    studio = make_studio(daw, latency)
    studio.click_on_beats()
    studio.run(daw.seconds_of(9)[0])
    capture = studio.start(4)
    states = [capture.state]
    studio.run(daw.seconds_of(14)[0], capture)
    states.append(capture.state)
    assert capture.seconds == pytest.approx(2 * 60 / float(tempo_bpm), abs=0.1)
    assert capture.peak_db == pytest.approx(-0.9, abs=0.1)
    studio.run(daw.now, capture)
    assert [*states, capture.state] == ["waiting", "recording", "done"]
    assert capture.remarks == ()
    samples = audio(capture.take)
    assert capture.take is not None
    assert (capture.take.tempo_bpm, capture.take.meter) == (tempo_bpm, Meter())
    assert capture.take.name == "me-1"
    assert len(samples) == bars_to_frames(4, Meter(), tempo_bpm, RATE)
    assert abs(seconds_late(studio, capture, daw.seconds_of(12)[0])) < 0.006
    assert capture.seconds == len(samples) / RATE


def test_clicks_on_the_beat_are_on_the_beats_of_a_take(make_studio: MakeStudio) -> None:
    """95 % are within 5 ms over forty takes; the first beat may be cut off."""
    errors = []
    for seed in range(40):
        daw = playing(16)
        studio = make_studio(daw, 0.02, seed=seed)
        studio.click_on_beats()
        studio.run(daw.seconds_of(6)[0])
        capture = studio.start(1)
        studio.run(daw.now, capture)
        clicks = np.flatnonzero(np.abs(audio(capture.take)[:, 0]) > 0.5)
        errors += [abs(click / RATE - round(click / RATE * 2) / 2) for click in clicks]
    assert len(errors) >= 120
    assert np.percentile(errors, 95) < 0.005


@pytest.mark.parametrize("drift", [-2e-3, 2e-3])
def test_an_input_that_runs_fast_or_slow_gives_complete_takes(
    make_studio: MakeStudio, drift: float
) -> None:
    """It drifts far more than a real one, 256 frames in this take; none is added or left out."""
    daw = playing(56)
    studio = make_studio(daw, rate=RATE * (1 + drift))
    studio.click_on_beats()
    studio.run(daw.seconds_of(9)[0])
    capture = studio.start(8)
    studio.run(daw.now, capture)
    assert (len(audio(capture.take)), capture.remarks) == (16 * RATE, ())
    assert abs(seconds_late(studio, capture, daw.seconds_of(12)[0])) < 0.006


def test_stop_after_the_last_bar_changes_nothing(make_studio: MakeStudio) -> None:
    """Stop comes while the end of the take is still delayed in the input."""
    daw = playing(40)
    studio = make_studio(daw, 0.3)
    studio.click_on_beats()
    studio.run(daw.seconds_of(9)[0])
    capture = studio.start(2)
    studio.run(daw.seconds_of(20.2)[0], capture)
    capture.stop(studio.now)
    studio.run(daw.now, capture)
    assert len(audio(capture.take)) == 4 * RATE


def test_an_open_take_ends_at_the_bar_line_after_stop(make_studio: MakeStudio) -> None:
    daw = playing(40)
    studio = make_studio(daw)
    studio.hum(daw.legs[1].seconds, 20)
    studio.run(daw.seconds_of(9)[0])
    capture = studio.start()
    studio.run(daw.seconds_of(21)[0], capture)
    capture.stop(studio.now)
    studio.run(daw.seconds_of(23)[0], capture)
    assert capture.state == "recording"
    studio.run(daw.now, capture)
    assert len(audio(capture.take)) == bars_to_frames(3, Meter(), Fraction(120), RATE)
    assert abs(seconds_late(studio, capture, daw.seconds_of(12)[0])) < 0.006


def test_a_take_requested_before_playback_has_the_first_bar(make_studio: MakeStudio) -> None:
    daw = playing(20, stopped_seconds=3.0)
    studio = make_studio(daw)
    studio.hum(daw.legs[1].seconds, 8)
    studio.run(daw.legs[1].seconds - 1)
    capture = studio.start(2)
    studio.run(daw.now, capture)
    assert abs(seconds_late(studio, capture, daw.legs[1].seconds)) < 0.01
    assert len(audio(capture.take)) == 4 * RATE


def test_without_a_daw_a_take_begins_at_the_first_onset(make_studio: MakeStudio) -> None:
    daw = stopped(12.0)
    studio = make_studio(daw, 0.03)
    begin = daw.legs[0].seconds
    studio.hum(begin + 2.0, 6)
    studio.run(begin + 0.5)
    capture = studio.start(2, Fraction(100))
    studio.run(begin + 1.9, capture)
    assert capture.state == "waiting"
    studio.run(daw.now, capture)
    samples = audio(capture.take)
    assert len(samples) == bars_to_frames(2, Meter(), Fraction(100), RATE)
    assert capture.take is not None and capture.take.tempo_bpm == 100
    assert -0.011 < seconds_late(studio, capture, begin + 2.0) <= 0


def test_without_a_daw_stop_ends_it_at_once(make_studio: MakeStudio) -> None:
    daw = stopped(12.0)
    studio = make_studio(daw, 0.03)
    begin = daw.legs[0].seconds
    studio.hum(begin + 2.0, 9)
    studio.run(begin + 0.5)
    capture = studio.start()
    studio.run(begin + 5.0, capture)
    capture.stop(studio.now)
    studio.run(begin + 5.2, capture)
    assert capture.take is not None and capture.take.tempo_bpm is None
    assert len(audio(capture.take)) == pytest.approx(3.0 * RATE, abs=0.011 * RATE)


def test_a_daw_that_starts_before_the_onset_begins_the_take_at_a_bar_line(
    make_studio: MakeStudio,
) -> None:
    daw = Daw()
    daw.jump(1.0)
    daw.stop(3.0)
    daw.play(20)
    studio = make_studio(daw)
    studio.hum(daw.legs[1].seconds + 0.3, 8)
    studio.run(daw.legs[1].seconds - 1)
    capture = studio.start(1)
    studio.run(daw.now, capture)
    assert abs(seconds_late(studio, capture, daw.seconds_of(4)[0])) < 0.01


def test_a_sound_during_playback_is_no_onset_after_it(make_studio: MakeStudio) -> None:
    daw = Daw()
    daw.jump(1.0)
    daw.stop(3.0)
    daw.play(2.5)
    daw.stop(8.0)
    studio = make_studio(daw)
    begin = daw.legs[2].seconds
    studio.hum(begin - 1.0, 0.6)
    studio.hum(begin + 3.0, 4)
    studio.run(daw.legs[1].seconds - 1)
    capture = studio.start(1, Fraction(120))
    studio.run(daw.now, capture)
    assert -0.011 < seconds_late(studio, capture, begin + 3.0) <= 0


def test_a_take_ends_when_playback_stops(make_studio: MakeStudio) -> None:
    daw = playing(22)
    daw.stop(3)
    studio = make_studio(daw)
    studio.hum(daw.legs[1].seconds, 20)
    studio.run(daw.seconds_of(9)[0])
    capture = studio.start(4)
    studio.run(daw.now, capture)
    assert len(audio(capture.take)) == pytest.approx(5.0 * RATE, abs=0.01 * RATE)
    assert capture.remarks == ("playback stopped: the take ends there, 5.0 s long",)


def test_a_take_is_complete_when_playback_stops_at_the_end_of_its_last_bar(
    make_studio: MakeStudio,
) -> None:
    """The packet that reports the stop may be a few milliseconds early."""
    daw = playing(27.96)
    daw.stop(3)
    studio = make_studio(daw)
    studio.hum(daw.legs[1].seconds, 20)
    studio.run(daw.seconds_of(9)[0])
    capture = studio.start(4)
    studio.run(daw.now, capture)
    assert len(audio(capture.take)) == 8 * RATE
    assert capture.remarks == ()


def test_a_jump_ends_a_take_and_a_loop_does_not(make_studio: MakeStudio) -> None:
    daw = playing(20)
    daw.jump(8)
    daw.play(12)
    daw.jump(51.3)
    daw.play(12)
    jump = daw.legs[-1].seconds
    studio = make_studio(daw)
    studio.hum(daw.legs[1].seconds, 30)
    studio.run(daw.seconds_of(9)[0])
    capture = studio.start(20)
    studio.run(daw.now, capture)
    assert re.match("the playhead jumped: the take ends there", capture.remarks[0])
    seconds = jump - daw.seconds_of(12)[0]
    assert seconds - 0.21 < len(audio(capture.take)) / RATE < seconds + 0.02


def test_a_take_of_less_than_a_beat_waits_again_when_playback_stops(
    make_studio: MakeStudio,
) -> None:
    daw = playing(12.5)
    daw.stop(2)
    daw.jump(0.0)
    daw.play(16)
    studio = make_studio(daw)
    studio.hum(daw.legs[-1].seconds, 8)
    studio.run(daw.seconds_of(9)[0])
    capture = studio.start(2)
    studio.run(daw.legs[2].seconds + 1, capture)
    assert (capture.state, capture.seconds) == ("waiting", 0.0)
    studio.run(daw.now, capture)
    assert abs(seconds_late(studio, capture, daw.legs[-1].seconds)) < 0.01
    assert len(audio(capture.take)) == 4 * RATE


def test_start_waits_for_the_beat_to_move_when_the_daw_reports_playback_early(
    make_studio: MakeStudio,
) -> None:
    """A DAW does so while it loads a plug-in or counts in: it plays, and the beat does not move."""
    daw = Daw()
    daw.jump(8.0)
    daw.stop(3.0)
    daw.play(24)
    studio = make_studio(daw)
    studio.click_on_beats()
    moves = daw.legs[1].seconds
    early = [
        replace(studio._packets[0], is_playing=True, received_seconds=moves - float(ago))
        for ago in np.arange(2.0, 0.1, -0.2)
    ]
    studio._packets = sorted([*studio._packets, *early], key=lambda packet: packet.received_seconds)
    studio.run(moves - 2.5)
    capture = studio.start(2)
    studio.run(moves + 6, capture)
    assert abs(seconds_late(studio, capture, moves)) < 0.006
    assert len(audio(capture.take)) == 4 * RATE


@pytest.mark.parametrize(
    ("script", "error"), [(lambda: playing(40), NotEnoughBars), (lambda: stopped(9), SilentMelody)]
)
def test_a_capture_stopped_before_it_began_fails(
    make_studio: MakeStudio, script: Callable[[], Daw], error: type[BridgeError]
) -> None:
    studio = make_studio(script())
    studio.run(studio.daw.legs[0].seconds + 5.5)
    capture = studio.start(4)
    studio.run(studio.now + 0.1, capture)
    capture.stop(studio.now)
    with pytest.raises(error, match="stopped"):
        poll(capture, studio.now)


def test_a_capture_stopped_before_its_bar_line_fails_even_if_polled_later(
    make_studio: MakeStudio,
) -> None:
    daw = playing(40)
    studio = make_studio(daw)
    studio.run(daw.seconds_of(9)[0])
    capture = studio.start(1)
    studio.run(daw.seconds_of(11.8)[0], capture)
    capture.stop(studio.now)
    studio.run(daw.seconds_of(12.5)[0])
    with pytest.raises(NotEnoughBars, match="stopped before the bar line"):
        poll(capture, studio.now)


def test_a_capture_stopped_before_its_onset_fails_even_if_polled_later(
    make_studio: MakeStudio,
) -> None:
    daw = stopped(12)
    studio = make_studio(daw)
    begin = daw.legs[0].seconds
    studio.hum(begin + 3, 4)
    studio.run(begin + 1)
    capture = studio.start()
    studio.run(begin + 2, capture)
    capture.stop(studio.now)
    studio.run(begin + 4)
    with pytest.raises(SilentMelody, match="before it was stopped"):
        poll(capture, studio.now)
