"""The output as the daemon sees it: its state, its clips, and which frame is heard when."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from bridge.errors import NoOutput
from bridge.events import InputState
from bridge.soundcard.audio_host import AudioHost
from bridge.soundcard.callback_times import CallbackTimes
from bridge.soundcard.clip_memory import ClipMemory
from bridge.soundcard.mixer import MixerCommand
from bridge.soundcard.output import (
    ClipLoaded,
    DropClip,
    LoadClip,
    OutputRequest,
    OutputRunning,
    OutputWaiting,
)
from bridge.soundcard.output_report import OutputReport, OutputStatus

_CLIP_NUMBERS = count(1)


class Player:
    """Plays on one output while it runs. Use it in a running event loop.

    It is given to the `Listener` of the input, or started by itself where nothing is recorded.

    Attributes:
        state: `"none"` before the first audio, `"ready"` while it plays, otherwise `"lost"`.
        device: the name of the current or last device; empty before the first.
        detail: a sentence about the state.
        sample_rate: Hz; 0 before the first device.
        channels: that are played; 0 before the first device.
        latency_seconds: from handing a frame over until it is heard, as the driver says.
    """

    def __init__(self, selection: str | int | None, on_change: Callable[[], None]) -> None:
        """Args:
        selection: as in `devices.find_device`.
        on_change: called in the event loop whenever state, device or detail changes. When the
            state becomes `"ready"`, no clip is loaded and all layers are silent.
        """
        self.state: InputState = "none"
        self.device = ""
        self.detail = "the audio process starts"
        self.sample_rate = self.channels = 0
        self.latency_seconds = 0.0
        self._selection, self._on_change = selection, on_change
        self._apart: AudioHost | None = None
        self._send: Callable[[object], None] = lambda message: None
        self._report: OutputReport | None = None
        self._next_report: OutputReport | None = None
        # Clips whose memory the audio process has not opened yet, by number.
        self._loading: dict[int, ClipMemory] = {}
        self._earlier_underflows = 0

    @property
    def pid(self) -> int | None:
        """The process id of the output's own audio process; None when it has none."""
        return None if self._apart is None else self._apart.pid

    @property
    def status(self) -> OutputStatus | None:
        """What the output does now; None unless it is ready."""
        if self.state != "ready" or self._report is None:
            return None
        return self._report.read()

    @property
    def underflows(self) -> int:
        """How often there was no audio in time, in all audio processes together.

        Either the callback was late, or the next frames of a clip were not there.
        """
        status = None if self._report is None else self._report.read()
        now = 0 if status is None else status.underflows + status.dry
        return self._earlier_underflows + now

    @property
    def callback_times(self) -> CallbackTimes | None:
        """How late the current or last device's callbacks came, and how long they took."""
        return None if self._report is None else self._report.callback_times()

    def start(self) -> None:
        """Begin to play, in a process of its own."""
        self.run_apart()

    async def stop(self) -> None:
        """End the output's own audio process, if it has one."""
        if self._apart is not None:
            await self._apart.stop()
        self.on_ended()

    def new_clip(self, frames: int) -> ClipMemory:
        """Make memory for a clip of the output's rate and channels; then `append` and `load`.

        Its maker passes it to `load`, which also removes its name.

        Args:
            frames: of the whole clip.

        Raises:
            NoOutput: no output is ready, or memory has no room for the clip.
            BadArgument: the clip is empty, or too long.
        """
        if self.state != "ready":
            raise NoOutput(f"nothing plays: {self.detail}")
        try:
            return ClipMemory.create(next(_CLIP_NUMBERS), frames, self.channels, self.sample_rate)
        except OSError as error:
            seconds = frames / self.sample_rate
            raise NoOutput(
                f"no room for a clip of {seconds:.0f} s: {error.strerror or error}"
            ) from error

    def load(self, clip: ClipMemory) -> None:
        """Give a clip to the output: from now on commands may name its number."""
        self._loading[clip.number] = clip
        self._send(LoadClip(clip.name))

    def drop(self, clip: ClipMemory) -> None:
        """Free a clip once it no longer plays; commands must not name it any more."""
        self._send(DropClip(clip.number))

    def send(self, command: MixerCommand) -> None:
        """Give the output a command. Without an output it has no effect."""
        self._send(command)

    @property
    def called_seconds(self) -> float | None:
        """When the newest callback came; None unless the output is ready."""
        status = self.status
        return None if status is None else status.called_seconds

    def run_apart(self) -> None:
        """Run in a process of its own from now on."""
        self._apart = AudioHost(None, self)
        self._apart.start()

    def request(self) -> OutputRequest:
        """The request for a new audio process.

        Raises:
            OSError: there is no room for a report.
        """
        self._next_report = OutputReport.create()
        return OutputRequest(self._selection, self._next_report.name)

    def on_message(self, message: Any, send: Callable[[object], None]) -> None:
        """Handle a message of the audio process."""
        match message:
            case OutputWaiting(detail):
                self.on_gone(detail)
            case OutputRunning():
                self._output_runs(message, send)
            case ClipLoaded(number):
                self._unlink(number)

    def on_gone(self, detail: str) -> None:
        """Report that the output does not play."""
        self._change_state("none" if self._report is None else "lost", self.device, detail)

    def on_ended(self) -> None:
        """Free what the audio process has not opened."""
        if self._next_report is not None:
            self._next_report.unlink()
            self._next_report = None
        for number in tuple(self._loading):
            self._unlink(number)
        self._send = lambda message: None

    def _output_runs(self, running: OutputRunning, send: Callable[[object], None]) -> None:
        report, self._next_report = self._next_report, None
        if report is None:
            return
        # Both processes have it open. Without a name it is freed when both end, in any way.
        report.unlink()
        self._earlier_underflows = self.underflows
        self._report, self._send = report, send
        self.sample_rate, self.channels = running.sample_rate, running.channels
        self.latency_seconds = running.latency_seconds
        self._change_state("ready", running.device, f"{running.device}, {running.sample_rate} Hz")

    def _unlink(self, number: int) -> None:
        clip = self._loading.pop(number, None)
        if clip is not None:
            clip.unlink()

    def _change_state(self, state: InputState, device: str, detail: str) -> None:
        if (state, device, detail) != (self.state, self.device, self.detail):
            self.state, self.device, self.detail = state, device, detail
            self._on_change()
