"""Takes from a real ring and a real beat clock, while a DAW plays and a musician with it.

Time is simulated: the ring is written, packets arrive and the capture is polled as their instants
come. The musician clicks on the beat; what is not a click is noise that no two frames share.
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
from bridge.capture.source import Source
from bridge.clock.beat_clock import BeatClock
from bridge.errors import BadArgument, BridgeError, NoInput, NotEnoughBars, SilentMelody
from bridge.soundcard.level import level
from bridge.soundcard.ring import Ring
from bridge.timing import Meter, Take, bars_to_frames
from tests.clock.daw import Daw

RATE = 8000
BLOCK = 128
POLL_SECONDS = 0.02
BEFORE_SECONDS = 3.0
"""The input was on before the DAW's script begins."""
JITTER = (0.0, 0.03)


class Studio:
    """A DAW, an input and a musician; `run` lets time pass and polls the captures.

    Attributes:
        now: the present instant.
        sound: float32 `[frames, 2]`, all that the input will hear.
        rate: Hz of the input by the machine's clock; not quite the nominal ones.
        lost: frames that never reach the ring, as pairs of instants.
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
        self.clock = BeatClock()
        self.ring = Ring.create(RATE, 2)
        self.now = self.begin
        self.lost: list[tuple[float, float]] = []
        self._packets = list(daw.packets(jitter=JITTER, **packets))  # type: ignore[arg-type]
        self._written = 0

    def frame_of(self, seconds: float) -> int:
        """Where in `sound` lies what was played at an instant."""
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
        """Let time pass, and poll."""
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
                capture.poll(self.now)

    def unplug(self, capture: Capture) -> None:
        """Nothing more comes."""
        self.lost.append((self.now, np.inf))
        capture.lost(self.now)

    def start(self, bars: int | None = None, tempo_bpm: Fraction | None = None) -> Capture:
        return self._begin(start, bars, tempo_bpm)

    def last(self, bars: int, tempo_bpm: Fraction | None = None) -> Capture:
        return self._begin(last, bars, tempo_bpm)

    def _begin(
        self, begin: Callable[..., Capture], bars: int | None, tempo_bpm: Fraction | None
    ) -> Capture:
        source = Source(self.ring, self.clock, self.latency, tempo_bpm, Meter(), "me-1")
        return begin(source, bars, self.now)


@pytest.fixture
def studio() -> Iterator[Callable[..., Studio]]:
    """Makes studios, and takes their rings down."""
    made: list[Studio] = []

    def make(daw: Daw, latency_seconds: float = 0.0, **settings: float) -> Studio:
        made.append(Studio(daw, latency_seconds, **settings))
        return made[-1]

    yield make
    for one in made:
        one.ring.unlink()
        one.ring.close()


Studios = Callable[..., Studio]


def playing(beats: float, stands: float = 1.0, **script: object) -> Daw:
    daw = Daw(**script)  # type: ignore[arg-type]
    daw.stop(stands)
    daw.play(beats)
    return daw


def standing(seconds: float) -> Daw:
    daw = Daw()
    daw.stop(seconds)
    return daw


def audio(take: Take | None) -> NDArray[np.float32]:
    assert take is not None
    assert isinstance(take.source, Waveform)
    assert take.source.sample_rate == RATE
    assert take.first_beat_seconds == 0
    return take.source.samples


def place(studio: Studio, samples: NDArray[np.float32]) -> int:
    """Where in the input a take lies, all of it bit for bit."""
    starts = np.flatnonzero((studio.sound == samples[0]).all(axis=1))
    (first,) = [
        first
        for first in starts
        if np.array_equal(studio.sound[first : first + len(samples)], samples)
    ]
    return int(first)


def late(studio: Studio, capture: Capture, line: float) -> float:
    """How much later than a bar line a take begins, in seconds."""
    return (place(studio, audio(capture.take)) - studio.frame_of(line)) / RATE


@pytest.mark.parametrize("latency", [0.0, 0.04, -0.02])
@pytest.mark.parametrize("tempo_bpm", [Fraction(120), Fraction(937, 10)])
def test_a_started_take_begins_on_the_next_bar_line(
    studio: Studios, latency: float, tempo_bpm: Fraction
) -> None:
    daw = playing(40, tempo_bpm=tempo_bpm)
    one = studio(daw, latency)
    one.click_on_beats()
    one.run(daw.seconds_of(9)[0])
    capture = one.start(4)
    states = [capture.state]
    one.run(daw.seconds_of(14)[0], capture)
    states.append(capture.state)
    assert capture.seconds == pytest.approx(2 * 60 / float(tempo_bpm), abs=0.1)
    assert capture.peak_db == pytest.approx(-0.9, abs=0.1)
    one.run(daw.now, capture)
    assert [*states, capture.state] == ["waiting", "recording", "done"]
    assert capture.remarks == ()
    samples = audio(capture.take)
    assert capture.take is not None
    assert (capture.take.tempo_bpm, capture.take.meter) == (tempo_bpm, Meter())
    assert capture.take.name == "me-1"
    assert len(samples) == bars_to_frames(4, Meter(), tempo_bpm, RATE)
    assert abs(late(one, capture, daw.seconds_of(12)[0])) < 0.006
    assert capture.seconds == len(samples) / RATE


def test_clicks_on_the_beat_lie_on_the_beats_of_a_take(studio: Studios) -> None:
    """The issue's 5 ms for 95 %, over forty takes; the first beat may be cut off."""
    errors = []
    for seed in range(40):
        daw = playing(16)
        one = studio(daw, 0.02, seed=seed)
        one.click_on_beats()
        one.run(daw.seconds_of(6)[0])
        capture = one.start(1)
        one.run(daw.now, capture)
        clicks = np.flatnonzero(np.abs(audio(capture.take)[:, 0]) > 0.5)
        errors += [abs(click / RATE - round(click / RATE * 2) / 2) for click in clicks]
    assert len(errors) >= 120
    assert np.percentile(errors, 95) < 0.005


