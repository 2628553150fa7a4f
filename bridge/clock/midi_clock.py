"""MIDI clock as a source of time: 24 ticks a quarter note, start, continue, stop, song position.

Ticks are counted, so jitter never moves the position; `TickLine` says when each was due. The tick
that follows start or continue is the position itself, not a tick later. A clock that was never
started gives a tempo only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Protocol

from bridge.clock.tick_line import TICKS_PER_BEAT, TickLine
from bridge.commands import Transport
from bridge.midi.messages import MidiMessage
from bridge.timing import FALLBACK_METER, MAX_TEMPO_BPM, MIN_TEMPO_BPM, first_tempo, tempo_meant

SILENCE_SECONDS = 0.5
"""A clock that sends no tick for this long has stopped."""
LONGEST_LOSS_SECONDS = 2.0
"""Ticks that go on within this time were lost, and count; later ones go on where it stopped."""

TICK, START, CONTINUE, STOP, SONG_POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2
"""Status bytes."""
_TICKS_PER_SIXTEENTH = 6
"""The song position counts sixteenth notes."""
_READING_TICKS = 6
"""Ticks between two readings."""
_SIGMAS = 2.0
"""A tempo within so many standard errors of the measured one may be the one that was meant."""
_CRYSTALS_APART = 1e-4
"""Rates of two machines' clocks, or of a sound card and its machine, differ by up to this ratio."""

_log = logging.getLogger(__name__)


class OnReading(Protocol):
    """Called with each reading, as `ExactClock.update`."""

    def __call__(self, reading: Transport, *, steady_since_seconds: float | None) -> None:
        """Take a reading."""


