"""The memory of this process, in bytes."""

from __future__ import annotations

import numpy as np

from bridge.process import memory

BLOCK_BYTES = 2**27


def test_resident_and_peak_memory_grow_by_what_is_written() -> None:
    before = memory.resident_bytes()
    block = np.ones(BLOCK_BYTES, dtype=np.uint8)
    assert block[-1] == 1
    grown = memory.resident_bytes()
    assert grown - before > 0.9 * BLOCK_BYTES
    # Linux rounds the peak and the current value at different times.
    assert memory.peak_bytes() > 0.99 * grown
    del block
    assert memory.peak_bytes() > before + 0.9 * BLOCK_BYTES