@pytest.mark.parametrize("drift", [-2e-3, 2e-3])
def test_an_input_that_runs_fast_or_slow_gives_whole_takes(studio: Studios, drift: float) -> None:
    """By far more than any real one: 256 frames of this take, none made up, none left out."""
    daw = playing(56)
    one = studio(daw, rate=RATE * (1 + drift))
    one.click_on_beats()
    one.run(daw.seconds_of(9)[0])
    capture = one.start(8)
    one.run(daw.now, capture)
    assert (len(audio(capture.take)), capture.remarks) == (16 * RATE, ())
    assert abs(late(one, capture, daw.seconds_of(12)[0])) < 0.006


def test_stop_after_the_last_bar_changes_nothing(studio: Studios) -> None:
    """It is pressed while the end is still on its way through the input."""
    daw = playing(40)
    one = studio(daw, 0.3)
    one.click_on_beats()
    one.run(daw.seconds_of(9)[0])
    capture = one.start(2)
    one.run(daw.seconds_of(20.2)[0], capture)
    capture.stop(one.now)
    one.run(daw.now, capture)
    assert len(audio(capture.take)) == 4 * RATE


def test_an_open_take_ends_at_the_bar_line_after_stop(studio: Studios) -> None:
    daw = playing(40)
    one = studio(daw)
    one.hum(daw.legs[1].seconds, 20)
    one.run(daw.seconds_of(9)[0])
    capture = one.start()
    one.run(daw.seconds_of(21)[0], capture)
    capture.stop(one.now)
    one.run(daw.seconds_of(23)[0], capture)
    assert capture.state == "recording"
    one.run(daw.now, capture)
    assert len(audio(capture.take)) == bars_to_frames(3, Meter(), Fraction(120), RATE)
    assert abs(late(one, capture, daw.seconds_of(12)[0])) < 0.006


