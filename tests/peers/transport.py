"""JACK transport that another program leads, and `jack_midi_clock`, which makes a clock of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from bridge.timing import Meter
from tests.peers.jack import SAMPLE_RATE, JackServer
from tests.peers.programs import Program, close, program
from tests.peers.timeline import Timeline
from tests.peers.wait import until

MIDI_CLOCK_PORT = "jack_midi_clock:mclk_out"
KLICK_PORT = "klick:out"
_CYCLES = 9
"""The times of so many cycles are compared: on a busy machine a single one is off by 1 ms."""


class TransportLeader:
    """A client that leads the transport. Make it with `leading`."""

    def __init__(self, peer: Program, tempo_bpm: float) -> None:
        self._peer, self._tempo_bpm = peer, tempo_bpm

    def start(self) -> Timeline:
        """Start, wait until the playhead rolls, and return when each beat from 0 sounds.

        The timeline is that of the tempo that the leader began with.
        """
        self._peer.send("start")
        until(lambda: self.where()[0], "the transport rolls")
        seen: dict[int, float] = {}

        def enough() -> bool:
            _, frame, seconds = self.where()
            seen[frame] = seconds - frame / SAMPLE_RATE
            return len(seen) >= _CYCLES

        until(enough, f"the transport rolls for {_CYCLES} cycles")
        return Timeline(median(seen.values()), (0, self._tempo_bpm))

    def stop(self) -> None:
        """Stop, and wait until the playhead no longer moves."""
        self._peer.send("stop")
        until(lambda: not self.where()[0], "the transport is stopped")

    def locate(self, frame: int) -> None:
        """Move the playhead."""
        self._peer.send("locate", frame)

    def set_tempo(self, tempo_bpm: float) -> None:
        """Change the tempo from the present frame on."""
        self._peer.send("tempo", tempo_bpm)

    def set_meter(self, meter: Meter) -> None:
        """Change the meter, counted from the start of the song."""
        self._peer.send("meter", f"{meter.numerator}/{meter.denominator}")

    def where(self) -> tuple[bool, int, float]:
        """Whether it rolls, its frame in a cycle, and that cycle's `time.perf_counter` time."""
        state, frame, seconds = self._peer.ask("where")
        return state == "rolling", int(frame), float(seconds)

    def given_bpm(self) -> float:
        """What JACK's transport gives as beats a minute, of whoever leads; 0 when nobody does."""
        (answer,) = self._peer.ask("given")
        return float(answer)


@contextmanager
def leading(
    tempo_bpm: float, meter: Meter | None = None, *, unit: str = "quarter"
) -> Iterator[TransportLeader]:
    """Run a client that leads the transport of the server in the environment.

    Args:
        tempo_bpm: quarter notes a minute.
        unit: what JACK's `beats_per_minute` counts, `quarter` or `beat`; `none`: the leader
            publishes neither tempo nor bars.
    """
    meter = meter or Meter()
    words = repr(tempo_bpm), f"{meter.numerator}/{meter.denominator}", unit
    with program("tests.peers.transport_leader", *words) as peer:
        yield TransportLeader(peer, tempo_bpm)


@contextmanager
def klick(executable: str, *arguments: str) -> Iterator[None]:
    """Run the metronome klick, until the block ends.

    Args:
        executable: the program's path.
        arguments: such as `"-T", "7/8", "120"` to lead the transport, or `"-j"` to follow it.
    """
    process = subprocess.Popen(
        [executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield
    finally:
        close(process)


@contextmanager
def jack_transport(executable: str) -> Iterator[Callable[[str], None]]:
    """Run JACK's own jack_transport, and give what sends it a command, such as `tempo 97`.

    Args:
        executable: the program's path.
    """
    process = subprocess.Popen(
        [executable],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    stdin = process.stdin
    assert stdin is not None

    def say(command: str) -> None:
        stdin.write(f"{command}\n")
        stdin.flush()

    try:
        yield say
    finally:
        close(process)


@contextmanager
def jack_midi_clock(server: JackServer, executable: str, *arguments: str) -> Iterator[str]:
    """Run Debian's jack_midi_clock, and give the name of its port.

    Args:
        executable: the program's path.
        arguments: such as `-d 0.1`: 0.1 s between song position and continue.
    """
    process = subprocess.Popen(
        [executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        until(lambda: MIDI_CLOCK_PORT in server.ports(), "jack_midi_clock has a port")
        yield MIDI_CLOCK_PORT
    finally:
        close(process)
