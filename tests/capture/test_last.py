"""Takes of what was just played end at a bar line, or begin at the phrase."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bridge.errors import NotEnoughBars
from tests.capture.studio import (
    BEFORE_SECONDS,
    POLL_SECONDS,
    RATE,
    MakeStudio,
    audio,
    playing,
    poll,
    seconds_late,
    stopped,
)
from tests.clock.daw import Daw


@pytest.mark.parametrize(("pressed", "end"), [(13.0, 12), (14.9, 12), (15.1, 16), (15.9, 16)])
def test_last_takes_the_bars_that_end_at_the_last_bar_line(
    make_studio: MakeStudio, pressed: float, end: int
) -> None:
    daw = playing(24)
    studio = make_studio(daw, 0.04)
    studio.click_on_beats()
    studio.run(daw.seconds_of(pressed)[0])
    capture = studio.last(2)
    studio.run(studio.now + POLL_SECONDS, capture)
    assert (capture.state == "done") == (end <= pressed)
    studio.run(daw.now, capture)
    assert len(audio(capture.take)) == 4 * RATE
    assert abs(seconds_late(studio, capture, daw.seconds_of(end - 8)[0])) < 0.006


@pytest.mark.parametrize("drift", [-0.004, 0.004])
def test_last_takes_all_bars_though_the_input_runs_faster_or_slower_than_the_clock(
    make_studio: MakeStudio, drift: float
) -> None:
    # Eight seconds of it are two blocks more or less, and two polls come while two blocks do.
    daw = playing(24)
    studio = make_studio(daw, 0.04, rate=RATE * (1 + drift))
    studio.click_on_beats()
    studio.run(daw.seconds_of(15.5)[0])
    capture = studio.last(4)
    studio.run(daw.seconds_of(21)[0], capture)
    assert len(audio(capture.take)) == 8 * RATE
    assert abs(seconds_late(studio, capture, daw.seconds_of(0)[0])) < 0.006


def test_last_goes_back_through_a_loop(make_studio: MakeStudio) -> None:
    daw = playing(16)
    for _ in range(3):
        daw.jump(8)
        daw.play(8)
    studio = make_studio(daw)
    studio.click_on_beats()
    studio.run(daw.now)
    capture = studio.last(9)
    studio.run(daw.now + 0.5, capture)
    assert len(audio(capture.take)) == 18 * RATE
    assert abs(seconds_late(studio, capture, daw.now - 18)) < 0.006


def test_last_counts_only_bars_since_the_last_jump(make_studio: MakeStudio) -> None:
    daw = playing(17)
    daw.jump(80)
    daw.play(9)
    studio = make_studio(daw)
    studio.run(daw.now)
    with pytest.raises(NotEnoughBars, match=r"2 of 3 bars: the playhead jumped before them"):
        poll(studio.last(3), studio.now)


def test_last_counts_only_bars_since_the_last_gap_of_the_input(make_studio: MakeStudio) -> None:
    daw = playing(25)
    studio = make_studio(daw)
    studio.click_on_beats()
    gap = daw.seconds_of(13)[0]
    studio.lost.append((gap, gap + 0.2))
    studio.run(daw.now)
    with pytest.raises(NotEnoughBars, match="2 of 3 bars: the input was interrupted"):
        poll(studio.last(3), studio.now)
    capture = studio.last(2)
    poll(capture, studio.now)
    assert len(audio(capture.take)) == 4 * RATE


def test_last_accepts_gaps_of_less_than_a_tenth_of_a_second(make_studio: MakeStudio) -> None:
    daw = playing(25)
    studio = make_studio(daw)
    studio.click_on_beats()
    for beat in (13, 14):
        gap = daw.seconds_of(beat)[0] + 0.1
        studio.lost.append((gap, gap + 0.08))
    studio.run(daw.now)
    capture = studio.last(3)
    poll(capture, studio.now)
    samples = audio(capture.take)
    assert len(samples) == 6 * RATE
    clicks = np.flatnonzero(np.abs(samples[:, 0]) > 0.5)
    assert len(clicks) >= 11
    assert max(abs(click / RATE - round(click / RATE * 2) / 2) for click in clicks) < 0.006
    (remarks,) = capture.remarks
    assert float(remarks.split()[0]) == pytest.approx(160, abs=30)


def test_last_counts_only_bars_since_the_input_appeared(make_studio: MakeStudio) -> None:
    daw = playing(25)
    studio = make_studio(daw)
    studio.lost.append((0.0, daw.seconds_of(10)[0]))
    studio.run(daw.now)
    with pytest.raises(NotEnoughBars, match=r"3 of 4 bars: only 7\.. s were recorded so far"):
        poll(studio.last(4), studio.now)


def test_last_before_the_first_bar_line_is_refused(make_studio: MakeStudio) -> None:
    daw = Daw()
    daw.jump(1.0)
    daw.stop(1)
    daw.play(2)
    studio = make_studio(daw)
    studio.run(daw.now - 0.3)
    with pytest.raises(NotEnoughBars, match="0 of 2 bars"):
        studio.last(2)


def test_last_soon_after_the_daw_stopped_takes_what_it_played(make_studio: MakeStudio) -> None:
    daw = playing(17)
    daw.stop(20)
    studio = make_studio(daw)
    studio.hum(daw.legs[1].seconds, 8)
    studio.run(daw.legs[2].seconds + 1)
    capture = studio.last(2)
    poll(capture, studio.now)
    assert abs(seconds_late(studio, capture, daw.seconds_of(8)[0])) < 0.006
    studio.hum(studio.now + 8.0, 3.0)
    studio.run(studio.now + 11)
    capture = studio.last(2, Fraction(120))
    studio.run(studio.now + 0.1, capture)
    assert len(audio(capture.take)) == pytest.approx(3.0 * RATE, abs=0.02 * RATE)


def test_a_take_with_a_tempo_change_has_the_mean_tempo_and_a_remark(
    make_studio: MakeStudio,
) -> None:
    daw = playing(16)
    daw.tempo_bpm = Fraction(60)
    daw.play(9)
    studio = make_studio(daw)
    studio.click_on_beats()
    studio.run(daw.now)
    capture = studio.last(4)
    poll(capture, studio.now)
    assert capture.take is not None and capture.take.tempo_bpm is not None
    assert float(capture.take.tempo_bpm) == pytest.approx(80, abs=0.1)
    assert len(audio(capture.take)) == pytest.approx(12 * RATE, abs=0.01 * RATE)
    assert capture.remarks[0].startswith("the tempo changed")


def test_without_a_daw_last_begins_at_the_phrase(make_studio: MakeStudio) -> None:
    daw = stopped(12.0)
    studio = make_studio(daw, 0.03)
    begin = daw.legs[0].seconds
    studio.hum(begin + 3.0, 3)
    studio.run(begin + 7.0)
    capture = studio.last(2, Fraction(120))
    studio.run(begin + 7.2, capture)
    assert len(audio(capture.take)) == pytest.approx(4.0 * RATE, abs=0.011 * RATE)
    assert -0.011 < seconds_late(studio, capture, begin + 3.0) <= 0


def test_without_a_daw_and_without_an_onset_last_ends_now(make_studio: MakeStudio) -> None:
    daw = stopped(12.0)
    studio = make_studio(daw, 0.03)
    begin = daw.legs[0].seconds
    studio.hum(begin - BEFORE_SECONDS, 15)
    studio.run(begin + 9.0)
    capture = studio.last(2, Fraction(120))
    studio.run(begin + 9.2, capture)
    assert len(audio(capture.take)) == 4 * RATE
    assert abs(seconds_late(studio, capture, begin + 5.0)) <= 1 / RATE
    with pytest.raises(NotEnoughBars, match=r"6 of 7 bars at 120 bpm: only 12\.. s"):
        studio.run(studio.now + 0.2, studio.last(7, Fraction(120)))


@pytest.mark.parametrize("pressed_after", [0.1, 2.5, 4.0, 20.0, 60.0])
def test_last_has_the_start_of_the_tune_however_late_it_is_pressed(
    make_studio: MakeStudio, pressed_after: float
) -> None:
    """Eight seconds with a rest of 0.6 s for breath, and the click of the key at the end."""
    daw = stopped(75.0)
    studio = make_studio(daw, 0.03)
    begin = daw.legs[0].seconds + 1.0
    studio.hum(begin, 3.0)
    studio.hum(begin + 3.6, 4.4)
    studio.run(begin + 8.0 + pressed_after)
    studio.click(studio.now - 0.05)
    capture = studio.last(4)
    studio.run(studio.now + 0.2, capture)
    assert -0.011 < seconds_late(studio, capture, begin) <= 0
    assert len(audio(capture.take)) == 8 * RATE
    assert capture.remarks == ()


def test_last_prefers_a_tunes_start_and_says_what_it_leaves_out(make_studio: MakeStudio) -> None:
    """Hummed slower than the session's tempo, which nobody has set: 10.7 s for 8."""
    daw = stopped(30.0)
    studio = make_studio(daw)
    begin = daw.legs[0].seconds + 4.0
    studio.hum(begin, 2.4)
    studio.hum(begin + 3.0, 7.7)
    studio.run(begin + 13.0)
    capture = studio.last(4)
    studio.run(studio.now + 0.2, capture)
    assert -0.011 < seconds_late(studio, capture, begin) <= 0
    (remark,) = capture.remarks
    assert "longer than 4 bars at 120 bpm: 2.7 s of sound after the take are left out" in remark


def test_last_leaves_out_the_end_of_an_earlier_attempt(make_studio: MakeStudio) -> None:
    daw = stopped(30.0)
    studio = make_studio(daw)
    begin = daw.legs[0].seconds + 12.0
    studio.hum(begin - 6.0, 2.0)
    studio.hum(begin - 1.8, 0.6)
    studio.hum(begin, 8.0)
    studio.run(begin + 9.0)
    capture = studio.last(4)
    studio.run(studio.now + 0.2, capture)
    assert -0.011 < seconds_late(studio, capture, begin) <= 0
    (remark,) = capture.remarks
    assert "0.6 s of sound before the take are left out" in remark


def test_last_hears_a_phrase_over_a_fan(make_studio: MakeStudio) -> None:
    daw = stopped(30.0)
    studio = make_studio(daw)
    studio.sound *= np.float32(60)  # -49 dBFS a channel
    begin = daw.legs[0].seconds + 5.0
    studio.hum(begin, 8.0, level=0.1)
    studio.run(begin + 14.0)
    capture = studio.last(4)
    studio.run(studio.now + 0.2, capture)
    assert abs(seconds_late(studio, capture, begin)) < 0.011