def test_a_take_armed_before_playback_has_its_first_bar(studio: Studios) -> None:
    daw = playing(20, stands=3.0)
    one = studio(daw)
    one.hum(daw.legs[1].seconds, 8)
    one.run(daw.legs[1].seconds - 1)
    capture = one.start(2)
    one.run(daw.now, capture)
    assert abs(late(one, capture, daw.legs[1].seconds)) < 0.01
    assert len(audio(capture.take)) == 4 * RATE


def test_without_a_daw_a_take_begins_at_the_first_onset(studio: Studios) -> None:
    daw = standing(12.0)
    one = studio(daw, 0.03)
    begin = daw.legs[0].seconds
    one.hum(begin + 2.0, 6)
    one.run(begin + 0.5)
    capture = one.start(2, Fraction(100))
    one.run(begin + 1.9, capture)
    assert capture.state == "waiting"
    one.run(daw.now, capture)
    samples = audio(capture.take)
    assert len(samples) == bars_to_frames(2, Meter(), Fraction(100), RATE)
    assert capture.take is not None and capture.take.tempo_bpm == 100
    assert -0.011 < late(one, capture, begin + 2.0) <= 0


def test_without_a_daw_stop_ends_it_at_once(studio: Studios) -> None:
    daw = standing(12.0)
    one = studio(daw, 0.03)
    begin = daw.legs[0].seconds
    one.hum(begin + 2.0, 9)
    one.run(begin + 0.5)
    capture = one.start()
    one.run(begin + 5.0, capture)
    capture.stop(one.now)
    one.run(begin + 5.2, capture)
    assert capture.take is not None and capture.take.tempo_bpm is None
    assert len(audio(capture.take)) == pytest.approx(3.0 * RATE, abs=0.011 * RATE)


def test_a_daw_that_starts_while_an_onset_is_waited_for_is_waited_for(studio: Studios) -> None:
    daw = Daw()
    daw.jump(1.0)
    daw.stop(3.0)
    daw.play(20)
    one = studio(daw)
    one.hum(daw.legs[1].seconds + 0.3, 8)
    one.run(daw.legs[1].seconds - 1)
    capture = one.start(1)
    one.run(daw.now, capture)
    assert abs(late(one, capture, daw.seconds_of(4)[0])) < 0.01


def test_a_sound_while_the_daw_played_is_no_onset_after_it(studio: Studios) -> None:
    daw = Daw()
    daw.jump(1.0)
    daw.stop(3.0)
    daw.play(2.5)
    daw.stop(8.0)
    one = studio(daw)
    begin = daw.legs[2].seconds
    one.hum(begin - 1.0, 0.6)
    one.hum(begin + 3.0, 4)
    one.run(daw.legs[1].seconds - 1)
    capture = one.start(1, Fraction(120))
    one.run(daw.now, capture)
    assert -0.011 < late(one, capture, begin + 3.0) <= 0


def test_playback_that_stops_ends_a_take_with_what_there_is(studio: Studios) -> None:
    daw = playing(22)
    daw.stop(3)
    one = studio(daw)
    one.hum(daw.legs[1].seconds, 20)
    one.run(daw.seconds_of(9)[0])
    capture = one.start(4)
    one.run(daw.now, capture)
    assert len(audio(capture.take)) == pytest.approx(5.0 * RATE, abs=0.01 * RATE)
    assert capture.remarks == ("playback stopped: the take ends there, 5.0 s long",)


def test_playback_that_stops_with_the_last_bar_has_all_of_it(studio: Studios) -> None:
    """The packet that tells it may be a few milliseconds short."""
    daw = playing(27.96)
    daw.stop(3)
    one = studio(daw)
    one.hum(daw.legs[1].seconds, 20)
    one.run(daw.seconds_of(9)[0])
    capture = one.start(4)
    one.run(daw.now, capture)
    assert len(audio(capture.take)) == 8 * RATE
    assert capture.remarks == ()


