"""Where the first sound begins, over whatever noise there is: a fan is none, a soft hum is one."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

HOP_SECONDS = 0.005
"""Blocks begin this far apart and last twice as long: the lowest voice's period."""
FLOOR_SECONDS = 2.0
"""The noise is what the last two seconds had, in their quieter part."""
SOFTEST_DBFS = -54.0
"""What is softer is no note, in whatever silence: breath, and the microphone being switched on."""

_ABOVE_FLOOR_DB = 6.0
_HIGHEST_FLOOR_DBFS = -40.0
"""A floor above this is no noise, but a voice that was there before: it is heard at once."""
_FLOOR_SHARE = 30
"""Per cent: what is louder than the noise may fill the rest."""
_SMOOTH_BLOCKS = 12
"""A fan is a narrow band and its power fluctuates; the floor is that of 60 ms means."""
_FLOOR_EVERY = 20
_FEW_BLOCKS = 20
"""From fewer than that the noise is not known, and taken for silence."""
_BEGINNING_BLOCKS = 4
_SOUND_BLOCKS = 16
_SOUND_SHARE = 0.75
"""A sound is above the noise all through its first 20 ms, and for most of 80 ms: no click is."""
_REST_SHARE = 0.1
"""Of a rest, this much may be clicks."""


class OnsetFinder:
    """Finds the first onset of what it is fed, piece by piece.

    A note needs 85 ms after its onset before it is told.
    """

    def __init__(
        self,
        sample_rate: int,
        first_frame: int,
        after_frame: int,
        rest_seconds: float = 0.0,
    ) -> None:
        """Look for the first onset.

        Args:
            sample_rate: Hz.
            first_frame: the number of the first frame that will be fed.
            after_frame: onsets before this frame do not count; what is fed before it tells the
                noise, for which two seconds are enough.
            rest_seconds: how long there must have been no sound before the onset.
        """
        self._hop = max(1, round(HOP_SECONDS * sample_rate))
        self._first_frame = first_frame
        self._power = np.empty(0)
        self._rest = np.empty((0, 1), np.float32)
        self._rest_blocks = round(rest_seconds / HOP_SECONDS)
        self._next = max(0, -((first_frame - after_frame) // self._hop), self._rest_blocks)
        self._threshold = 0.0
        self._threshold_of = -1

    def feed(self, samples: NDArray[np.float32]) -> int | None:
        """Take in the frames that follow, float32 `[frames, channels]`; the onset's frame, if any.

        The sound begins within 10 ms after that frame.
        """
        self._measure(samples)
        for block in range(self._next, len(self._power) - _SOUND_BLOCKS + 1):
            if self._is_onset(block):
                return self._first_frame + block * self._hop
            self._next = block + 1
        self._trim()
        return None

    def _trim(self) -> None:
        """Forget what no threshold asks for any more: it may listen all evening."""
        kept = round(FLOOR_SECONDS / HOP_SECONDS) + self._rest_blocks + 2 * _FLOOR_EVERY
        # In steps of the threshold's, so that it stays the same.
        over = (self._next - kept) // _FLOOR_EVERY * _FLOOR_EVERY
        if over > 0:
            self._power, self._next = self._power[over:].copy(), self._next - over
            self._first_frame += over * self._hop
            self._threshold_of -= over // _FLOOR_EVERY

    def _measure(self, samples: NDArray[np.float32]) -> None:
        """Add the power of each block that is complete, summed over the channels, without DC."""
        if len(self._rest):
            samples = np.concatenate([self._rest, samples])
        hop, count = self._hop, max(0, len(samples) // self._hop - 1)
        self._rest = samples[count * hop :]
        if count:
            hops = samples[: (count + 1) * hop].reshape(count + 1, hop, -1)
            sums = hops.sum(axis=1, dtype=np.float64)
            squares = np.square(hops).sum(axis=1, dtype=np.float64)
            mean = (sums[:-1] + sums[1:]) / (2 * hop)
            power = (squares[:-1] + squares[1:]) / (2 * hop) - mean**2
            self._power = np.concatenate([self._power, power.sum(axis=1)])

    def _is_onset(self, block: int) -> bool:
        power, threshold = self._power, self._threshold_at(block)
        if power[block] <= threshold:
            return False
        if not (power[block : block + _BEGINNING_BLOCKS] > threshold).all():
            return False
        loud = int(np.count_nonzero(power[block : block + _SOUND_BLOCKS] > threshold))
        before = int(np.count_nonzero(power[block - self._rest_blocks : block] > threshold))
        return loud >= _SOUND_SHARE * _SOUND_BLOCKS and before <= _REST_SHARE * self._rest_blocks

    def _threshold_at(self, block: int) -> float:
        """What a block's power must exceed to be a sound."""
        if self._threshold_of != block // _FLOOR_EVERY:
            self._threshold_of = block // _FLOOR_EVERY
            known = self._power[max(0, block - round(FLOOR_SECONDS / HOP_SECONDS)) : block]
            floor = 0.0
            if len(known) >= _FEW_BLOCKS:
                smooth = sliding_window_view(known, _SMOOTH_BLOCKS).mean(axis=1)
                floor = float(np.percentile(smooth, _FLOOR_SHARE))
            floor = min(floor, 10 ** (_HIGHEST_FLOOR_DBFS / 10))
            above = floor * 10 ** (_ABOVE_FLOOR_DB / 10)
            self._threshold = max(above, 10 ** (SOFTEST_DBFS / 10))
        return self._threshold
