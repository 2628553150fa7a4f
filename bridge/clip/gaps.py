"""Silences within a sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform, db_to_power, power_to_db

SILENT_DB = -120.0
"""The level of digital silence."""
GAP_BELOW_DB = -40.0
"""A block this far below the 90th percentile of all blocks counts as silent."""
BLOCK_SECONDS = 0.05


def longest_gap_seconds(waveform: Waveform, *, loops: bool = False) -> float:
    """The longest silence, in steps of 50 ms; the whole length for silence throughout.

    Args:
        loops: count a silence at the end and one at the beginning as one.
    """
    levels = block_levels_db(waveform)
    floor = max(np.quantile(levels, 0.9) + GAP_BELOW_DB, SILENT_DB + 20)
    quiet = levels < floor
    if quiet.all():
        return waveform.seconds
    if loops:
        first = int(np.argmin(quiet))
        quiet = np.roll(quiet, -first)
    longest = current = 0
    for block in quiet:
        current = current + 1 if block else 0
        longest = max(longest, current)
    return longest * BLOCK_SECONDS


def block_levels_db(waveform: Waveform) -> NDArray[np.float64]:
    """Level of each block of 50 ms, all channels together, `[blocks]`, one or more."""
    block = max(1, round(BLOCK_SECONDS * waveform.sample_rate))
    count = max(1, waveform.frames // block)
    padded = np.zeros((count * block, waveform.channels))
    padded[: min(waveform.frames, count * block)] = waveform.samples[: count * block]
    power = (padded.reshape(count, -1) ** 2).mean(axis=1)
    return power_to_db(power + db_to_power(SILENT_DB))
