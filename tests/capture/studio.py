"""A real ring and a real beat clock, while a simulated DAW and a musician play.

Time is simulated: the ring is written, packets arrive and the capture is polled in their order. The
musician clicks on the beat; everything else is noise in which no two frames are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.capture.begin import Capture, last, start
from bridge.capture.sound import SoundSource
from bridge.clock.osc_clock import OscClock
from bridge.soundcard.ring import Ring
from bridge.timing import Meter, Take
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