def test_a_jump_ends_a_take_and_a_loop_does_not(studio: Studios) -> None:
    daw = playing(20)
    daw.jump(8)
    daw.play(12)
    daw.jump(51.3)
    daw.play(12)
    jump = daw.legs[-1].seconds
    one = studio(daw)
    one.hum(daw.legs[1].seconds, 30)
    one.run(daw.seconds_of(9)[0])
    capture = one.start(20)
    one.run(daw.now, capture)
    assert re.match("the playhead jumped: the take ends there", capture.remarks[0])
    seconds = jump - daw.seconds_of(12)[0]
    assert seconds - 0.21 < len(audio(capture.take)) / RATE < seconds + 0.02


def test_a_take_that_has_hardly_begun_when_playback_stops_goes_on_waiting(studio: Studios) -> None:
    daw = playing(12.5)
    daw.stop(2)
    daw.jump(0.0)
    daw.play(16)
    one = studio(daw)
    one.hum(daw.legs[-1].seconds, 8)
    one.run(daw.seconds_of(9)[0])
    capture = one.start(2)
    one.run(daw.legs[2].seconds + 1, capture)
    assert (capture.state, capture.seconds) == ("waiting", 0.0)
    one.run(daw.now, capture)
    assert abs(late(one, capture, daw.legs[-1].seconds)) < 0.01
    assert len(audio(capture.take)) == 4 * RATE


@pytest.mark.parametrize(("pressed", "end"), [(13.0, 12), (14.9, 12), (15.1, 16), (15.9, 16)])
def test_last_takes_the_bars_that_end_at_the_last_bar_line(
    studio: Studios, pressed: float, end: int
) -> None:
    daw = playing(24)
    one = studio(daw, 0.04)
    one.click_on_beats()
    one.run(daw.seconds_of(pressed)[0])
    capture = one.last(2)
    one.run(one.now + POLL_SECONDS, capture)
    assert (capture.state == "done") == (end <= pressed)
    one.run(daw.now, capture)
    assert len(audio(capture.take)) == 4 * RATE
    assert abs(late(one, capture, daw.seconds_of(end - 8)[0])) < 0.006


def test_last_goes_back_through_a_loop(studio: Studios) -> None:
    daw = playing(16)
    for _ in range(3):
        daw.jump(8)
        daw.play(8)
    one = studio(daw)
    one.click_on_beats()
    one.run(daw.now)
    capture = one.last(9)
    one.run(daw.now + 0.5, capture)
    assert len(audio(capture.take)) == 18 * RATE
    assert abs(late(one, capture, daw.now - 18)) < 0.006


def test_last_counts_only_what_is_in_one_piece(studio: Studios) -> None:
    daw = playing(17)
    daw.jump(80)
    daw.play(9)
    one = studio(daw)
    one.run(daw.now)
    with pytest.raises(NotEnoughBars, match=r"2 of 3 bars: the playhead jumped before them"):
        one.last(3).poll(one.now)


def test_last_counts_only_what_the_input_heard_without_a_gap(studio: Studios) -> None:
    daw = playing(25)
    one = studio(daw)
    one.click_on_beats()
    gap = daw.seconds_of(13)[0]
    one.lost.append((gap, gap + 0.2))
    one.run(daw.now)
    with pytest.raises(NotEnoughBars, match="2 of 3 bars: the input was interrupted"):
        one.last(3).poll(one.now)
    capture = one.last(2)
    capture.poll(one.now)
    assert len(audio(capture.take)) == 4 * RATE


def test_last_passes_over_gaps_that_a_melody_does_not_hear(studio: Studios) -> None:
    daw = playing(25)
    one = studio(daw)
    one.click_on_beats()
    for beat in (13, 14):
        gap = daw.seconds_of(beat)[0] + 0.1
        one.lost.append((gap, gap + 0.08))
    one.run(daw.now)
    capture = one.last(3)
    capture.poll(one.now)
    samples = audio(capture.take)
    assert len(samples) == 6 * RATE
    clicks = np.flatnonzero(np.abs(samples[:, 0]) > 0.5)
    assert len(clicks) >= 11
    assert max(abs(click / RATE - round(click / RATE * 2) / 2) for click in clicks) < 0.006
    (remarks,) = capture.remarks
    assert float(remarks.split()[0]) == pytest.approx(160, abs=30)


