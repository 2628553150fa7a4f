"""Reads Ableton Link or the JACK transport in a child process, and replaces that when it fails.

Neither library may run beside other Python work: that disturbs the JACK server, and Link's threads
wait for the interpreter. Both may also end their process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from typing import Any, Literal, Protocol

from bridge.clock.source import MissingSource, SessionTempo
from bridge.commands import ClockSource, Transport
from bridge.process.child import HEARTBEAT_SECONDS, Child, Heartbeat, Line
from bridge.process.tasks import keep_running

ReadSource = Literal["link", "jack"]

READ_SECONDS = 0.05
"""How often the source is read."""
STEADY_SECONDS = 0.2
"""How often a reading is sent that says nothing new."""
RETRY_SECONDS = 1.0
QUIET_SECONDS = 15.0
"""A process that sends nothing for this long hangs, and is replaced."""
_SAME_BEATS = 0.0005
_CHECK_SECONDS = 0.5
_STOP_SECONDS = 1.0
_READERS = {
    "link": ("bridge.clock.link", "LinkReader"),
    "jack": ("bridge.clock.jack", "JackReader"),
}

_log = logging.getLogger(__name__)


class SourceReader(Protocol):
    """A source of time, read in the child process.

    Attributes:
        detail: a sentence about the source.
        peers: other programs that it shares the time with.
    """

    @property
    def detail(self) -> str: ...

    @property
    def peers(self) -> int: ...

    def read(self) -> Transport | None:
        """Where the music is now; None when that is not known.

        Raises:
            MissingSource: the source is gone.
        """

    def set_session(self, session: SessionTempo) -> None:
        """Use another tempo and meter where the source has none."""

    def set_tempo(self, tempo_bpm: Fraction) -> None:
        """Change the tempo of everyone, where a source allows that."""

    def close(self) -> None:
        """Leave the source."""


@dataclass(frozen=True)
class SourceState:
    """Sent by the child: the source's `detail` and `peers`."""

    detail: str
    peers: int = 0


@dataclass(frozen=True)
class SetTempo:
    """Sent by the parent: change the tempo of everyone."""

    tempo_bpm: Fraction


@dataclass(frozen=True)
class Stop:
    """Sent by the parent: leave the source, and end."""


class ClockReader:
    """Reads one source of time while it runs. Use it in a running event loop.

    Attributes:
        state: a sentence about the source, and its peers.
    """

    def __init__(
        self,
        source: ReadSource,
        on_reading: Callable[[ClockSource, Transport], None],
        on_state: Callable[[ReadSource, SourceState], None],
        session: SessionTempo,
    ) -> None:
        """Args:
        on_reading: called in the event loop with each reading, in order of time. Its
            `received_seconds` is the exact instant at which the playhead was at its `beat`.
        on_state: called in the event loop whenever `state` changes.
        session: for what the source does not say.
        """
        self.state = SourceState("its process starts")
        self._source, self._on_reading, self._on_state = source, on_reading, on_state
        self._session = session
        self._task: asyncio.Task[None] | None = None
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the reader's process; None when none runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def start(self) -> None:
        """Begin to read."""
        self._task = keep_running(f"reading {self._source}", self._run)

    def set_session(self, session: SessionTempo) -> None:
        """Use another tempo and meter where the source has none."""
        if session != self._session:
            self._session = session
            self._send(session)

    def set_tempo(self, tempo_bpm: Fraction) -> None:
        """Change the tempo of everyone in a Link session."""
        self._send(SetTempo(tempo_bpm))

    async def stop(self) -> None:
        """Leave the source."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        child = self._child
        if child is not None:
            # A JACK server waits for seconds for a client that was killed, so ask first.
            child.send(Stop())
            with suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), _STOP_SECONDS)
            child.kill()
            await child.wait()

    async def _run(self) -> None:
        while True:
            await self._run_process()
            await asyncio.sleep(RETRY_SECONDS)

    async def _run_process(self) -> None:
        """Run one process until it ends, or is killed because it hangs."""
        try:
            child = self._child = Child(
                run_reader,
                self._source,
                self._session,
                name=f"melody-bridge {self._source}",
                on_message=self._on_message,
                on_exit=self._on_exit,
            )
        except OSError as error:
            self._change_state(
                SourceState(f"its process does not start: {error.strerror or error}")
            )
            return
        while child.alive:
            if child.quiet_seconds > QUIET_SECONDS:
                child.kill()
            with suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), _CHECK_SECONDS)

    def _on_message(self, message: Any) -> None:
        match message:
            case Transport():
                self._on_reading(self._source, message)
            case SourceState():
                self._change_state(message)

    def _on_exit(self, exit_code: int) -> None:
        if exit_code:
            self._change_state(
                SourceState(f"its process ended ({exit_code}), and is started again")
            )

    def _change_state(self, state: SourceState) -> None:
        if state != self.state:
            self.state = state
            self._on_state(self._source, state)

    def _send(self, message: object) -> None:
        if self._child is not None and self._child.alive:
            self._child.send(message)


def run_reader(line: Line, source: ReadSource, session: SessionTempo) -> None:
    """Read one source until the parent sends `Stop`; a target for `bridge.process.child.Child`.

    It sends `Transport` and `SourceState`. It also ends when the source goes away: a library whose
    server has died may hang when it is used again.
    """
    reader = _open(line, source, session)
    if reader is None:
        return
    try:
        _read(line, reader)
        reader.close()
    except MissingSource as reason:
        line.send(SourceState(str(reason)))
    # Not by returning: threads of the libraries may keep Python's own end waiting.
    os._exit(0)


def _open(line: Line, source: ReadSource, session: SessionTempo) -> SourceReader | None:
    """Wait until the source is there; None when the parent sends `Stop`."""
    last_state = None
    while True:
        try:
            module, name = _READERS[source]
            reader: SourceReader = getattr(import_module(module), name)(session)
            return reader
        except MissingSource as reason:
            state = SourceState(str(reason))
        if state != last_state:
            line.send(state)
            last_state = state
        line.send(Heartbeat(None))
        match line.receive(RETRY_SECONDS):
            case Stop():
                return None
            case SessionTempo() as changed:
                session = changed


def _read(line: Line, reader: SourceReader) -> None:
    last_reading: Transport | None = None
    last_state = None
    next_heartbeat = 0.0
    while True:
        if time.perf_counter() >= next_heartbeat:
            # From this thread, so that a library that hangs shows.
            line.send(Heartbeat(None))
            next_heartbeat = time.perf_counter() + HEARTBEAT_SECONDS
        reading = reader.read()
        if reading is not None and (last_reading is None or _says_more(reading, last_reading)):
            line.send(reading)
            last_reading = reading
        state = SourceState(reader.detail, reader.peers)
        if state != last_state:
            line.send(state)
            last_state = state
        match line.receive(READ_SECONDS):
            case Stop():
                return
            case SessionTempo() as session:
                reader.set_session(session)
            case SetTempo(tempo_bpm):
                reader.set_tempo(tempo_bpm)


def _says_more(reading: Transport, last: Transport) -> bool:
    """Whether a reading differs from what follows from the last one, or is due anyway."""
    seconds = reading.received_seconds - last.received_seconds
    moved = seconds * float(last.tempo_bpm) / 60 if last.is_playing else 0.0
    return (
        seconds >= STEADY_SECONDS
        or (reading.is_playing, reading.tempo_bpm) != (last.is_playing, last.tempo_bpm)
        or reading.meter != last.meter
        or abs(reading.beat - last.beat - moved) > _SAME_BEATS
    )
