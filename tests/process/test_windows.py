"""The calls to Windows, recorded, and the layout of its structures on a 64-bit system."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from unittest.mock import MagicMock

import pytest

from bridge.process import windows

JOB = 0x1234
on_64_bits = pytest.mark.skipif(
    ctypes.sizeof(ctypes.c_void_p) != 8, reason="the sizes are those of a 64-bit system"
)


@pytest.fixture
def kernel32(monkeypatch: pytest.MonkeyPatch) -> Iterator[MagicMock]:
    """Takes the place of the system's library, and records the calls."""
    library = MagicMock()
    library.CreateJobObjectW.return_value = JOB
    monkeypatch.setattr(windows, "_kernel32", lambda: library)
    windows._job.cache_clear()
    yield library
    windows._job.cache_clear()


def test_all_children_join_one_job_that_kills_them_when_its_handle_closes(
    kernel32: MagicMock,
) -> None:
    flags = []

    def set_information(job: ctypes.c_void_p, kind: int, limits: object, size: int) -> None:
        assert (job.value, kind, size) == (JOB, 9, ctypes.sizeof(windows.ExtendedLimits))
        flags.append(limits._obj.basic.limit_flags)  # type: ignore[attr-defined]

    kernel32.SetInformationJobObject.side_effect = set_information
    for handle in (7, 8):
        windows.kill_with_this_process(handle)
    assert flags == [0x2000]
    calls = kernel32.AssignProcessToJobObject.call_args_list
    assert [tuple(one.value for one in call.args) for call in calls] == [(JOB, 7), (JOB, 8)]


def test_ctrl_c_works_again_after_an_error(kernel32: MagicMock) -> None:
    with pytest.raises(OSError, match="no process"), windows.ctrl_c_ignored():
        assert kernel32.SetConsoleCtrlHandler.call_args.args == (None, True)
        raise OSError("no process")
    assert kernel32.SetConsoleCtrlHandler.call_args.args == (None, False)


@on_64_bits
@pytest.mark.parametrize(
    ("structure", "size_bytes"),
    [(windows.BasicLimits, 64), (windows.ExtendedLimits, 144), (windows.MemoryCounters, 72)],
)
def test_structures_have_the_sizes_of_the_windows_headers(
    structure: type[ctypes.Structure], size_bytes: int
) -> None:
    assert ctypes.sizeof(structure) == size_bytes


@on_64_bits
def test_the_job_flags_follow_two_64_bit_times() -> None:
    assert windows.BasicLimits.limit_flags.offset == 16
    assert windows.ExtendedLimits.basic.offset == 0


@on_64_bits
def test_the_peak_working_set_follows_size_and_page_faults() -> None:
    assert windows.MemoryCounters.peak_working_set_size.offset == 8
    assert windows.MemoryCounters.working_set_size.offset == 16
