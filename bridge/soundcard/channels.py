"""Which channels of an input are recorded: the first two, named ones, or the loudest."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bridge.audio import db_to_power
from bridge.errors import NoInput

Channels = tuple[int, ...] | Literal["auto"] | None
"""Numbers from 1; `"auto"`: the loudest; None: the first two."""

USUAL_CHANNELS = 2
AVERAGED_SECONDS = 0.5
"""Time constant of a channel's level: a click does not make a channel the loudest."""
LOUDER_DB = 6.0
"""A channel must be this much louder to be taken instead: two similar ones do not alternate."""
LEAST_DBFS = -60.0
"""A channel below this level is never taken instead: it is noise."""

Select = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Picks the recorded channels of a block `[frames, opened channels]`."""


def opened_channels(available: int, channels: Channels, device: str) -> int:
    """How many channels of a device to open: a device gives its first ones only.

    Args:
        available: channels of the device, 1 or more.
        device: its name, for the error.

    Raises:
        NoInput: the device has fewer channels than are named.
    """
    if channels == "auto":
        return available
    if channels is None:
        return min(available, USUAL_CHANNELS)
    if max(channels) > available:
        named = ",".join(map(str, channels))
        count = "1 channel" if available == 1 else f"{available} channels"
        raise NoInput(
            f"input_channels {named}: {device} has {count}; name numbers from 1 to {available}, "
            "or write auto"
        )
    return max(channels)


def recorded_channels(opened: int, channels: Channels) -> int:
    """How many channels are recorded of those that are open."""
    if channels == "auto":
        return 1
    return opened if channels is None else len(channels)


def selector(opened: int, channels: Channels, sample_rate: int) -> Select:
    """Make the function that picks the recorded channels of each block, for an audio callback."""
    if channels == "auto":
        return LoudestChannel(opened, sample_rate)
    if channels is None or channels == tuple(range(1, opened + 1)):
        return lambda block: block
    columns = [number - 1 for number in channels]
    return lambda block: block[:, columns]


class LoudestChannel:
    """Picks the channel that has been loudest lately, and fades to it when that changes.

    A voice that begins is picked from its first block on.

    Attributes:
        channel: the channel that is picked, from 0.
    """

    def __init__(self, channels: int, sample_rate: int) -> None:
        self.channel = 0
        self._sample_rate = sample_rate
        self._power = np.zeros(channels)

    def __call__(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pick a channel of a block `[frames, channels]`: `[frames, 1]`."""
        frames = len(block)
        mean = block.mean(axis=0)
        # Without DC, which a cheap interface adds.
        power = np.einsum("fc,fc->c", block, block) / frames - np.square(mean)
        share = 1 - math.exp(-frames / (self._sample_rate * AVERAGED_SECONDS))
        self._power += share * (power - self._power)
        last, loudest = self.channel, int(self._power.argmax())
        least = max(self._power[last] * db_to_power(LOUDER_DB), db_to_power(LEAST_DBFS) * share)
        if loudest == last or self._power[loudest] <= least:
            return block[:, last : last + 1]
        self.channel = loudest
        fade = np.linspace(0, 1, frames, dtype=np.float32)[:, None]
        picked: NDArray[np.float32] = (
            block[:, last : last + 1] * (1 - fade) + block[:, loudest : loudest + 1] * fade
        )
        return picked
