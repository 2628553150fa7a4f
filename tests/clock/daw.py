"""A simulated DAW that plays a script: its true playhead position, and the packets it sends."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bridge.commands import Transport
from bridge.timing import Meter


@dataclass(frozen=True)
class Leg:
    """From an instant on: the beat, the speed at which it moves, and the bar lines."""

    seconds: float
    beat: float
    tempo_bpm: Fraction
    is_playing: bool
    meter: Meter
    bar_line: float

    def beat_at(self, seconds: float) -> float:
        return self.beat + self.is_playing * (seconds - self.seconds) * float(self.tempo_bpm) / 60


class Daw:
    """Write the script with `stop`, `play`, `jump` and `ramp`; then read `packets`.

    Attributes:
        now: the instant at which the script ends so far.
        tempo_bpm, meter: of what is played next.
        bar_line: a beat at which what is played next has a bar line.
    """

    def __init__(self, tempo_bpm: Fraction | int = 120, meter: Meter | None = None) -> None:
        self.now = 1000.0
        self.beat = 0.0
        self.tempo_bpm = Fraction(tempo_bpm)
        self.meter = meter or Meter()
        self.bar_line = 0.0
        self.legs: list[Leg] = []

    def stop(self, seconds: float) -> None:
        self._leg(False)
        self.now += seconds

    def play(self, beats: float) -> None:
        self._leg(True)
        self.now += beats * 60 / float(self.tempo_bpm)
        self.beat += beats

    def jump(self, beat: float) -> None:
        self.beat = beat

    def ramp(self, tempo_bpm: int, beats: float) -> None:
        """Play while the tempo changes to another one, linearly by the beat."""
        steps = round(beats * 16)
        start = self.tempo_bpm
        for step in range(steps):
            self.tempo_bpm = start + (tempo_bpm - start) * Fraction(step + 1, steps)
            self.play(beats / steps)

    def leg_at(self, seconds: float) -> Leg:
        return self.legs[max(0, bisect_right(self.legs, seconds, key=lambda leg: leg.seconds) - 1)]

    def beat_at(self, seconds: float) -> float:
        return self.leg_at(seconds).beat_at(seconds)

    def seconds_of(self, beat: float) -> list[float]:
        """Every instant at which the playhead reached that beat."""
        found = []
        ends = [leg.seconds for leg in self.legs[1:]] + [self.now]
        for leg, end in zip(self.legs, ends, strict=True):
            at = leg.seconds + (beat - leg.beat) * 60 / float(leg.tempo_bpm)
            if leg.is_playing and leg.seconds - 1e-9 <= at < end - 1e-9:
                found.append(at)
        return found

    def packets(
        self,
        *,
        a_second: float = 5,
        with_bars: bool = True,
        on_change: bool = True,
        jitter: tuple[float, float] = (0.0, 0.0),
        lost: float = 0.0,
        late: float = 0.0,
        seed: int = 0,
    ) -> Iterator[Transport]:
        """The packets it sends, in the order of arrival.

        Args:
            a_second: packets per second while playing; the first of a leg is sent as it begins.
            with_bars: send `bar` and `beat_in_bar`.
            on_change: send a packet when a leg begins; otherwise the next regular one shows it.
            jitter: range of the delay in seconds, uniformly distributed.
            lost: share of packets that never arrive, except starts and stops.
            late: share of packets that are 100 to 500 ms late.
        """
        random = np.random.default_rng(seed)
        arrivals = []
        next_seconds = self.legs[0].seconds
        ends = [leg.seconds for leg in self.legs[1:]] + [self.now]
        was_playing = False
        for leg, end in zip(self.legs, ends, strict=True):
            is_transition = leg.is_playing != was_playing
            was_playing = leg.is_playing
            if on_change or is_transition or not leg.is_playing:
                next_seconds = leg.seconds
            while next_seconds < end - 1e-6:
                delay = random.uniform(*jitter)
                if random.random() < late and not is_transition:
                    delay = random.uniform(0.1, 0.5)
                if is_transition or random.random() >= lost:
                    packet = self._packet(leg, next_seconds, next_seconds + delay, with_bars)
                    arrivals.append(packet)
                is_transition = False
                next_seconds += 1 / a_second if leg.is_playing else np.inf
        yield from sorted(arrivals, key=lambda packet: packet.received_seconds)

    def _packet(self, leg: Leg, sent: float, received: float, with_bars: bool) -> Transport:
        # float32, as OSC carries it.
        beat = float(np.float32(leg.beat_at(sent)))
        bar_beats = float(leg.meter.beats_per_bar)
        bars, into = divmod(beat - leg.bar_line, bar_beats)
        return Transport(
            tempo_bpm=leg.tempo_bpm,
            beat=beat,
            is_playing=leg.is_playing,
            meter=leg.meter,
            bar=int(bars) + 1 if with_bars else None,
            beat_in_bar=float(np.float32(into)) if with_bars else None,
            received_seconds=received,
        )

    def _leg(self, is_playing: bool) -> None:
        self.legs.append(
            Leg(self.now, self.beat, self.tempo_bpm, is_playing, self.meter, self.bar_line)
        )