def test_last_counts_only_what_the_input_was_there_for(studio: Studios) -> None:
    daw = playing(25)
    one = studio(daw)
    one.lost.append((0.0, daw.seconds_of(10)[0]))
    one.run(daw.now)
    with pytest.raises(NotEnoughBars, match=r"3 of 4 bars: only 7\.. s were heard so far"):
        one.last(4).poll(one.now)


def test_last_before_the_first_bar_line_is_told(studio: Studios) -> None:
    daw = Daw()
    daw.jump(1.0)
    daw.stop(1)
    daw.play(2)
    one = studio(daw)
    one.run(daw.now - 0.3)
    with pytest.raises(NotEnoughBars, match="0 of 2 bars"):
        one.last(2)


def test_last_soon_after_the_daw_stopped_takes_what_it_played(studio: Studios) -> None:
    daw = playing(17)
    daw.stop(20)
    one = studio(daw)
    one.hum(daw.legs[1].seconds, 8)
    one.run(daw.legs[2].seconds + 1)
    capture = one.last(2)
    capture.poll(one.now)
    assert abs(late(one, capture, daw.seconds_of(8)[0])) < 0.006
    one.hum(one.now + 8.0, 3.0)
    one.run(one.now + 11)
    capture = one.last(2, Fraction(120))
    one.run(one.now + 0.1, capture)
    assert len(audio(capture.take)) == pytest.approx(3.0 * RATE, abs=0.02 * RATE)


def test_a_tempo_change_inside_gives_the_mean_and_is_told(studio: Studios) -> None:
    daw = playing(16)
    daw.tempo_bpm = Fraction(60)
    daw.play(9)
    one = studio(daw)
    one.click_on_beats()
    one.run(daw.now)
    capture = one.last(4)
    capture.poll(one.now)
    assert capture.take is not None and capture.take.tempo_bpm is not None
    assert float(capture.take.tempo_bpm) == pytest.approx(80, abs=0.1)
    assert len(audio(capture.take)) == pytest.approx(12 * RATE, abs=0.01 * RATE)
    assert capture.remarks[0].startswith("the tempo changed")


def test_without_a_daw_last_begins_at_the_phrase(studio: Studios) -> None:
    daw = standing(12.0)
    one = studio(daw, 0.03)
    begin = daw.legs[0].seconds
    one.hum(begin + 3.0, 3)
    one.run(begin + 7.0)
    capture = one.last(2, Fraction(120))
    one.run(begin + 7.2, capture)
    assert len(audio(capture.take)) == pytest.approx(4.0 * RATE, abs=0.011 * RATE)
    assert -0.011 < late(one, capture, begin + 3.0) <= 0


def test_without_a_daw_and_without_an_onset_last_ends_now(studio: Studios) -> None:
    daw = standing(12.0)
    one = studio(daw, 0.03)
    begin = daw.legs[0].seconds
    one.hum(begin - BEFORE_SECONDS, 15)
    one.run(begin + 9.0)
    capture = one.last(2, Fraction(120))
    one.run(begin + 9.2, capture)
    assert len(audio(capture.take)) == 4 * RATE
    assert abs(late(one, capture, begin + 5.0)) <= 1 / RATE
    with pytest.raises(NotEnoughBars, match=r"6 of 7 bars at 120 bpm: only 12\.. s"):
        one.run(one.now + 0.2, one.last(7, Fraction(120)))


def test_a_lost_input_ends_a_recording_with_what_it_has(studio: Studios) -> None:
    daw = playing(40)
    one = studio(daw)
    one.hum(daw.legs[1].seconds, 20)
    one.run(daw.seconds_of(9)[0])
    capture = one.start(4)
    one.run(daw.seconds_of(17)[0], capture)
    one.unplug(capture)
    one.run(one.now + 0.1, capture)
    assert len(audio(capture.take)) == pytest.approx(2.5 * RATE, abs=0.05 * RATE)
    assert capture.remarks == ("the input was lost: the take ends there",)


