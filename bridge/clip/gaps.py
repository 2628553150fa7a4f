"""Silences within a sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform, db_to_power, power_to_db

SILENT_DB = -120.0
"""The level of digital silence."""
AUDIBLE_DB = -100.0
GAP_BELOW_DB = -40.0
"""A block below `AUDIBLE_DB`, or this far below the 90th percentile of all blocks, is silent."""
BLOCK_SECONDS = 0.05


def longest_gap_seconds(waveform: Waveform, *, loops: bool = False) -> float:
    """The longest silence, in steps of 50 ms; the whole length for silence throughout.

    Args:
        loops: count a silence at the end and one at the beginning as one.
    """
    levels = _block_levels_db(waveform)
    floor = max(float(np.quantile(levels, 0.9)) + GAP_BELOW_DB, AUDIBLE_DB)
    quiet = levels < floor
    if quiet.all():
        return waveform.seconds
    if loops:
        # From the first block that sounds on, no silence reaches across the end.
        quiet = np.roll(quiet, -int(np.argmin(quiet)))
    longest = current = 0
    for block in quiet:
        current = current + 1 if block else 0
        longest = max(longest, current)
    return longest * BLOCK_SECONDS


def _block_levels_db(waveform: Waveform) -> NDArray[np.float64]:
    """Level of each block of 50 ms, all channels together, `[blocks]`, one or more."""
    block = max(1, round(BLOCK_SECONDS * waveform.sample_rate))
    count = max(1, waveform.frames // block)
    padded = np.zeros((count * block, waveform.channels))
    padded[: min(waveform.frames, count * block)] = waveform.samples[: count * block]
    power = (padded.reshape(count, -1) ** 2).mean(axis=1)
    return power_to_db(power + db_to_power(SILENT_DB))
