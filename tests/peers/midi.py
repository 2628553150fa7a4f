"""MIDI that other programs send into JACK ports: keyboards, sequencers, masters of MIDI clock."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import mido

from tests.peers.programs import Program, program
from tests.peers.timeline import Timeline
from tests.peers.wait import until

TICKS_PER_BEAT = 24
TICK, START, CONTINUE, STOP = (bytes([status]) for status in (0xF8, 0xFA, 0xFB, 0xFC))
ACTIVE_SENSING = b"\xfe"
ARRIVAL_SECONDS = 30.0
"""What has not come by then was lost: a period that the server misses loses messages."""


class Timed(NamedTuple):
    """A message and when it is sent.

    Attributes:
        seconds: on `time.perf_counter`; 0: at once.
        port: the number of the sender's port.
    """

    seconds: float
    data: bytes
    port: int = 0


class MidiSender:
    """A keyboard or sequencer with JACK MIDI ports. Make it with `sending`.

    Attributes:
        ports: the full names of its ports.
    """

    def __init__(self, peer: Program, ports: Sequence[str], folder: Path) -> None:
        self.ports = ports
        self._peer, self._folder, self._numbers = peer, folder, count()
        self._sent: dict[int, float] = {}

    def send(self, messages: Iterable[Timed]) -> int:
        """Send messages at their times, and never wait; each that is late goes out at once.

        Returns:
            the number of this list, for `sent`.
        """
        ordered = sorted(messages, key=lambda message: message.seconds)
        assert ordered, "no messages"
        number = next(self._numbers)
        path = self._folder / f"{number}.json"
        listed = [(timed.seconds, timed.port, timed.data.hex()) for timed in ordered]
        path.write_text(json.dumps(listed), encoding="ascii")
        self._peer.send(path)
        return number

    def sent(self, number: int) -> float:
        """Wait until a list is sent, and give the time of that on `time.perf_counter`."""
        while number not in self._sent:
            ended, seconds = self._peer.line().split()
            self._sent[int(ended)] = float(seconds)
        return self._sent[number]

    def play(self, *data: bytes, port: int = 0) -> float:
        """Send messages now, wait until they are sent, and give the time of that."""
        return self.sent(self.send(Timed(0.0, message, port) for message in data))

    def unplug(self) -> None:
        """Kill the sender, as a device that is unplugged."""
        self._peer.kill()


@contextmanager
def sending(name: str = "keyboard", ports: Sequence[str] = ("out",)) -> Iterator[MidiSender]:
    """Run a frame-exact sender with these ports."""
    with TemporaryDirectory() as folder, program("tests.peers.midi_sender", name, *ports) as peer:
        yield MidiSender(peer, [f"{name}:{port}" for port in ports], Path(folder))


class RtMidiSender:
    """A virtual port of python-rtmidi, as programs open them. Make it with `sending_by_rtmidi`.

    Attributes:
        port: the full name of its port.
    """

    def __init__(self, peer: Program, port: str) -> None:
        self.port, self._peer = port, peer

    def play(self, *data: bytes) -> None:
        """Send messages, one after the other, without times."""
        for message in data:
            self._peer.send(message.hex())

    def unplug(self) -> None:
        """Kill the sender, as a device that is unplugged."""
        self._peer.kill()


@contextmanager
def sending_by_rtmidi(name: str = "synth", port: str = "out") -> Iterator[RtMidiSender]:
    """Run a sender with a virtual port of python-rtmidi's JACK API."""
    with program("tests.peers.rtmidi_sender", name, port) as peer:
        yield RtMidiSender(peer, f"{name}:{port}")


class MidiReceiver:
    """A device that records what is sent to its port. Make it with `receiving`.

    Attributes:
        port: the full name of its port.
        messages: what has come so far, with the times by JACK's frames.
    """

    def __init__(self, peer: Program, port: str) -> None:
        self.port, self._peer = port, peer
        self.messages: list[Timed] = []

    def read(self) -> list[Timed]:
        """Add what has come since the last call to `messages`, and return all of them."""
        self._peer.send()
        new = json.loads(self._peer.line())
        self.messages += [Timed(seconds, bytes.fromhex(data)) for seconds, data in new]
        return self.messages

    def wait_for(self, data: bytes) -> Timed:
        """Wait for a message, and return the first one."""

        def found() -> list[Timed]:
            return [message for message in self.read() if message.data == data]

        until(found, f"{data.hex(' ')} comes", ARRIVAL_SECONDS)
        return found()[0]

    def wait_for_count(self, count: int) -> None:
        """Wait for so many messages, or more."""
        until(lambda: len(self.read()) >= count, f"{count} messages come", ARRIVAL_SECONDS)


@contextmanager
def receiving(name: str = "device") -> Iterator[MidiReceiver]:
    """Run a device with the input port `NAME:in`."""
    with program("tests.peers.midi_receiver", name) as peer:
        yield MidiReceiver(peer, f"{name}:in")


def midi_file(path: Path, start_seconds: float, port: int = 0) -> list[Timed]:
    """The messages of a standard MIDI file that begins at an instant."""
    messages, seconds = [], start_seconds
    for message in mido.MidiFile(path):
        seconds += message.time
        if not message.is_meta:
            messages.append(Timed(seconds, bytes(message.bytes()), port))
    return messages


def note(
    pitch: int, start_seconds: float, length_seconds: float, velocity: int = 100, channel: int = 0
) -> list[Timed]:
    """A note: on, and off by a note-on of velocity 0."""
    return [
        Timed(start_seconds, bytes([0x90 | channel, pitch, velocity])),
        Timed(start_seconds + length_seconds, bytes([0x90 | channel, pitch, 0])),
    ]


def song_position(sixteenths: int) -> bytes:
    """A song position pointer."""
    return bytes([0xF2, sixteenths & 0x7F, sixteenths >> 7])


def midi_clock(
    timeline: Timeline,
    first_beat: float,
    end_beat: float,
    *,
    jitter_seconds: float = 0.0,
    lost: float = 0.0,
    seed: int = 1,
    port: int = 0,
) -> list[Timed]:
    """The ticks of a master of MIDI clock, without start, stop and song position.

    Args:
        first_beat: the first tick, in quarter notes; negative: the clock runs before the start.
        end_beat: no tick from here on.
        jitter_seconds: each tick is early or late by up to this.
        lost: the share of ticks that never come.
    """
    chance = random.Random(seed)
    numbers = range(round(first_beat * TICKS_PER_BEAT), round(end_beat * TICKS_PER_BEAT))
    return [
        Timed(
            timeline.seconds_of(number / TICKS_PER_BEAT)
            + chance.uniform(-jitter_seconds, jitter_seconds),
            TICK,
            port,
        )
        for number in numbers
        if chance.random() >= lost
    ]