@pytest.mark.parametrize("script", [lambda: playing(40), lambda: standing(20)])
def test_a_lost_input_fails_what_waits(studio: Studios, script: Callable[[], Daw]) -> None:
    one = studio(script())
    one.run(one.daw.legs[0].seconds + 5.5)
    capture = one.start(4)
    one.run(one.now + 0.1, capture)
    one.unplug(capture)
    with pytest.raises(NoInput, match="lost"):
        capture.poll(one.now)


def test_last_makes_do_with_the_bars_that_were_heard_before_the_input_was_lost(
    studio: Studios,
) -> None:
    daw = playing(40)
    one = studio(daw, 0.04)
    one.click_on_beats()
    one.run(daw.seconds_of(15.5)[0])
    capture = one.last(2)
    one.unplug(capture)
    capture.poll(one.now)
    assert abs(late(one, capture, daw.seconds_of(4)[0])) < 0.006


@pytest.mark.parametrize("script", [lambda: playing(60), lambda: standing(30)])
def test_last_does_not_take_what_was_heard_long_before_the_input_was_lost(
    studio: Studios, script: Callable[[], Daw]
) -> None:
    daw = script()
    one = studio(daw)
    one.hum(daw.legs[0].seconds + 2, 6)
    one.run(daw.legs[0].seconds + 9)
    one.lost.append((one.now, np.inf))
    one.run(one.now + 15)
    capture = one.last(2)
    capture.lost(one.now)
    with pytest.raises(NoInput, match="the input was lost"):
        for _ in range(5):
            capture.poll(one.now)


def test_start_waits_for_the_beat_though_the_daw_says_before_that_it_plays(
    studio: Studios,
) -> None:
    """As while it loads a plug-in, or counts in: playing, and the beat stands still."""
    daw = Daw()
    daw.jump(8.0)
    daw.stop(3.0)
    daw.play(24)
    one = studio(daw)
    one.click_on_beats()
    moves = daw.legs[1].seconds
    early = [
        replace(one._packets[0], is_playing=True, received_seconds=moves - float(ago))
        for ago in np.arange(2.0, 0.1, -0.2)
    ]
    one._packets = sorted([*one._packets, *early], key=lambda packet: packet.received_seconds)
    one.run(moves - 2.5)
    capture = one.start(2)
    one.run(moves + 6, capture)
    assert abs(late(one, capture, moves)) < 0.006
    assert len(audio(capture.take)) == 4 * RATE


def test_last_does_without_a_bar_whose_end_was_not_heard(studio: Studios) -> None:
    """The line is over, but what was played up to it is on its way when the input goes."""
    daw = playing(40)
    one = studio(daw, 0.3)
    one.click_on_beats()
    one.run(daw.seconds_of(12.2)[0])
    capture = one.last(2)
    one.unplug(capture)
    capture.poll(one.now)
    assert abs(late(one, capture, daw.seconds_of(0)[0])) < 0.006
    assert len(audio(capture.take)) == 4 * RATE


def test_an_input_lost_before_the_first_frame_came_through_recorded_nothing(
    studio: Studios,
) -> None:
    daw = playing(40)
    one = studio(daw, 0.3)
    one.run(daw.seconds_of(9)[0])
    capture = one.start(2)
    one.run(daw.seconds_of(12.2)[0], capture)
    one.unplug(capture)
    with pytest.raises(NoInput, match="lost"):
        capture.poll(one.now)


def test_more_bars_than_the_ring_holds_are_refused_with_the_most(studio: Studios) -> None:
    daw = playing(20)
    one = studio(daw)
    one.run(daw.now - 1)
    with pytest.raises(BadArgument, match=r"58 bars of 4/4 at 120 bpm: .* 57 are the most"):
        one.start(58)
    with pytest.raises(NotEnoughBars, match="57 are the most"):
        one.last(58)
    one.start(57)


