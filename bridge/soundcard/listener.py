"""The daemon's ear: keeps an audio process listening, and replaces it when it does not.

A lost device, a dead process and one that hangs are alike: the callback stops coming, the ring
stays readable, and a new process waits for the device to come back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bridge.commands import InputChanged, InputState
from bridge.errors import NoInput
from bridge.process.child import Child, Heartbeat
from bridge.soundcard.input import Found, Hearing, Stop, Waiting, run_input
from bridge.soundcard.ring import Ring

SILENT_SECONDS = 0.8
"""Without a callback for so long, the device is lost; they come at least ten times a second."""
QUIET_SECONDS = 5.0
"""Without a heartbeat for so long, a process that waits for its device is replaced."""
STUCK_SECONDS = 15.0
"""The same for one whose heart beats, but whom PortAudio does not let go."""
STEADY_SECONDS = 10.0
"""A process that has heard for so long was sound: the next one may start soon."""
_LOOK_SECONDS = 0.1
_STOP_SECONDS = 1.0
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 5.0


class Listener:
    """Hears one input for as long as it runs. Use it in a running event loop.

    Attributes:
        ring: what was heard; a new one each time the device comes back, until then the last one;
            None before the first. A ring is freed when nobody refers to it any more.
        state: `"none"` until it hears for the first time, `"ready"` while it does, else `"lost"`.
        device: the name of the device that is or was heard; empty before the first.
        detail: a sentence about the state.
    """

    def __init__(
        self, selection: str | int | None, on_change: Callable[[InputChanged], None]
    ) -> None:
        """Args:
        selection: as in `devices.find_device`.
        on_change: called in the event loop whenever state, device or detail changes.
        """
        self.ring: Ring | None = None
        self.state: InputState = "none"
        self.device = ""
        self.detail = "the audio process starts"
        self._selection, self._on_change = selection, on_change
        self._task: asyncio.Task[None] | None = None
        self._child: Child | None = None
        self._next_ring: Ring | None = None
        self._earlier_overflows = 0
        self._stepped_seconds = self._ready_seconds = 0.0
        self._exit_code = 0

    @property
    def overflows(self) -> int:
        """How often frames were lost, in all rings together."""
        return self._earlier_overflows + (self.ring.overflows if self.ring is not None else 0)

    @property
    def pid(self) -> int | None:
        """The audio process; None when there is none at the moment."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="listener")

    async def stop(self) -> None:
        """End the audio process and let go of the ring."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._child is not None:
            # An audio server may wait for seconds for a client that was killed.
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
                await self._listen()
            except OSError as error:
                self._not_heard(f"the audio process does not start: {error.strerror or error}")
            self._drop_next_ring()
            if self._ready_seconds and _since(self._ready_seconds) > STEADY_SECONDS:
                delay_seconds = _FIRST_DELAY_SECONDS
            await asyncio.sleep(delay_seconds)
            delay_seconds = min(2 * delay_seconds, _LONGEST_DELAY_SECONDS)

    async def _listen(self) -> None:
        """Run one audio process until it has ended, by itself or because it does not do its work.

        Raises:
            OSError: the system starts no more processes.
        """
        self._stepped_seconds = time.perf_counter()
        child = self._child = Child(
            run_input,
            self._selection,
            name="melody-bridge input",
            on_message=self._on_message,
            on_exit=self._on_exit,
        )
        while child.alive:
            fault = self._fault(child)
            if fault is not None:
                self._not_heard(fault)
                child.kill()
                await child.wait()
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), _LOOK_SECONDS)
        self._not_heard(f"the audio process ended ({self._exit_code}), and is started again")

    def _fault(self, child: Child) -> str | None:
        """What is wrong with a process that is alive; None: nothing."""
        if self.state == "ready" and self.ring is not None:
            # Not its heartbeat: after this process itself was stopped, that is old news.
            silent = _since(self.ring.written_seconds)
            return f"{self.device} gives no more audio" if silent > SILENT_SECONDS else None
        if child.quiet_seconds > QUIET_SECONDS:
            return "the audio process does not answer, and is replaced"
        if _since(self._stepped_seconds) > STUCK_SECONDS:
            return "a device does not answer: unplug the one that was plugged in last"
        return None

    def _on_message(self, message: Any) -> None:
        match message:
            case Heartbeat(stepped_seconds):
                self._stepped_seconds = stepped_seconds
            case Waiting(detail):
                self._not_heard(detail)
            case Found():
                self._give_ring(message)
            case Hearing(device):
                self._hears(device)

    def _on_exit(self, exit_code: int) -> None:
        self._exit_code = exit_code

    def _give_ring(self, found: Found) -> None:
        ring, form = self._next_ring, (found.sample_rate, found.channels)
        # One that was given for a device that then did not open is as good as new.
        if ring is None or ring.frames_written or (ring.sample_rate, ring.channels) != form:
            self._drop_next_ring()
            try:
                ring = self._next_ring = Ring.create(*form)
            except OSError as error:
                self._answer(NoInput(f"no room to hear {_form(*form)}: {error.strerror or error}"))
                return
        self._answer(ring.name)

    def _answer(self, answer: str | NoInput) -> None:
        if self._child is not None:
            self._child.send(answer)

    def _hears(self, device: str) -> None:
        ring, self._next_ring = self._next_ring, None
        if ring is None:
            return
        # Both have it open. Without a name it goes when both have gone, however they do.
        ring.unlink()
        self._earlier_overflows = self.overflows
        self.ring = ring
        self._ready_seconds = time.perf_counter()
        self._change_state("ready", device, f"{device}, {_form(ring.sample_rate, ring.channels)}")

    def _not_heard(self, detail: str) -> None:
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


def _form(sample_rate: int, channels: int) -> str:
    return f"{sample_rate} Hz, {channels} {'channel' if channels == 1 else 'channels'}"


def _since(seconds: float) -> float:
    return time.perf_counter() - seconds
