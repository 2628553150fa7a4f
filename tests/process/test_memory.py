"""The memory of this process, in bytes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

BLOCK_BYTES = 2**27
MEASURED = f"""
import numpy as np
from bridge.process import memory
before = memory.resident_bytes()
block = np.ones({BLOCK_BYTES}, dtype=np.uint8)
grown, peak = memory.resident_bytes(), memory.peak_bytes()
del block
print(before, grown, peak, memory.peak_bytes())
"""
"""In a process of its own: this one may have freed as much before, and get it again."""


def test_resident_and_peak_memory_grow_by_what_is_written() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, check=True)
    before, grown, peak, peak_after = map(int, done.stdout.split())
    assert grown - before > 0.9 * BLOCK_BYTES
    # Linux rounds the peak and the current value at different times.
    assert peak > 0.99 * grown
    assert peak_after > before + 0.9 * BLOCK_BYTES


def test_the_peak_of_a_child_is_not_its_parents() -> None:
    """A child of a large process begins small."""
    ballast = np.ones(50_000_000)
    command = "from bridge.process.memory import peak_bytes; print(peak_bytes())"
    child = subprocess.run([sys.executable, "-c", command], capture_output=True, check=True)
    assert int(child.stdout) < ballast.nbytes
