"""The input in the audio process: a device is recorded into the ring."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.soundcard.bursts import Bursts
from bridge.soundcard.channels import Channels, Select
from bridge.soundcard.dll import DelayLockedLoop
from bridge.soundcard.ring import Ring


@dataclass(frozen=True)
class InputRequest:
    """The input to record.

    Attributes:
        selection: as in `devices.find_device`.
        channels: of the device, to record.
    """

    selection: str | int | None
    channels: Channels


@dataclass(frozen=True)
class InputWaiting:
    """Sent when no device is recorded; `detail` is a sentence that says why."""

    detail: str


@dataclass(frozen=True)
class InputFound:
    """Sent when the device is there; the answer is the name of a ring for it, or `NoInput`."""

    sample_rate: int
    channels: int


@dataclass(frozen=True)
class InputRunning:
    """Sent when the first block of this device is in the ring."""

    device: str


def recorder(
    ring: Ring,
    select: Select = lambda block: block,
    cycle_age: Callable[[], float] = lambda: 0.0,
) -> Callable[[NDArray[np.float32], int, Any, Any], None]:
    """Make a callback for an input stream that fills the ring.

    Blocks that are delivered at time t were captured in the period before t: the frame after the
    last of them is at t, filtered by a delay-locked loop.

    Args:
        select: picks as many of a block's channels as the ring has.
        cycle_age: returns how long ago the driver's period ended, in seconds, where the driver
            calls back later than then.
    """
    loop, bursts = DelayLockedLoop(ring.sample_rate), Bursts(ring.sample_rate)

    def callback(block: NDArray[np.float32], frames: int, _: Any, status: Any) -> None:
        now = time.perf_counter() - cycle_age()
        if status.input_overflow:
            ring.count_overflow()
        bursts.update(now, frames)
        later_frames = bursts.period_frames - bursts.frames_before - frames
        seconds = bursts.begun_seconds - later_frames / ring.sample_rate
        ring.write(select(block), loop.update(seconds, frames, frames_lost=status.input_overflow))

    return callback
