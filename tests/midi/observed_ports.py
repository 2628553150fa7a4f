"""MIDI ports for a test, with what they receive and report, and helpers that wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from bridge.events import MidiPortsChanged
from bridge.midi import MidiMessage, MidiPorts
from tests.peers.wait import PATIENCE_SECONDS

RTMIDI_ON_JACK = "API_UNIX_JACK"
"""RtMidi's constant that lets a test use RtMidi without ALSA."""


class ObservedPorts:
    """MIDI ports and all that they have received and reported.

    Attributes:
        messages: in order.
        changes: each with the time of the report.
    """

    def __init__(self, selection: str, output: str, api: str | None) -> None:
        self.messages: list[MidiMessage] = []
        self.changes: list[tuple[float, MidiPortsChanged]] = []
        self.ports = MidiPorts(selection, self._receive, self._note, output=output, api=api)

    @property
    def data(self) -> list[bytes]:
        """The messages without times and ports."""
        return [message.data for message in self.messages]

    async def until(self, reached: Callable[[], object], what: str) -> None:
        """Wait until `reached` is true; after the patience, fail with `what` in the message."""
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while not reached():
            assert time.perf_counter() < deadline, f"no {what}; {self.changes}"
            await asyncio.sleep(0.005)

    async def hears(self, *names: str) -> None:
        """Wait until exactly these inputs are open."""
        await self.until(lambda: self.ports.inputs == names, f"inputs {names}")

    async def receives(self, *data: bytes) -> None:
        """Wait until these messages, and no others, have come since the last call."""
        await self.until(lambda: len(self.messages) >= len(data), f"{len(data)} messages")
        assert self.data == list(data)
        self.messages.clear()

    def _receive(self, messages: Sequence[MidiMessage]) -> None:
        self.messages += messages

    def _note(self, change: MidiPortsChanged) -> None:
        self.changes.append((time.perf_counter(), change))


@asynccontextmanager
async def observed_ports(
    selection: str, *, output: str = "none", api: str | None = None
) -> AsyncIterator[ObservedPorts]:
    """Start MIDI ports, and stop them at the end."""
    observed = ObservedPorts(selection, output, api)
    observed.ports.start()
    try:
        yield observed
    finally:
        await observed.ports.stop()
