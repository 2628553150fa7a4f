"""One Ableton Link session: its tempo, beat and start and stop, as this program's peers see them.

Link shares no meter, so its quantum is the bar of this program's own meter.
"""

from __future__ import annotations

import time
from fractions import Fraction
from math import ceil
from typing import Any

from bridge.clock.source import SessionTempo
from bridge.commands import Transport
from bridge.timing import first_meter, first_tempo, shortest_tempo

_LATE_BARS = 1e-4
"""A start this little after a bar line is on it: Link rounds to microseconds and microbeats."""
_PAIRINGS = 3


class LinkSession:
    """Takes part in the session that is on the network.

    Attributes:
        peers: other programs in the session, by the newest `read`.
    """

    def __init__(self, library: Any, session: SessionTempo) -> None:
        """Turn Link on.

        Args:
            library: the module `link`.
        """
        self.peers = 0
        self._session = session
        self._link = library.Link(float(first_tempo(session.tempo_bpm)))
        self._pressed_micros: int = self._link.captureAppSessionState().timeForIsPlaying()
        self._link.startStopSyncEnabled = True
        self._link.enabled = True
        self._presses_are_known = self._waits_for_line = False
        self._zero_bars = 0
        self._beat = 0.0

    def set_session(self, session: SessionTempo) -> None:
        """Count in bars of another meter."""
        old, new = (first_meter(each.meter).beats_per_bar for each in (self._session, session))
        self._zero_bars = round(self._zero_bars * old / new)
        self._session = session

    def set_tempo(self, tempo_bpm: Fraction) -> None:
        """Change the tempo of everyone in the session."""
        state = self._link.captureAppSessionState()
        state.setTempo(float(tempo_bpm), self._link.clock().micros())
        self._link.commitAppSessionState(state)

    def read(self) -> Transport:
        """Where the session's music is now."""
        micros, seconds = self._now()
        self.peers = self._link.numPeers()
        state = self._link.captureAppSessionState()
        meter = first_meter(self._session.meter)
        quantum = float(meter.beats_per_bar)
        is_playing = self._is_playing(state, micros, quantum)
        # Link counts on while the music is stopped; the playhead does not.
        if is_playing:
            self._beat = state.beatAtTime(micros, quantum) - self._zero_bars * quantum
        return Transport(
            tempo_bpm=shortest_tempo(Fraction(state.tempo())),
            beat=self._beat,
            is_playing=is_playing,
            meter=meter,
            beat_in_bar=state.phaseAtTime(micros, quantum) if is_playing else None,
            received_seconds=seconds,
        )

    def close(self) -> None:
        """Leave the session; the others play on."""
        self._link.enabled = False

    def _now(self) -> tuple[int, float]:
        """The same instant on Link's clock and on `perf_counter`.

        On Linux the two run at different speeds (CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC), so one pair
        does not serve for long.
        """
        clock, pairs = self._link.clock(), []
        for _ in range(_PAIRINGS):
            before = time.perf_counter()
            micros: int = clock.micros()
            after = time.perf_counter()
            pairs.append((after - before, micros, (before + after) / 2))
        _, micros, seconds = min(pairs)
        return micros, seconds

    def _is_playing(self, state: Any, micros: int, quantum: float) -> bool:
        """Whether the session's music plays; note where it starts and stops.

        Peers without start/stop sync never say what is pressed, and a session does not say what was
        pressed before one joined it. Until someone presses, the session counts as playing.
        """
        pressed: int = state.timeForIsPlaying()
        if pressed != self._pressed_micros:
            self._pressed_micros, self._presses_are_known = pressed, True
            pressed_beat = state.beatAtTime(pressed, quantum)
            # Peers start at the bar line after the press, and their song begins there.
            self._waits_for_line = bool(state.isPlaying())
            if self._waits_for_line:
                self._zero_bars, self._beat = ceil(pressed_beat / quantum - _LATE_BARS), 0.0
            else:
                self._beat = max(self._beat, pressed_beat - self._zero_bars * quantum)
        if self._waits_for_line:
            line_micros = state.timeAtBeat(self._zero_bars * quantum, quantum)
            self._waits_for_line = micros < line_micros
        is_started = bool(state.isPlaying()) and not self._waits_for_line
        return is_started or not self._presses_are_known
