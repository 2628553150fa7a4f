"""The MIDI process: opens the ports, and sends what they receive to the daemon.

It is apart from the daemon because Python load beside a MIDI callback makes its times late, and
because a driver may end the process that opens a port.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from bridge.midi.inbox import Delivery, Inbox
from bridge.midi.jack_ports import JackPorts
from bridge.midi.messages import MidiMessage
from bridge.midi.names import JACK, NONE
from bridge.midi.rtmidi_ports import Opening, RtMidiPorts
from bridge.process.child import Line
from bridge.process.kept import Stop
from bridge.process.native_stderr import drop_native_stderr

POLL_SECONDS = 0.5
"""How often the ports are looked at."""
MOST_UNANSWERED = 8
"""Batches that the daemon has not answered yet; until it does, the inbox holds the rest."""
ACTIVE_SENSING = b"\xfe"
"""Many keyboards send it three times a second; it says nothing."""
SWITCH_SECONDS = 0.0005
"""How long a thread may hold the interpreter while a driver's callback waits."""


@dataclass(frozen=True)
class OpenPorts:
    """Sent whenever one of these changes.

    Attributes:
        inputs, outputs: names of the open ports.
        problems: sentences about what does not work.
        dropped: messages that were dropped since the process began.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    problems: tuple[str, ...]
    dropped: int


@dataclass(frozen=True)
class OpeningPort:
    """Sent before a port is opened, and with an empty name when that is done."""

    name: str


@dataclass(frozen=True)
class Batch:
    """Messages in the order in which they came. The daemon answers with `Taken`."""

    messages: tuple[MidiMessage, ...]


@dataclass(frozen=True)
class Taken:
    """Sent by the daemon when it is done with a batch."""


@dataclass(frozen=True)
class SendOut:
    """Sent by the daemon: send these bytes to the output."""

    data: bytes


@dataclass(frozen=True)
class SentOut:
    """Sent when that is done."""


class Ports(Protocol):
    """Ports of one kind."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the open inputs."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the open outputs."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences about what does not work now."""

    def poll(self) -> None:
        """Close what is gone, and open what is there."""

    def send(self, data: bytes) -> None:
        """Send one message to the output, if it is open."""

    def close(self) -> None:
        """Close every port."""


def run_midi(
    line: Line, selection: str, output: str, avoided: Sequence[str], api: str | None
) -> None:
    """Serve the ports until the parent sends `Stop`; a target for `KeptChild`.

    Args:
        selection, output: as in `MidiPorts`.
        avoided: names of ports whose opening has ended such a process.
        api: RtMidi's constant; None: the system's.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    last_step_seconds = time.perf_counter()
    line.start_heartbeat(lambda: last_step_seconds)
    drop_native_stderr()
    inbox, credits = Inbox(), threading.Semaphore(MOST_UNANSWERED)
    threading.Thread(target=_pump, args=(line, inbox, credits), name="pump", daemon=True).start()
    ports = _ports(inbox, selection, output, avoided, _opening(line), api)
    # What was imported is never garbage: without it, a collection takes microseconds.
    gc.freeze()
    sent: OpenPorts | None = None
    next_poll_seconds = 0.0
    while True:
        last_step_seconds = now = time.perf_counter()
        if now >= next_poll_seconds:
            for each in ports:
                each.poll()
            state = _state(ports, inbox)
            if state != sent:
                sent = state
                line.send(state)
            next_poll_seconds = now + POLL_SECONDS
        match line.receive(max(0.0, next_poll_seconds - time.perf_counter())):
            case Taken():
                credits.release()
            case SendOut(data):
                for each in ports:
                    each.send(data)
                line.send(SentOut())
            case Stop():
                for each in ports:
                    each.close()
                return


def _ports(
    inbox: Inbox,
    selection: str,
    output: str,
    avoided: Sequence[str],
    opening: Opening,
    api: str | None,
) -> Sequence[Ports]:
    ports: list[Ports] = []
    if JACK in (selection, output):
        ports.append(JackPorts(inbox, receives=selection == JACK, sends=output == JACK))
    by_name, output_name = (None if each in (JACK, NONE) else each for each in (selection, output))
    if by_name or output_name:
        ports.append(
            RtMidiPorts(by_name, output_name, inbox, opening=opening, avoided=avoided, api=api)
        )
    return ports


def _opening(line: Line) -> Opening:
    @contextmanager
    def opening(name: str) -> Iterator[None]:
        line.send(OpeningPort(name))
        try:
            yield
        finally:
            line.send(OpeningPort(""))

    return opening


def _state(ports: Sequence[Ports], inbox: Inbox) -> OpenPorts:
    def joined(names: Callable[[Ports], tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(name for each in ports for name in names(each))

    return OpenPorts(
        joined(lambda each: each.inputs),
        joined(lambda each: each.outputs),
        joined(lambda each: each.problems),
        inbox.dropped,
    )


def _pump(line: Line, inbox: Inbox, credits: threading.Semaphore) -> None:
    """Send what comes in, in batches; wait while too many are unanswered."""
    while True:
        credits.acquire()
        messages: tuple[MidiMessage, ...] = ()
        while not messages:
            messages = tuple(_messages(inbox.take()))
        line.send(Batch(messages))


def _messages(deliveries: Sequence[Delivery]) -> Iterator[MidiMessage]:
    for seconds, source, data in deliveries:
        for message in source.stream.feed(data):
            if message != ACTIVE_SENSING:
                yield MidiMessage(seconds, source.name, message)
