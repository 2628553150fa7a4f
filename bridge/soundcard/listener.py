"""Keeps an audio process recording the input, and replaces it when it fails.

A lost device, a dead process and a process that hangs are treated alike: callbacks stop, the ring
stays readable, and a new process waits for the device to come back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bridge.commands import InputChanged, InputState
from bridge.errors import NoInput
from bridge.process.child import Child, Heartbeat
from bridge.soundcard.channels import Channels
from bridge.soundcard.input import Found, Running, Stop, Waiting, run_input
from bridge.soundcard.ring import Ring

SILENT_SECONDS = 0.8
"""Without a callback for this long, the device is lost; they come at least ten times a second."""
QUIET_SECONDS = 5.0
"""Without a heartbeat for this long, a process that waits for its device is replaced."""
STUCK_SECONDS = 15.0
"""A process that sends heartbeats but is blocked in PortAudio for this long is replaced."""
STEADY_SECONDS = 10.0
"""After a process that recorded for this long, the restart delay begins at its shortest again."""
_CHECK_SECONDS = 0.1
_STOP_SECONDS = 1.0
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Listener:
    """Records one input while it runs. Use it in a running event loop.

    Attributes:
        ring: the recorded audio. Each time the device comes back there is a new ring; until then
            the last one stays; None before the first. A ring is freed with its last reference.
        state: `"none"` before the first audio, `"ready"` while audio comes, otherwise `"lost"`.
        device: the name of the current or last device; empty before the first.
        detail: a sentence about the state.
    """

    def __init__(
        self,
        selection: str | int | None,
        on_change: Callable[[InputChanged], None],
        *,
        channels: Channels = None,
    ) -> None:
        """Args:
        selection: as in `devices.find_device`.
        on_change: called in the event loop whenever state, device or detail changes.
        channels: of the device, to record.
        """
        self.ring: Ring | None = None
        self.state: InputState = "none"
        self.device = ""
        self.detail = "the audio process starts"
        self._selection, self._channels, self._on_change = selection, channels, on_change
        self._task: asyncio.Task[None] | None = None
        self._child: Child | None = None
        self._next_ring: Ring | None = None
        self._earlier_overflows = 0
        self._last_step_seconds = self._ready_seconds = 0.0
        self._exit_code = 0

    @property
    def overflows(self) -> int:
        """How often frames were lost, in all rings together."""
        return self._earlier_overflows + (self.ring.overflows if self.ring is not None else 0)

    @property
    def pid(self) -> int | None:
        """The process id of the audio process; None when none runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def start(self) -> None:
        """Begin to record."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="listener")

    async def stop(self) -> None:
        """End the audio process and release the ring."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._child is not None:
            # An audio server may wait for seconds for a killed client, so ask it to stop first.
            self._child.send(Stop())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._child.wait(), _STOP_SECONDS)
            self._child.kill()
            await self._child.wait()
        self._drop_next_ring()
        self.ring = None

    async def _run(self) -> None:
        delay_seconds = _FIRST_DELAY_SECONDS
        while True:
            self._ready_seconds = 0.0
            try:
                await self._run_process()
            except OSError as error:
                self._input_gone(f"the audio process does not start: {error.strerror or error}")
            except Exception:
                # Without this, nothing would be recorded for ever, and without a message.
                _log.exception("watching the audio process failed")
                self._input_gone("watching the audio process failed: it is replaced")
                if self._child is not None:
                    self._child.kill()
                    await self._child.wait()
            self._drop_next_ring()
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
            run_input,
            self._selection,
            self._channels,
            name="melody-bridge input",
            on_message=self._on_message,
            on_exit=self._on_exit,
        )
        while child.alive:
            fault = self._find_fault(child)
            if fault is not None:
                self._input_gone(fault)
                child.kill()
                await child.wait()
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), _CHECK_SECONDS)
        self._input_gone(f"the audio process ended ({self._exit_code}), and is started again")

    def _find_fault(self, child: Child) -> str | None:
        """Return what is wrong with a live process; None when nothing is."""
        if self.state == "ready" and self.ring is not None:
            # Not by its heartbeat: after this process itself was paused, the newest one is old.
            silent = _seconds_since(self.ring.written_seconds)
            return f"{self.device} gives no more audio" if silent > SILENT_SECONDS else None
        if child.quiet_seconds > QUIET_SECONDS:
            return "the audio process does not answer, and is replaced"
        if _seconds_since(self._last_step_seconds) > STUCK_SECONDS:
            return "a device does not answer: unplug the one that was plugged in last"
        return None

    def _on_message(self, message: Any) -> None:
        match message:
            case Heartbeat(last_step_seconds):
                self._last_step_seconds = last_step_seconds
            case Waiting(detail):
                self._input_gone(detail)
            case Found():
                self._give_ring(message)
            case Running(device):
                self._input_runs(device)

    def _on_exit(self, exit_code: int) -> None:
        self._exit_code = exit_code

    def _give_ring(self, found: Found) -> None:
        ring, format = self._next_ring, (found.sample_rate, found.channels)
        # A ring that was made for a device that then did not open can be used again.
        if ring is None or ring.frames_written or (ring.sample_rate, ring.channels) != format:
            self._drop_next_ring()
            try:
                ring = self._next_ring = Ring.create(*format)
            except OSError as error:
                self._answer(
                    NoInput(f"no room to record {_describe(*format)}: {error.strerror or error}")
                )
                return
        self._answer(ring.name)

    def _answer(self, answer: str | NoInput) -> None:
        if self._child is not None:
            self._child.send(answer)

    def _input_runs(self, device: str) -> None:
        ring, self._next_ring = self._next_ring, None
        if ring is None:
            return
        # Both processes have it open. Without a name it is freed when both end, in any way.
        ring.unlink()
        self._earlier_overflows = self.overflows
        self.ring = ring
        self._ready_seconds = time.perf_counter()
        self._change_state(
            "ready", device, f"{device}, {_describe(ring.sample_rate, ring.channels)}"
        )

    def _input_gone(self, detail: str) -> None:
        self._change_state("none" if self.ring is None else "lost", self.device, detail)

    def _drop_next_ring(self) -> None:
        if self._next_ring is not None:
            self._next_ring.unlink()
            self._next_ring = None

    def _change_state(self, state: InputState, device: str, detail: str) -> None:
        if (state, device, detail) != (self.state, self.device, self.detail):
            self.state, self.device, self.detail = state, device, detail
            sample_rate = self.ring.sample_rate if self.ring is not None else 0
            self._on_change(InputChanged(state, device, sample_rate))


def _describe(sample_rate: int, channels: int) -> str:
    return f"{sample_rate} Hz, {channels} {'channel' if channels == 1 else 'channels'}"


def _seconds_since(seconds: float) -> float:
    return time.perf_counter() - seconds
