"""A MIDI clock whose playhead is known; its messages arrive with jitter, and some are lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bridge.clock.exact_clock import ExactClock
from bridge.clock.midi_clock import CONTINUE, SONG_POSITION, START, STOP, TICK, MidiClock
from bridge.commands import Transport
from bridge.midi.messages import MidiMessage

TICKS_PER_BEAT = 24
POLL_SECONDS = 0.1


class Receiver:
    """A MIDI clock follower with the clock that it feeds.

    Attributes:
        readings: all that it gave.
    """

    def __init__(self, offset_seconds: float = 0.0) -> None:
        self.clock = ExactClock()
        self.readings: list[Transport] = []
        self.midi = MidiClock(self._read, lambda: None, offset_seconds=offset_seconds)
        self._next_poll: float | None = None

    @property
    def tempo_bpm(self) -> float:
        assert self.clock.tempo_bpm is not None
        return float(self.clock.tempo_bpm)

    def send(self, seconds: float, *data: int, port: str = "a") -> None:
        self.pass_until(seconds)
        self.midi.received([MidiMessage(seconds, port, bytes(data))])

    def pass_until(self, seconds: float) -> None:
        """Poll as the daemon does."""
        self._next_poll = self._next_poll or seconds
        while self._next_poll < seconds:
            self.midi.poll(self._next_poll)
            self._next_poll += POLL_SECONDS

    def _read(self, reading: Transport, *, steady_since_seconds: float | None) -> None:
        self.readings.append(reading)
        self.clock.update(reading, steady_since_seconds=steady_since_seconds)


class Master:
    """Sends to a receiver. Its tempo may change from tick to tick.

    Attributes:
        now: when its next tick is due.
        beat: its position.
        lines: when each whole beat was due, since the last start, jump or continue.
    """

    def __init__(
        self,
        receiver: Receiver,
        tempo_bpm: float = 120,
        *,
        jitter_seconds: float = 0.0,
        seed: int = 0,
        port: str = "a",
    ) -> None:
        self.receiver, self.tempo_bpm, self.port = receiver, tempo_bpm, port
        self.now, self.beat = 1000.0, 0.0
        self.lines: dict[int, float] = {}
        self._jitter, self._random = jitter_seconds, np.random.default_rng(seed)
        self._heard = 0.0

    def start(self) -> None:
        self.beat, self.lines = 0.0, {}
        self._send(START)

    def stop(self) -> None:
        self._send(STOP)

    def go_on(self) -> None:
        self._send(CONTINUE)

    def locate(self, sixteenths: int) -> None:
        self.beat, self.lines = sixteenths / 4, {}
        self._send(SONG_POSITION, sixteenths & 127, sixteenths >> 7)

    def clock(
        self,
        beats: float,
        *,
        moves: bool = True,
        is_lost: Callable[[int], bool] = lambda tick: False,
    ) -> None:
        """Send the ticks of so many beats; `moves`: the position goes on with them."""
        for tick in range(round(beats * TICKS_PER_BEAT)):
            if moves and abs(self.beat - round(self.beat)) < 1e-6:
                self.lines[round(self.beat)] = self.now
            if is_lost(tick):
                self.receiver.pass_until(self.now)
            else:
                self._send(TICK)
            self.now += 60 / TICKS_PER_BEAT / self.tempo_bpm
            self.beat += moves / TICKS_PER_BEAT

    def rest(self, seconds: float) -> None:
        """Send nothing."""
        self.now += seconds
        self.receiver.pass_until(self.now)

    def errors_seconds(self) -> list[float]:
        """How far the receiver is off at each beat after the first since the last start."""
        errors = []
        for beat, seconds in list(self.lines.items())[1:]:
            position = self.receiver.clock.beat_at(seconds)
            assert position is not None
            errors.append((position - beat) * 60 / self.tempo_bpm)
        return errors

    def _send(self, *data: int) -> None:
        heard = self.now + float(self._random.uniform(-self._jitter, self._jitter))
        self._heard = max(self._heard, heard)
        self.receiver.send(self._heard, *data, port=self.port)
