"""The input as the daemon sees it: its state, and the ring with what was recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bridge.errors import NoInput
from bridge.events import InputChanged, InputState
from bridge.soundcard.audio_host import AudioHost, OutputPart
from bridge.soundcard.channels import Channels
from bridge.soundcard.input import InputFound, InputRequest, InputRunning, InputWaiting
from bridge.soundcard.ring import Ring


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
        output: OutputPart | None = None,
    ) -> None:
        """Args:
        selection: as in `devices.find_device`.
        on_change: called in the event loop whenever state, device or detail changes.
        channels: of the device, to record.
        output: runs in the input's process while one device is both.
        """
        self.ring: Ring | None = None
        self.state: InputState = "none"
        self.device = ""
        self.detail = "the audio process starts"
        self._selection, self._channels, self._on_change = selection, channels, on_change
        self._host = AudioHost(self, output)
        self._next_ring: Ring | None = None
        self._earlier_overflows = 0

    @property
    def overflows(self) -> int:
        """How often frames were lost, in all rings together."""
        return self._earlier_overflows + (self.ring.overflows if self.ring is not None else 0)

    @property
    def pid(self) -> int | None:
        """The process id of the audio process; None when none runs."""
        return self._host.pid

    def start(self) -> None:
        """Begin to record."""
        self._host.start()

    async def stop(self) -> None:
        """End the audio process and release the ring."""
        await self._host.stop()
        self.ring = None

    @property
    def called_seconds(self) -> float | None:
        """When the newest block was recorded; None unless the input is ready."""
        if self.state != "ready" or self.ring is None:
            return None
        return self.ring.written_seconds

    def request(self) -> InputRequest:
        """The request for a new audio process."""
        return InputRequest(self._selection, self._channels)

    def on_message(self, message: Any, send: Callable[[object], None]) -> None:
        """Handle a message of the audio process."""
        match message:
            case InputWaiting(detail):
                self.on_gone(detail)
            case InputFound():
                send(self._give_ring(message))
            case InputRunning(device):
                self._input_runs(device)

    def on_gone(self, detail: str) -> None:
        """Report that the input does not record."""
        self._change_state("none" if self.ring is None else "lost", self.device, detail)

    def on_ended(self) -> None:
        """Free a ring that no device has filled."""
        if self._next_ring is not None:
            self._next_ring.unlink()
            self._next_ring = None

    def _give_ring(self, found: InputFound) -> str | NoInput:
        """The name of a ring for the device."""
        ring, format = self._next_ring, (found.sample_rate, found.channels)
        # A ring that was made for a device that then did not open can be used again.
        if ring is None or ring.frames_written or (ring.sample_rate, ring.channels) != format:
            self.on_ended()
            try:
                ring = self._next_ring = Ring.create(*format)
            except OSError as error:
                return NoInput(f"no room to record {_describe(*format)}: {error.strerror or error}")
        return ring.name

    def _input_runs(self, device: str) -> None:
        ring, self._next_ring = self._next_ring, None
        if ring is None:
            return
        # Both processes have it open. Without a name it is freed when both end, in any way.
        ring.unlink()
        self._earlier_overflows = self.overflows
        self.ring = ring
        self._change_state(
            "ready", device, f"{device}, {_describe(ring.sample_rate, ring.channels)}"
        )

    def _change_state(self, state: InputState, device: str, detail: str) -> None:
        if (state, device, detail) != (self.state, self.device, self.detail):
            self.state, self.device, self.detail = state, device, detail
            sample_rate = self.ring.sample_rate if self.ring is not None else 0
            self._on_change(InputChanged(state, device, sample_rate))


def _describe(sample_rate: int, channels: int) -> str:
    return f"{sample_rate} Hz, {channels} {'channel' if channels == 1 else 'channels'}"