class MidiClock:
    """Follows the MIDI clock of one port at a time, and gives readings of its transport."""

    def __init__(
        self,
        on_reading: OnReading,
        tempo_bpm: Callable[[], Fraction | None],
        *,
        offset_seconds: float = 0.0,
    ) -> None:
        """Args:
        on_reading: called with the readings; their meter means nothing, as MIDI has none.
        tempo_bpm: gives the tempo to go by until one is measured.
        offset_seconds: how much later than it says its beats are heard.
        """
        self._on_reading, self._expected_bpm = on_reading, tempo_bpm
        self._offset_seconds = offset_seconds
        self._port: str | None = None
        self._heard_seconds = 0.0
        self._line = TickLine()
        self._tempo_bpm: Fraction | None = None
        # The tempo of the line was measured since then, and no reading has said so yet.
        self._steady_since_seconds: float | None = None
        self._is_running = self._is_started = self._is_silent = False
        # Song position in ticks, less the line's number; and where the next tick is, if elsewhere.
        self._ahead = 0
        self._next_position: int | None = 0
        self._read_number = 0
        self._read_seconds = 0.0

    def received(self, messages: Sequence[MidiMessage]) -> None:
        """Take messages in the order they came; those that are no clock's are ignored."""
        for message in messages:
            is_clock = message.data[0] in (TICK, START, CONTINUE, STOP, SONG_POSITION)
            if is_clock and self._follows(message):
                self._heard_seconds = max(self._heard_seconds, message.seconds)
                self._take(message)

    def poll(self, now_seconds: float) -> None:
        """Notice that the clock has fallen silent; call it ten times a second."""
        if now_seconds <= self._heard_seconds + SILENCE_SECONDS:
            return
        if self._is_started:
            self._is_started = False
            _log.warning(
                "%s was started but sends no MIDI clock: turn its clock output on", self._port
            )
        if self._is_running and not self._is_silent:
            self._is_silent = True
            self._read_stop(now_seconds, self._line.number + self._ahead)

    def _follows(self, message: MidiMessage) -> bool:
        """Whether the port is the one to follow: another one once that is silent or stopped."""
        if message.port == self._port:
            return True
        is_silent = message.seconds > self._heard_seconds + SILENCE_SECONDS
        begins = message.data[0] in (START, CONTINUE) and not (self._is_running or self._is_started)
        if self._port is not None and not is_silent and not begins:
            return False
        if self._is_running and not self._is_silent:
            self._read_stop(message.seconds, self._line.number + self._ahead)
        self._port, self._line = message.port, TickLine()
        self._is_running = self._is_started = self._is_silent = False
        self._ahead, self._next_position = 0, 0
        return True

    def _take(self, message: MidiMessage) -> None:
        match message.data[0]:
            case 0xF8:
                self._tick(message.seconds)
            case 0xFA:
                self._next_position = 0
                self._is_started = not self._is_running
            case 0xFB:
                self._is_started = not self._is_running
            case 0xFC:
                self._stop(message.seconds)
            case _ if len(message.data) == 3:
                sixteenths = message.data[1] | message.data[2] << 7
                self._next_position = sixteenths * _TICKS_PER_SIXTEENTH
                if not self._is_running:
                    self._read_stop(message.seconds, self._next_position)

    def _stop(self, seconds: float) -> None:
        self._is_started = False
        if not self._is_running:
            return
        self._is_running = False
        position: float = self._line.number + self._ahead
        # A continue goes on with the next tick.
        self._next_position = self._line.number + self._ahead + 1
        if not self._is_silent and self._line.is_sure and self._line.is_settled:
            position = max(position, self._line.number_at(seconds) + self._ahead)
        self._is_silent = False
        self._read_stop(seconds, position)

    def _tick(self, seconds: float) -> None:
        self._end_long_silence(seconds)
        self._line.add(seconds)
        self._measure_tempo()
        is_elsewhere = self._is_started or (self._is_running and self._next_position is not None)
        if self._is_started:
            self._is_running, self._is_started = True, False
            # It did not play before this tick.
            self._read_stop(self._line.seconds_at(self._line.number), self._next_position or 0)
        if is_elsewhere:
            if self._next_position is not None:
                self._ahead = self._next_position - self._line.number
            self._next_position = None
        if not self._is_running:
            if self._steady_since_seconds is not None:
                self._read_stop(seconds, self._next_position or 0)
        elif is_elsewhere or self._is_due():
            self._read()

    def _end_long_silence(self, seconds: float) -> None:
        """Begin a line anew after a silence that is too long to count what was lost in it."""
        if self._line.number < 0:
            return
        silent_seconds = seconds - self._line.newest_seconds
        if silent_seconds > LONGEST_LOSS_SECONDS or (
            silent_seconds > SILENCE_SECONDS and not self._line.is_sure
        ):
            self._line = TickLine(self._line.number)
            if self._is_silent and self._is_running:
                self._next_position = self._line.number + self._ahead + 1
        self._is_silent = self._is_silent and not self._line.is_settled

    def _is_due(self) -> bool:
        line = self._line
        if not line.is_settled:
            return False
        if not line.is_sure or self._steady_since_seconds is not None:
            return True
        return line.number >= self._read_number + _READING_TICKS

    def _read(self) -> None:
        """Give a reading of the newest tick."""
        line = self._line
        self._is_silent = False
        self._read_number = line.number
        seconds = line.seconds_at(line.number)
        self._give(seconds, line.number + self._ahead, is_playing=True)

    def _read_stop(self, seconds: float, position: float) -> None:
        self._give(seconds, position, is_playing=False)

    def _give(self, seconds: float, position: float, *, is_playing: bool) -> None:
        self._read_seconds = max(self._read_seconds, seconds + self._offset_seconds)
        reading = Transport(
            self._tempo_bpm or first_tempo(self._expected_bpm()),
            position / TICKS_PER_BEAT,
            is_playing,
            FALLBACK_METER,
            received_seconds=self._read_seconds,
        )
        since, self._steady_since_seconds = self._steady_since_seconds, None
        self._on_reading(reading, steady_since_seconds=since)

    def _measure_tempo(self) -> None:
        """Take the line's tempo, once it differs from the present one by more than its error."""
        line = self._line
        if not (line.is_sure and line.is_settled):
            return
        measured_bpm = 60 / TICKS_PER_BEAT / line.interval_seconds
        error = _SIGMAS * line.interval_error_seconds / line.interval_seconds
        error_bpm = measured_bpm * max(error, _CRYSTALS_APART)
        if self._tempo_bpm is not None and abs(measured_bpm - self._tempo_bpm) <= error_bpm:
            return
        tempo_bpm = tempo_meant(measured_bpm, error_bpm)
        if tempo_bpm != self._tempo_bpm and MIN_TEMPO_BPM <= tempo_bpm <= MAX_TEMPO_BPM:
            self._tempo_bpm = tempo_bpm
            since_seconds = line.seconds_at(line.first_number - 0.5)
            self._steady_since_seconds = since_seconds + self._offset_seconds
