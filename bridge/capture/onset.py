"""Find where the first sound begins above the noise: a fan is noise, a soft hum is a sound."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bridge.audio import db_to_power

HOP_SECONDS = 0.005
"""Distance between the starts of blocks. A block is twice as long: a period of the lowest voice."""
FLOOR_SECONDS = 2.0
"""The noise floor is measured in the quieter part of the last two seconds."""
SOFTEST_DBFS = -54.0
"""Softer sounds are no notes, even in silence: breath, or the microphone being switched on."""

_ABOVE_FLOOR_DB = 6.0
_HIGHEST_FLOOR_DBFS = -40.0
"""A floor above this is a voice that began earlier, not noise: the voice is an onset at once."""
_FLOOR_PERCENTILE = 30
"""Percentile of the block powers that is the floor: louder sounds may fill the rest."""
_SMOOTH_BLOCKS = 12
"""A fan's noise is narrow-band, so its power fluctuates; the floor is taken of 60 ms means."""
_FLOOR_INTERVAL_BLOCKS = 20
_MIN_FLOOR_BLOCKS = 20
"""With fewer blocks the noise is unknown, and counts as silence."""
ATTACK_BLOCKS = 4
SOUND_BLOCKS = 16
SOUND_SHARE = 0.75
"""A sound is above the noise for all of its first 20 ms and most of 80 ms; a click is not."""


class OnsetFinder:
    """Finds the first onset in audio that is fed piece by piece.

    It reports a note once it has 85 ms after the onset.
    """

    def __init__(
        self,
        sample_rate: int,
        first_frame: int,
        after_frame: int,
    ) -> None:
        """Look for the first onset.

        Args:
            sample_rate: Hz.
            first_frame: the number of the first frame that will be fed.
            after_frame: onsets before this frame do not count; frames before it are for the
                noise floor, for which two seconds are enough.
        """
        self._hop = max(1, round(HOP_SECONDS * sample_rate))
        self._first_frame = first_frame
        self._power = np.empty(0)
        self._pending = np.empty((0, 1), np.float32)
        self._next = max(0, -((first_frame - after_frame) // self._hop))
        self._threshold = 0.0
        self._threshold_index = -1

    def feed(self, samples: NDArray[np.float32]) -> int | None:
        """Add the frames that follow; return the onset's frame, if any.

        The sound begins within 10 ms after that frame.

        Args:
            samples: float32 `[frames, channels]`.
        """
        self._measure(samples)
        for block in range(self._next, len(self._power) - SOUND_BLOCKS + 1):
            if self._is_onset(block):
                return self._first_frame + block * self._hop
            self._next = block + 1
        self._trim()
        return None

    def _trim(self) -> None:
        """Drop blocks that no threshold needs any more: a search may last all evening."""
        kept = round(FLOOR_SECONDS / HOP_SECONDS) + 2 * _FLOOR_INTERVAL_BLOCKS
        # In whole steps of the threshold's interval, so that the thresholds stay the same.
        over = (self._next - kept) // _FLOOR_INTERVAL_BLOCKS * _FLOOR_INTERVAL_BLOCKS
        if over > 0:
            self._power, self._next = self._power[over:].copy(), self._next - over
            self._first_frame += over * self._hop
            self._threshold_index -= over // _FLOOR_INTERVAL_BLOCKS

    def _measure(self, samples: NDArray[np.float32]) -> None:
        """Add the power of each complete block."""
        if len(self._pending):
            samples = np.concatenate([self._pending, samples])
        power = block_powers(samples, self._hop)
        self._pending = samples[len(power) * self._hop :]
        self._power = np.concatenate([self._power, power])

    def _is_onset(self, block: int) -> bool:
        power, threshold = self._power, self._threshold_at(block)
        if power[block] <= threshold:
            return False
        if not (power[block : block + ATTACK_BLOCKS] > threshold).all():
            return False
        loud = int(np.count_nonzero(power[block : block + SOUND_BLOCKS] > threshold))
        return loud >= SOUND_SHARE * SOUND_BLOCKS

    def _threshold_at(self, block: int) -> float:
        """The power above which a block is a sound."""
        if self._threshold_index != block // _FLOOR_INTERVAL_BLOCKS:
            self._threshold_index = block // _FLOOR_INTERVAL_BLOCKS
            known = self._power[max(0, block - round(FLOOR_SECONDS / HOP_SECONDS)) : block]
            self._threshold = sound_threshold(noise_floor(known))
        return self._threshold


def block_powers(samples: NDArray[np.float32], hop: int) -> NDArray[np.float64]:
    """The power of each complete block of two hops, a hop apart, summed over the channels.

    Args:
        samples: float32 `[frames, channels]`.
        hop: frames, positive.

    Returns:
        float64 `[blocks]`, without DC.
    """
    count = max(0, len(samples) // hop - 1)
    if not count:
        return np.empty(0)
    hops = samples[: (count + 1) * hop].reshape(count + 1, hop, -1)
    sums = hops.sum(axis=1, dtype=np.float64)
    squares = np.square(hops).sum(axis=1, dtype=np.float64)
    mean = (sums[:-1] + sums[1:]) / (2 * hop)
    power = (squares[:-1] + squares[1:]) / (2 * hop) - mean**2
    total: NDArray[np.float64] = power.sum(axis=1)
    return total


def noise_floor(power: NDArray[np.float64]) -> float:
    """The power of the noise in blocks of which most are noise; 0 when there are too few."""
    if len(power) < _MIN_FLOOR_BLOCKS:
        return 0.0
    smooth = sliding_window_view(power, _SMOOTH_BLOCKS).mean(axis=1)
    return float(np.percentile(smooth, _FLOOR_PERCENTILE))


def sound_threshold(floor: float) -> float:
    """The power above which a block is a sound, over noise of that power."""
    floor = min(floor, db_to_power(_HIGHEST_FLOOR_DBFS))
    return max(floor * db_to_power(_ABOVE_FLOOR_DB), db_to_power(SOFTEST_DBFS))
