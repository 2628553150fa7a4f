"""Keeps an audio process running for an input, an output or both, and replaces it when it fails.

A lost device, a dead process and a process that hangs are treated alike: callbacks stop, what they
wrote stays readable, and a new process waits for the device to come back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from bridge.process.child import Child, Heartbeat
from bridge.soundcard.audio_process import Apart, StopAudio, run_audio
from bridge.soundcard.input import InputRequest
from bridge.soundcard.output import OutputRequest

SILENT_SECONDS = 0.8
"""Without a callback for this long, the device is lost; they come at least ten times a second."""
QUIET_SECONDS = 5.0
"""Without a heartbeat for this long, a process that waits for its device is replaced."""
STUCK_SECONDS = 15.0
"""A process that sends heartbeats but is blocked in PortAudio for this long is replaced."""
STEADY_SECONDS = 10.0
"""After a process that ran for this long, the restart delay begins at its shortest again."""
_CHECK_SECONDS = 0.1
_STOP_SECONDS = 1.0
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 5.0

_log = logging.getLogger(__name__)


class AudioPart(Protocol):
    """The daemon's side of an input or an output that an audio process runs."""

    @property
    def device(self) -> str:
        """The name of the current or last device."""

    @property
    def called_seconds(self) -> float | None:
        """When the newest callback came; None while no device runs."""

    def on_message(self, message: Any, send: Callable[[object], None]) -> None:
        """Handle a message of the process; `send` answers it. Others' messages are ignored."""

    def on_gone(self, detail: str) -> None:
        """The device does not run, or no longer; `detail` is a sentence that says why."""

    def on_ended(self) -> None:
        """The process has ended: free what was made for it."""


class InputPart(AudioPart, Protocol):
    """An input."""

    def request(self) -> InputRequest:
        """The request for a new process."""


class OutputPart(AudioPart, Protocol):
    """An output."""

    def request(self) -> OutputRequest:
        """The request for a new process.

        Raises:
            OSError: there is no room for what the process needs.
        """

    def run_apart(self) -> None:
        """Run in a process of its own from now on."""


class AudioHost:
    """Runs one audio process at a time. Use it in a running event loop."""

    def __init__(self, input_: InputPart | None, output: OutputPart | None) -> None:
        """At least one of the two is there."""
        self._input, self._output = input_, output
        self._task: asyncio.Task[None] | None = None
        self._child: Child | None = None
        self._last_step_seconds = self._ready_seconds = 0.0
        self._exit_code = 0

    @property
    def pid(self) -> int | None:
        """The process id of the audio process; None when none runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def start(self) -> None:
        """Start the process."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="audio")

    def send(self, message: object) -> None:
        """Send a message to the process, if one runs."""
        if self._child is not None:
            self._child.send(message)

    async def stop(self) -> None:
        """End the process."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._child is not None:
            # An audio server may wait for seconds for a killed client, so ask it to stop first.
            self._child.send(StopAudio())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._child.wait(), _STOP_SECONDS)
            self._child.kill()
            await self._child.wait()
        self._on_ended()

    @property
    def _parts(self) -> tuple[AudioPart, ...]:
        return tuple(part for part in (self._input, self._output) if part is not None)

    async def _run(self) -> None:
        delay_seconds = _FIRST_DELAY_SECONDS
        while True:
            self._ready_seconds = 0.0
            try:
                await self._run_process()
            except OSError as error:
                self._gone(f"the audio process does not start: {error.strerror or error}")
            except Exception:
                # Without this, nothing would be heard for ever, and without a message.
                _log.exception("watching the audio process failed")
                self._gone("watching the audio process failed: it is replaced")
                if self._child is not None:
                    self._child.kill()
                    await self._child.wait()
            self._on_ended()
            if self._ready_seconds and _seconds_since(self._ready_seconds) > STEADY_SECONDS:
                delay_seconds = _FIRST_DELAY_SECONDS
            await asyncio.sleep(delay_seconds)
            delay_seconds = min(2 * delay_seconds, _LONGEST_DELAY_SECONDS)

    async def _run_process(self) -> None:
        """Run one audio process until it ends, or fails and is killed.

        Raises:
            OSError: the system cannot start another process.
        """
        self._last_step_seconds = time.perf_counter()
        child = self._child = Child(
            run_audio,
            None if self._input is None else self._input.request(),
            None if self._output is None else self._output.request(),
            name="melody-bridge audio",
            on_message=self._on_message,
            on_exit=self._on_exit,
        )
        while child.alive:
            fault = self._find_fault(child)
            if fault is not None:
                self._gone(fault)
                child.kill()
                await child.wait()
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), _CHECK_SECONDS)
        self._gone(f"the audio process ended ({self._exit_code}), and is started again")

    def _find_fault(self, child: Child) -> str | None:
        """Return what is wrong with a live process; None when nothing is."""
        running = [(part, part.called_seconds) for part in self._parts]
        for part, called_seconds in running:
            # Not by the heartbeat: after this process itself was paused, the newest one is old.
            if called_seconds is not None and _seconds_since(called_seconds) > SILENT_SECONDS:
                return f"{part.device} gives no more audio"
        if any(called_seconds is not None for _, called_seconds in running):
            return None
        if child.quiet_seconds > QUIET_SECONDS:
            return "the audio process does not answer, and is replaced"
        if _seconds_since(self._last_step_seconds) > STUCK_SECONDS:
            return "a device does not answer: unplug the one that was plugged in last"
        return None

    def _on_message(self, message: Any) -> None:
        match message:
            case Heartbeat(last_step_seconds):
                self._last_step_seconds = last_step_seconds
            case Apart():
                output, self._output = self._output, None
                if output is not None:
                    output.on_ended()
                    output.run_apart()
            case _:
                for part in self._parts:
                    part.on_message(message, self.send)
                if any(part.called_seconds is not None for part in self._parts):
                    self._ready_seconds = self._ready_seconds or time.perf_counter()

    def _on_exit(self, exit_code: int) -> None:
        self._exit_code = exit_code

    def _gone(self, detail: str) -> None:
        for part in self._parts:
            part.on_gone(detail)

    def _on_ended(self) -> None:
        for part in self._parts:
            part.on_ended()


def _seconds_since(seconds: float) -> float:
    return time.perf_counter() - seconds
