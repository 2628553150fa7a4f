"""The structures that Windows fills in: their layout on a 64-bit system."""

from __future__ import annotations

import ctypes

import pytest

from bridge.process import windows

pytestmark = pytest.mark.skipif(
    ctypes.sizeof(ctypes.c_void_p) != 8, reason="the sizes are those of a 64-bit system"
)


@pytest.mark.parametrize(
    ("structure", "size_bytes"),
    [(windows.BasicLimits, 64), (windows.ExtendedLimits, 144), (windows.MemoryCounters, 72)],
)
def test_structures_have_the_sizes_of_the_windows_headers(
    structure: type[ctypes.Structure], size_bytes: int
) -> None:
    assert ctypes.sizeof(structure) == size_bytes


def test_the_job_flags_follow_two_64_bit_times() -> None:
    assert windows.BasicLimits.limit_flags.offset == 16
    assert windows.ExtendedLimits.basic.offset == 0


def test_the_peak_working_set_follows_size_and_page_faults() -> None:
    assert windows.MemoryCounters.peak_working_set_size.offset == 8
    assert windows.MemoryCounters.working_set_size.offset == 16
