"""Keeps an audio process running for an input, an output or both, and replaces it when it fails.

A lost device, a dead process and a process that hangs are treated alike: callbacks stop, what they
wrote stays readable, and a new process waits for the device to come back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from bridge.process.kept import NO_FAULT, KeptChild
from bridge.soundcard.audio_process import Apart, run_audio
from bridge.soundcard.input import InputRequest
from bridge.soundcard.output import OutputRequest

SILENT_SECONDS = 0.8
"""Without a callback for this long, the device is lost; they come at least ten times a second."""
STUCK = "a device does not answer: unplug the one that was plugged in last"


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
        self._child = KeptChild(
            run_audio,
            self._requests,
            name="audio process",
            on_message=self._on_message,
            on_fault=self._gone,
            on_ended=self._on_ended,
            watch=self._find_fault,
            stuck=STUCK,
        )

    @property
    def pid(self) -> int | None:
        """The process id of the audio process; None when none runs."""
        return self._child.pid

    def start(self) -> None:
        """Start the process."""
        self._child.start()

    async def stop(self) -> None:
        """End the process. It is asked first: an audio server waits for a client that is killed."""
        await self._child.stop()

    @property
    def _parts(self) -> tuple[AudioPart, ...]:
        return tuple(part for part in (self._input, self._output) if part is not None)

    def _requests(self) -> tuple[InputRequest | None, OutputRequest | None]:
        """The arguments of a new process.

        Raises:
            OSError: there is no room for what it needs.
        """
        return (
            None if self._input is None else self._input.request(),
            None if self._output is None else self._output.request(),
        )

    def _find_fault(self) -> str | None:
        """Judge by the callbacks: after this process itself was paused, a heartbeat is old."""
        running = False
        for part in self._parts:
            called_seconds = part.called_seconds
            if called_seconds is None:
                continue
            if time.perf_counter() - called_seconds > SILENT_SECONDS:
                return f"{part.device} gives no more audio"
            running = True
        return NO_FAULT if running else None

    def _on_message(self, message: Any) -> None:
        if isinstance(message, Apart):
            output, self._output = self._output, None
            if output is not None:
                output.on_ended()
                output.run_apart()
            return
        for part in self._parts:
            part.on_message(message, self._child.send)

    def _gone(self, detail: str) -> None:
        for part in self._parts:
            part.on_gone(detail)

    def _on_ended(self) -> None:
        for part in self._parts:
            part.on_ended()
