"""JACK's transport as a source of time, on the server that the sound uses.

Needs the extra `jack`. Only the reader's child process imports it, as a JACK client beside other
Python work disturbs the server.
"""

from __future__ import annotations

import time
from fractions import Fraction
from types import ModuleType
from typing import Any, NamedTuple, cast

from bridge.clock.song_position import BarsBeatsTicks, SongPositions
from bridge.clock.source import MissingSource, SessionTempo
from bridge.commands import Transport
from bridge.errors import BadArgument
from bridge.timing import first_meter

_UNSETTLED_PERIODS = 4
"""For so long after a start or a jump a leader's position may be up to 47 ms off (measured with
Ardour 7.3)."""
_NO_LEADER = "no program gives the JACK transport a tempo"
_ATTEMPTS = 3
_LONGEST_PAIRING_SECONDS = 0.0002


class _Sample(NamedTuple):
    """The transport in the current cycle.

    Attributes:
        cycle: the number of its first frame, of 32 bits, by the server's count.
        seconds: when that frame began, on `time.perf_counter`.
    """

    cycle: int
    seconds: float
    is_rolling: bool
    position: Any


class JackReader:
    """Reads the transport of the server that JACK's own environment variables name.

    Raises:
        MissingSource: the extra is not installed, or no server runs.
    """

    peers = 0

    def __init__(self, session: SessionTempo) -> None:
        self._jack = _library()
        self._session = session
        # JACK prints to stderr otherwise, also that no server runs.
        self._jack.set_error_function(lambda _: None)
        self._jack.set_info_function(lambda _: None)
        try:
            self._client = self._jack.Client("Melody Bridge clock", no_start_server=True)
        except self._jack.JackError as error:
            raise MissingSource("no JACK server runs") from error
        self._is_shut_down = False
        self._client.set_shutdown_callback(self._shut_down)
        self._positions = SongPositions()
        self._state: tuple[bool, int] | None = None
        self._changed_cycle = 0
        self._has_rolled = False
        self.detail = "the JACK transport is read"

    def set_session(self, session: SessionTempo) -> None:
        """Use another tempo and meter where the transport has none."""
        self._session = session

    def set_tempo(self, tempo_bpm: Fraction) -> None:
        """Do nothing: the transport's tempo is its leader's."""

    def read(self) -> Transport | None:
        """Where the transport is now; None while its position is not certain.

        Raises:
            MissingSource: the server has stopped.
        """
        if self._is_shut_down:
            raise MissingSource("the JACK server has stopped")
        sample = self._sample()
        if sample is None or not self._is_settled(sample):
            return None
        position = sample.position
        if not position.valid & self._jack.POSITION_BBT:
            return self._from_frames(sample)
        try:
            return self._from_leader(sample)
        except BadArgument as error:
            self.detail = f"the JACK transport's time is not usable: {error}"
            return None

    def close(self) -> None:
        """Leave the server."""
        self._client.close()

    def _sample(self) -> _Sample | None:
        """The transport now; None when this process was interrupted too often."""
        client = self._client
        for _ in range(_ATTEMPTS):
            cycle = client.last_frame_time
            before = time.perf_counter()
            frame = client.frame_time
            after = time.perf_counter()
            state, position = client.transport_query_struct()
            is_whole = client.last_frame_time == cycle
            if is_whole and after - before < _LONGEST_PAIRING_SECONDS:
                since_cycle = _difference(frame, cycle) / client.samplerate
                seconds = (before + after) / 2 - since_cycle
                return _Sample(cycle, seconds, state == self._jack.ROLLING, position)
        return None

    def _is_settled(self, sample: _Sample) -> bool:
        """Whether the transport has not started, stopped or jumped for a few periods."""
        frame = sample.position.frame
        place = _difference(frame, sample.cycle) if sample.is_rolling else frame
        if (sample.is_rolling, place) != self._state:
            self._state, self._changed_cycle = (sample.is_rolling, place), sample.cycle
            self._positions.restart()
        since = _difference(sample.cycle, self._changed_cycle)
        return since >= _UNSETTLED_PERIODS * int(self._client.blocksize)

    def _from_frames(self, sample: _Sample) -> Transport | None:
        """The position by the session's tempo and meter, from frame 0 on.

        None before the transport first rolls: until then it says nothing about the music.
        """
        tempo_bpm = self._session.tempo_bpm
        if tempo_bpm is None:
            self.detail = f"{_NO_LEADER}: set one with /bridge/set tempo_bpm"
            return None
        self.detail = f"{_NO_LEADER}: the session's counts, from frame 0"
        self._has_rolled |= sample.is_rolling
        if not self._has_rolled:
            return None
        song_seconds = sample.position.frame / self._client.samplerate
        return Transport(
            tempo_bpm=tempo_bpm,
            beat=song_seconds * float(tempo_bpm) / 60,
            is_playing=sample.is_rolling,
            meter=first_meter(self._session.meter),
            received_seconds=sample.seconds,
        )

    def _from_leader(self, sample: _Sample) -> Transport | None:
        """The position by the leader's tempo and meter.

        Raises:
            BadArgument: this program does not know such a tempo or meter.
        """
        position = sample.position
        has_offset = position.valid & self._jack.POSITION_BBT_FRAME_OFFSET
        # Bar, beat and tick are those of an earlier frame.
        offset = int(position.bbt_offset) if has_offset else 0
        song = self._positions.read(
            BarsBeatsTicks(
                frame=position.frame - offset,
                frame_rate=self._client.samplerate,
                bar=position.bar,
                beat=position.beat,
                tick=position.tick,
                beats_per_bar=position.beats_per_bar,
                beat_type=position.beat_type,
                ticks_per_beat=position.ticks_per_beat,
                beats_per_minute=position.beats_per_minute,
            )
        )
        if song is None:
            return None
        self.detail = "a program gives the JACK transport a tempo"
        return Transport(
            tempo_bpm=song.tempo_bpm,
            beat=song.beat,
            is_playing=sample.is_rolling,
            meter=song.meter,
            beat_in_bar=song.beat_in_bar,
            received_seconds=sample.seconds - offset / self._client.samplerate,
        )

    def _shut_down(self, status: Any, reason: str) -> None:
        self._is_shut_down = True


def _difference(frame: int, earlier: int) -> int:
    """Frames between two numbers of 32 bits, which begin at 0 again after 27 hours."""
    return (frame - earlier + 2**31) % 2**32 - 2**31


def _library() -> ModuleType:
    try:
        import jack
    except (ImportError, OSError) as error:
        raise MissingSource(
            f"JACK's transport needs the extra: pip install 'melody-bridge[jack]' ({error})"
        ) from error
    return cast(ModuleType, jack)
