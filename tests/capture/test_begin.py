"""Takes from a real ring and a real beat clock, while a simulated DAW and a musician play.

Time is simulated: the ring is written, packets arrive and the capture is polled in their order. The
musician clicks on the beat; everything else is noise in which no two frames are equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.capture.begin import Capture, last, start
from bridge.capture.sound import SoundSource
from bridge.clock.osc_clock import OscClock
from bridge.errors import BadArgument, BridgeError, NoInput, NotEnoughBars, SilentMelody
from bridge.soundcard.level import level
from bridge.soundcard.ring import Ring
from bridge.timing import Meter, Take, bars_to_frames
from tests.clock.daw import Daw

RATE = 8000
BLOCK = 128
POLL_SECONDS = 0.02
BEFORE_SECONDS = 3.0
"""How long the input records before the DAW's script begins."""
JITTER = (0.0, 0.03)


class Studio:
    """A DAW, an input and a musician; `run` lets time pass and polls the captures.

    Attributes:
        now: the present instant.
        sound: float32 `[frames, 2]`, all that reaches the input.
        rate: Hz of the input by the machine's clock; not quite the nominal rate.
        lost: pairs of instants between which frames never reach the ring.
    """

    def __init__(
        self, daw: Daw, latency_seconds: float = 0.0, rate: float = RATE, **packets: float
    ) -> None:
        self.daw, self.latency = daw, latency_seconds
        self.rate = rate
        self.begin = daw.legs[0].seconds - BEFORE_SECONDS
        frames = round((daw.now - self.begin + 5) * RATE)
        noise = np.random.default_rng(1).uniform(-1e-4, 1e-4, (frames, 2))
        self.sound = noise.astype(np.float32)
        self.clock = OscClock()
        self.ring = Ring.create(RATE, 2)
        self.now = self.begin
        self.lost: list[tuple[float, float]] = []
        self._packets = list(daw.packets(jitter=JITTER, **packets))  # type: ignore[arg-type]
        self._written = 0

    def frame_of(self, seconds: float) -> int:
        """The frame of `sound` that has what was played at an instant."""
        return round((seconds + self.latency - self.begin) * self.rate)

    def hum(self, seconds: float, length: float, level: float = 0.2) -> None:
        first = self.frame_of(seconds)
        time = np.arange(round(length * RATE)) / RATE
        wave = np.sin(2 * np.pi * 200 * time)[:, None] * level
        part = self.sound[first : first + len(time)]
        part += wave[: len(part)].astype(np.float32)

    def click(self, seconds: float) -> None:
        self.sound[self.frame_of(seconds)] = 0.9

    def click_on_beats(self) -> None:
        for beat in range(1000):
            for seconds in self.daw.seconds_of(beat):
                self.click(seconds)

    def run(self, until: float, *captures: Capture) -> None:
        """Let time pass, and poll the captures."""
        while self.now < until:
            self.now = min(until, self.now + POLL_SECONDS)
            while self.begin + (self._written + BLOCK) / self.rate <= self.now:
                self._written += BLOCK
                at = self.begin + self._written / self.rate
                if not any(first <= at < end for first, end in self.lost):
                    self.ring.write(self.sound[self._written - BLOCK : self._written], at)
            while self._packets and self._packets[0].received_seconds <= self.now:
                self.clock.update(self._packets.pop(0))
            for capture in captures:
                poll(capture, self.now)

    def unplug(self, capture: Capture) -> None:
        """Lose the input for good."""
        self.lost.append((self.now, np.inf))
        capture.input_lost()

    def start(self, bars: int | None = None, tempo_bpm: Fraction | None = None) -> Capture:
        return self._begin(start, bars, tempo_bpm)

    def last(self, bars: int, tempo_bpm: Fraction | None = None) -> Capture:
        return self._begin(last, bars, tempo_bpm)

    def _begin(
        self, begin: Callable[..., Capture], bars: int | None, tempo_bpm: Fraction | None
    ) -> Capture:
        source = SoundSource(self.ring, self.latency, self.clock, tempo_bpm, Meter(), "me-1")
        return begin(source, bars, self.now)


def poll(capture: Capture, now_seconds: float) -> None:
    """Poll a capture, and cut it once it is settled."""
    capture.poll(now_seconds)
    if capture.settled and capture.take is None:
        capture.cut()


MakeStudio = Callable[..., Studio]


@pytest.fixture
def make_studio() -> Iterator[MakeStudio]:
    """A factory of studios; their rings are freed after the test."""
    made: list[Studio] = []

    def make(daw: Daw, latency_seconds: float = 0.0, **settings: float) -> Studio:
        made.append(Studio(daw, latency_seconds, **settings))
        return made[-1]

    yield make
    for studio in made:
        studio.ring.unlink()
        studio.ring.close()


def playing(beats: float, stopped_seconds: float = 1.0, **script: object) -> Daw:
    daw = Daw(**script)  # type: ignore[arg-type]
    daw.stop(stopped_seconds)
    daw.play(beats)
    return daw


def stopped(seconds: float) -> Daw:
    daw = Daw()
    daw.stop(seconds)
    return daw


def audio(take: Take | None) -> NDArray[np.float32]:
    assert take is not None
    assert isinstance(take.source, Waveform)
    assert take.source.sample_rate == RATE
    assert take.first_beat_seconds == 0
    return take.source.samples


def start_of(studio: Studio, samples: NDArray[np.float32]) -> int:
    """The frame of the input from which a take was cut, bit for bit."""
    starts = np.flatnonzero((studio.sound == samples[0]).all(axis=1))
    (first,) = [
        first
        for first in starts
        if np.array_equal(studio.sound[first : first + len(samples)], samples)
    ]
    return int(first)


def seconds_late(studio: Studio, capture: Capture, line: float) -> float:
    """Seconds from a bar line to the start of a take."""
    return (start_of(studio, audio(capture.take)) - studio.frame_of(line)) / RATE


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
