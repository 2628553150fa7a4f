"""Takes of an input that is silent, lost, late, or longer than its ring."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bridge.errors import BadArgument, NoInput, NotEnoughBars, SilentMelody
from bridge.soundcard.level import level
from bridge.soundcard.ring import Ring
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


@pytest.mark.parametrize("script", [lambda: playing(60), lambda: stopped(30)])
def test_a_silent_input_is_reported_after_the_first_bar(
    make_studio: MakeStudio, script: Callable[[], Daw]
) -> None:
    studio = make_studio(script())
    studio.sound *= np.float32(0.1)
    studio.run(studio.daw.legs[0].seconds + 5.0)
    capture = studio.start(8)
    studio.run(studio.now + 1.9, capture)
    reported = [len(capture.remarks)]
    for seconds in (2.5, 4.0):
        studio.run(studio.now + seconds, capture)
        reported.append(len(capture.remarks))
    assert reported == [0, 1, 1]
    assert capture.remarks[0].startswith("no sound in the first bar")


def test_a_lost_input_ends_a_recording_where_it_was_lost(make_studio: MakeStudio) -> None:
    daw = playing(40)
    studio = make_studio(daw)
    studio.hum(daw.legs[1].seconds, 20)
    studio.run(daw.seconds_of(9)[0])
    capture = studio.start(4)
    studio.run(daw.seconds_of(17)[0], capture)
    studio.unplug(capture)
    studio.run(studio.now + 0.1, capture)
    assert len(audio(capture.take)) == pytest.approx(2.5 * RATE, abs=0.05 * RATE)
    assert capture.remarks == ("the input was lost: the take ends there",)


@pytest.mark.parametrize("script", [lambda: playing(40), lambda: stopped(20)])
def test_a_lost_input_fails_a_waiting_capture(
    make_studio: MakeStudio, script: Callable[[], Daw]
) -> None:
    studio = make_studio(script())
    studio.run(studio.daw.legs[0].seconds + 5.5)
    capture = studio.start(4)
    studio.run(studio.now + 0.1, capture)
    studio.unplug(capture)
    with pytest.raises(NoInput, match="lost"):
        poll(capture, studio.now)


def test_last_takes_the_bars_recorded_before_the_input_was_lost(
    make_studio: MakeStudio,
) -> None:
    daw = playing(40)
    studio = make_studio(daw, 0.04)
    studio.click_on_beats()
    studio.run(daw.seconds_of(15.5)[0])
    capture = studio.last(2)
    studio.unplug(capture)
    poll(capture, studio.now)
    assert abs(seconds_late(studio, capture, daw.seconds_of(4)[0])) < 0.006


@pytest.mark.parametrize("script", [lambda: playing(60), lambda: stopped(30)])
def test_last_is_refused_long_after_the_input_was_lost(
    make_studio: MakeStudio, script: Callable[[], Daw]
) -> None:
    daw = script()
    studio = make_studio(daw)
    studio.hum(daw.legs[0].seconds + 2, 6)
    studio.run(daw.legs[0].seconds + 9)
    studio.lost.append((studio.now, np.inf))
    studio.run(studio.now + 15)
    capture = studio.last(2)
    capture.input_lost()
    with pytest.raises(NoInput, match="the input was lost"):
        for _ in range(5):
            poll(capture, studio.now)


def test_last_leaves_out_a_bar_whose_end_was_not_recorded(make_studio: MakeStudio) -> None:
    """The bar line has passed, but its sound is still delayed in the input when that is lost."""
    daw = playing(40)
    studio = make_studio(daw, 0.3)
    studio.click_on_beats()
    studio.run(daw.seconds_of(12.2)[0])
    capture = studio.last(2)
    studio.unplug(capture)
    poll(capture, studio.now)
    assert abs(seconds_late(studio, capture, daw.seconds_of(0)[0])) < 0.006
    assert len(audio(capture.take)) == 4 * RATE


def test_an_input_lost_before_the_first_frame_of_the_take_has_recorded_nothing(
    make_studio: MakeStudio,
) -> None:
    daw = playing(40)
    studio = make_studio(daw, 0.3)
    studio.run(daw.seconds_of(9)[0])
    capture = studio.start(2)
    studio.run(daw.seconds_of(12.2)[0], capture)
    studio.unplug(capture)
    with pytest.raises(NoInput, match="lost"):
        poll(capture, studio.now)


def test_more_bars_than_the_ring_holds_are_refused_with_the_limit(make_studio: MakeStudio) -> None:
    daw = playing(20)
    studio = make_studio(daw)
    studio.run(daw.now - 1)
    with pytest.raises(BadArgument, match=r"58 bars of 4/4 at 120 bpm: .* at most 57 bars fit"):
        studio.start(58)
    with pytest.raises(NotEnoughBars, match="at most 57 bars fit"):
        studio.last(58)
    studio.start(57)


def test_an_open_take_ends_by_itself_when_the_ring_is_full(make_studio: MakeStudio) -> None:
    daw = playing(280, stopped_seconds=2)
    studio = make_studio(daw)
    studio.hum(daw.legs[1].seconds, 20)
    studio.run(daw.legs[1].seconds - 1)
    capture = studio.start()
    studio.run(daw.now, capture)
    assert len(audio(capture.take)) == 114 * RATE
    assert capture.remarks == ("it was ended after 57 bars: no take lasts over 115 s",)
    daw = stopped(125)
    studio = make_studio(daw)
    studio.hum(daw.legs[0].seconds + 2, 20)
    studio.run(daw.legs[0].seconds + 1)
    capture = studio.start()
    studio.run(daw.now, capture)
    assert len(audio(capture.take)) == 115 * RATE


def test_frames_lost_inside_a_recording_are_silent_and_in_a_remark(make_studio: MakeStudio) -> None:
    daw = playing(40)
    studio = make_studio(daw)
    studio.click_on_beats()
    gap = daw.seconds_of(14)[0]
    studio.lost.append((gap + 0.1, gap + 0.2))
    studio.run(daw.seconds_of(9)[0])
    capture = studio.start(2)
    studio.run(daw.now, capture)
    samples = audio(capture.take)
    assert len(samples) == 4 * RATE
    clicks = np.flatnonzero(np.abs(samples[:, 0]) > 0.5)
    assert len(clicks) >= 7
    assert max(abs(click / RATE - round(click / RATE * 2) / 2) for click in clicks) < 0.006
    (remarks,) = capture.remarks
    milliseconds = float(remarks.split()[0])
    assert milliseconds == pytest.approx(100, abs=20)
    assert (samples == 0).all(axis=1).sum() / RATE * 1000 == pytest.approx(milliseconds, abs=1)


@pytest.mark.parametrize(("gain", "hint"), [(0.0, "exact silence"), (0.1, "below -70 dBFS")])
def test_a_silent_take_is_refused_with_what_to_check(
    make_studio: MakeStudio, gain: float, hint: str
) -> None:
    daw = playing(24)
    studio = make_studio(daw)
    studio.sound *= np.float32(gain)
    studio.run(daw.now - 1)
    with pytest.raises(SilentMelody, match=hint):
        poll(studio.last(2), studio.now)


def test_captures_wait_for_the_first_block_of_the_input(make_studio: MakeStudio) -> None:
    """The device was found, and its first block has not arrived."""
    daw = playing(24)
    studio = make_studio(daw)
    studio.click_on_beats()
    studio.lost.append((0.0, daw.seconds_of(11)[0]))
    studio.run(daw.seconds_of(8.5)[0])
    assert studio.ring.frames_written == 0
    recording, requested = studio.start(2), studio.last(1)
    studio.run(daw.seconds_of(10.5)[0], recording, requested)
    assert (recording.state, requested.state) == ("waiting", "waiting")
    with pytest.raises(NotEnoughBars, match="0 of 1 bars"):
        studio.run(daw.now, requested)
    studio.run(daw.now, recording)
    assert abs(seconds_late(studio, recording, daw.seconds_of(12)[0])) < 0.006


def test_level_is_measured_over_the_last_tenth_of_a_second() -> None:
    ring = Ring.create(RATE, 2, 5.0)
    try:
        assert level(ring) == (-120.0, -120.0)
        ring.write(np.ones((RATE, 2), np.float32), 1.0)
        samples = np.zeros((800, 2), np.float32)
        samples[:, 1] = 0.5 * np.sin(2 * np.pi * 100 / RATE * np.arange(800))
        ring.write(samples, 1.1)
        peak_db, rms_db = level(ring)
        assert peak_db == pytest.approx(-6.02, abs=0.01)
        assert rms_db == pytest.approx(-9.03, abs=0.01)
        ring.write(np.zeros((800, 2), np.float32), 1.2)
        assert level(ring) == (-120.0, -120.0)
    finally:
        ring.unlink()
        ring.close()