def test_an_open_take_ends_by_itself_when_the_ring_is_full(studio: Studios) -> None:
    daw = playing(280, stands=2)
    one = studio(daw)
    one.hum(daw.legs[1].seconds, 20)
    one.run(daw.legs[1].seconds - 1)
    capture = one.start()
    one.run(daw.now, capture)
    assert len(audio(capture.take)) == 114 * RATE
    assert capture.remarks == ("it was ended after 57 bars: no take lasts over 115 s",)
    daw = standing(125)
    one = studio(daw)
    one.hum(daw.legs[0].seconds + 2, 20)
    one.run(daw.legs[0].seconds + 1)
    capture = one.start()
    one.run(daw.now, capture)
    assert len(audio(capture.take)) == 115 * RATE


def test_frames_that_were_lost_inside_a_recording_are_silent_and_told(studio: Studios) -> None:
    daw = playing(40)
    one = studio(daw)
    one.click_on_beats()
    gap = daw.seconds_of(14)[0]
    one.lost.append((gap + 0.1, gap + 0.2))
    one.run(daw.seconds_of(9)[0])
    capture = one.start(2)
    one.run(daw.now, capture)
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
def test_a_silent_take_is_refused_with_what_to_look_at(
    studio: Studios, gain: float, hint: str
) -> None:
    daw = playing(24)
    one = studio(daw)
    one.sound *= np.float32(gain)
    one.run(daw.now - 1)
    with pytest.raises(SilentMelody, match=hint):
        one.last(2).poll(one.now)


@pytest.mark.parametrize(
    ("script", "error"), [(lambda: playing(40), NotEnoughBars), (lambda: standing(9), SilentMelody)]
)
def test_what_is_stopped_before_it_began_fails(
    studio: Studios, script: Callable[[], Daw], error: type[BridgeError]
) -> None:
    one = studio(script())
    one.run(one.daw.legs[0].seconds + 5.5)
    capture = one.start(4)
    one.run(one.now + 0.1, capture)
    capture.stop(one.now)
    with pytest.raises(error, match="stopped"):
        capture.poll(one.now)


def test_what_was_stopped_before_its_bar_line_fails_however_late_it_is_seen(
    studio: Studios,
) -> None:
    daw = playing(40)
    one = studio(daw)
    one.run(daw.seconds_of(9)[0])
    capture = one.start(1)
    one.run(daw.seconds_of(11.8)[0], capture)
    capture.stop(one.now)
    one.run(daw.seconds_of(12.5)[0])
    with pytest.raises(NotEnoughBars, match="stopped before the bar line"):
        capture.poll(one.now)


def test_what_was_stopped_before_its_onset_fails_however_late_it_is_seen(studio: Studios) -> None:
    daw = standing(12)
    one = studio(daw)
    begin = daw.legs[0].seconds
    one.hum(begin + 3, 4)
    one.run(begin + 1)
    capture = one.start()
    one.run(begin + 2, capture)
    capture.stop(one.now)
    one.run(begin + 4)
    with pytest.raises(SilentMelody, match="before it was stopped"):
        capture.poll(one.now)


def test_an_empty_ring_is_waited_for(studio: Studios) -> None:
    """The device was found, and its first block has not come."""
    daw = playing(24)
    one = studio(daw)
    one.click_on_beats()
    one.lost.append((0.0, daw.seconds_of(11)[0]))
    one.run(daw.seconds_of(8.5)[0])
    assert one.ring.frames_written == 0
    begun, asked = one.start(2), one.last(1)
    one.run(daw.seconds_of(10.5)[0], begun, asked)
    assert (begun.state, asked.state) == ("waiting", "waiting")
    with pytest.raises(NotEnoughBars, match="0 of 1 bars"):
        one.run(daw.now, asked)
    one.run(daw.now, begun)
    assert abs(late(one, begun, daw.seconds_of(12)[0])) < 0.006


def test_level_is_that_of_the_last_tenth_of_a_second() -> None:
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
