"""The output in the audio process: a callback that plays what the daemon commands."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.commands import LAYERS
from bridge.soundcard.clicks import SetClicks, Tick
from bridge.soundcard.clip_memory import ClipMemory
from bridge.soundcard.mixer import (
    Anchor,
    Mixer,
    MixerCommand,
    SetGain,
    Silence,
    Start,
    Stop,
)
from bridge.soundcard.output_clock import OutputClock
from bridge.soundcard.output_report import OutputReport, OutputStatus

MOST_CHANNELS = 2
"""Channels of the device that are used: its first ones."""
_ROOM_SECONDS = 0.005


@dataclass(frozen=True)
class OutputRequest:
    """The output to play on.

    Attributes:
        selection: as in `devices.find_device`.
        report: the name of the `OutputReport` to fill.
    """

    selection: str | int | None
    report: str


@dataclass(frozen=True)
class OutputWaiting:
    """Sent when no device plays; `detail` is a sentence that says why."""

    detail: str


@dataclass(frozen=True)
class OutputRunning:
    """Sent when the device has taken its first block.

    Attributes:
        device: its name.
        sample_rate: Hz, nominal.
        channels: that are played.
        latency_seconds: from handing a block over until it is heard, as the driver says.
    """

    device: str
    sample_rate: int
    channels: int
    latency_seconds: float


@dataclass(frozen=True)
class LoadClip:
    """Sent by the parent: open this `ClipMemory`; answered with `ClipLoaded`."""

    name: str


@dataclass(frozen=True)
class ClipLoaded:
    """The clip of that number is open: its name may be removed, and commands may name it."""

    number: int


@dataclass(frozen=True)
class DropClip:
    """Sent by the parent: free the clip of that number when it is no longer played."""

    number: int


class OutputPlayer:
    """Plays clips on one output stream. Its `callback` is the stream's.

    Attributes:
        has_played: whether a callback has come.
    """

    def __init__(self, report: OutputReport, sample_rate: int, channels: int) -> None:
        self.has_played = False
        self._report = report
        self._clips: dict[int, ClipMemory] = {}
        self._to_drop: set[int] = set()
        self._clock = OutputClock(sample_rate)
        self._mixer = Mixer(sample_rate, channels, self._clips)
        self._underflows = 0

    def callback(self, block: NDArray[np.float32], frames: int, _: Any, status: Any) -> None:
        """Fill a block of the output stream."""
        now = time.perf_counter()
        self._underflows += bool(status.output_underflow)
        clock, mixer = self._clock, self._mixer
        clock.update(now, frames)
        mixer.render(block, clock.frame)
        self._report.write(
            OutputStatus(
                clock.frame,
                clock.seconds,
                clock.seconds_per_frame,
                now,
                self._underflows,
                clock.skips,
                mixer.dry,
                mixer.late,
                tuple(mixer.playing(layer) for layer in range(LAYERS)),
            )
        )
        self.has_played = True
        self._report.count(now - clock.seconds, time.perf_counter() - now)

    def handle(self, message: object) -> ClipLoaded | None:
        """Carry out a message of the parent's; for another thread than the callback's.

        Returns:
            The answer to the parent; None: there is none.
        """
        answer = None
        match message:
            case LoadClip(name):
                clip = ClipMemory.attach(name)
                self._clips[clip.number] = clip
                answer = ClipLoaded(clip.number)
            case DropClip(number):
                self._to_drop.add(number)
            case Start() | Anchor() | Stop() | SetGain() | SetClicks() | Tick() | Silence():
                self._give(message)
        self._drop_unused()
        return answer

    def _give(self, command: MixerCommand) -> None:
        while not self._mixer.has_room:
            time.sleep(_ROOM_SECONDS)
        self._mixer.give(command)

    def _drop_unused(self) -> None:
        """Free clips here rather than in the callback, which must not wait for it."""
        for number in [each for each in self._to_drop if not self._mixer.uses(each)]:
            self._to_drop.discard(number)
            self._clips.pop(number, None)
