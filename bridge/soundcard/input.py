"""The audio process: owns PortAudio, and records an input into the ring. It plays nothing.

It waits for its device without limit. Once the device runs, it never queries PortAudio again: a
lost device shows as callbacks that stop, and may block whoever closes it. So the parent watches the
ring and ends this process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.errors import NoInput
from bridge.process.child import Line
from bridge.soundcard.channels import (
    Channels,
    Select,
    opened_channels,
    recorded_channels,
    selector,
)
from bridge.soundcard.devices import Device, find_device, portaudio, read_devices
from bridge.soundcard.dll import DelayLockedLoop
from bridge.soundcard.ring import Ring

RETRY_SECONDS = 0.5
FIRST_BLOCK_SECONDS = 5.0
"""Longest time from a device's start to its first block; Bluetooth takes two seconds."""
_ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Waiting:
    """Sent when no device is recorded; `detail` is a sentence that says why."""

    detail: str


@dataclass(frozen=True)
class Found:
    """Sent when the device is there; the answer is the name of a ring for it, or `NoInput`."""

    sample_rate: int
    channels: int


@dataclass(frozen=True)
class Running:
    """Sent when the first block of this device is in the ring."""

    device: str


@dataclass(frozen=True)
class Stop:
    """Sent by the parent: close the device and end."""


def run_input(line: Line, selection: str | int | None, channels: Channels) -> None:
    """Record one input until the parent sends `Stop`; a target for `bridge.process.child.Child`.

    It sends `Waiting`, `Found` and `Running`. Its heartbeat's status is the time of this thread's
    last step, because PortAudio may hang while the heartbeat goes on.

    Args:
        selection: as in `devices.find_device`.
        channels: of the device, to record.
    """
    last_step_seconds = time.perf_counter()
    line.start_heartbeat(lambda: last_step_seconds)
    last_reason = ""
    while True:
        last_step_seconds = time.perf_counter()
        try:
            _record(line, selection, channels)
            return
        except NoInput as reason:
            if str(reason) != last_reason:
                last_reason = str(reason)
                line.send(Waiting(last_reason))
        if isinstance(line.receive(RETRY_SECONDS), Stop):
            return


def _record(line: Line, selection: str | int | None, channels: Channels) -> None:
    """Record the device until the parent sends `Stop`.

    Raises:
        NoInput: the device is not there, or gives no audio.
        EOFError: the parent has closed the line.
    """
    with portaudio() as sounddevice:
        device = find_device(read_devices(sounddevice), selection, "input")
        opened = opened_channels(device.input_channels, channels, device.full_name)
        line.send(Found(device.sample_rate, recorded_channels(opened, channels)))
        answer = line.receive(_ANSWER_SECONDS)
        if isinstance(answer, Stop):
            return
        if not isinstance(answer, str):
            raise answer or NoInput("the daemon does not answer its audio process")
        ring = Ring.attach(answer)
        try:
            with sounddevice.InputStream(
                samplerate=device.sample_rate,
                device=device.index,
                channels=opened,
                dtype="float32",
                latency="low",
                callback=recorder(ring, selector(opened, channels, device.sample_rate)),
            ):
                _wait_for_first_block(ring, device)
                line.send(Running(device.name))
                # Other messages are late answers to an earlier `Found`.
                while not isinstance(line.receive(), Stop):
                    pass
        except sounddevice.PortAudioError as error:
            raise NoInput(f"{device.full_name} does not open: {error}") from error
        finally:
            ring.close()


def recorder(
    ring: Ring, select: Select = lambda block: block
) -> Callable[[NDArray[np.float32], int, Any, Any], None]:
    """Make a callback for an input stream that fills the ring.

    A block that is delivered at time t was captured in the period before t: the frame after its
    last is at t, filtered by a delay-locked loop.

    Args:
        select: picks as many of a block's channels as the ring has.
    """
    loop = DelayLockedLoop(ring.sample_rate)

    def callback(block: NDArray[np.float32], frames: int, _: Any, status: Any) -> None:
        now = time.perf_counter()
        if status.input_overflow:
            ring.count_overflow()
        ring.write(select(block), loop.update(now, frames, frames_lost=status.input_overflow))

    return callback


def _wait_for_first_block(ring: Ring, device: Device) -> None:
    deadline = time.perf_counter() + FIRST_BLOCK_SECONDS
    while not ring.frames_written:
        if time.perf_counter() > deadline:
            raise NoInput(f"{device.full_name} is open, but gives no audio")
        time.sleep(0.01)
