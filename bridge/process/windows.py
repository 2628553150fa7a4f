"""The Windows counterparts of what POSIX does with signals, `nice` and `getrusage`.

The functions run on Windows only; the structures can be checked anywhere.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_int64, c_size_t, c_uint32, c_uint64
from functools import cache
from typing import Any

_EXTENDED_LIMIT_INFORMATION = 9
_KILL_ON_JOB_CLOSE = 0x2000
_BELOW_NORMAL_PRIORITY_CLASS = 0x4000


class BasicLimits(ctypes.Structure):
    """`JOBOBJECT_BASIC_LIMIT_INFORMATION`."""

    _fields_ = (
        ("per_process_user_time_limit", c_int64),
        ("per_job_user_time_limit", c_int64),
        ("limit_flags", c_uint32),
        ("minimum_working_set_size", c_size_t),
        ("maximum_working_set_size", c_size_t),
        ("active_process_limit", c_uint32),
        ("affinity", c_size_t),
        ("priority_class", c_uint32),
        ("scheduling_class", c_uint32),
    )


class ExtendedLimits(ctypes.Structure):
    """`JOBOBJECT_EXTENDED_LIMIT_INFORMATION`."""

    _fields_ = (
        ("basic", BasicLimits),
        ("io_counters", c_uint64 * 6),
        ("process_memory_limit", c_size_t),
        ("job_memory_limit", c_size_t),
        ("peak_process_memory_used", c_size_t),
        ("peak_job_memory_used", c_size_t),
    )


class MemoryCounters(ctypes.Structure):
    """`PROCESS_MEMORY_COUNTERS`; the sizes are bytes."""

    _fields_ = (
        ("cb", c_uint32),
        ("page_fault_count", c_uint32),
        ("peak_working_set_size", c_size_t),
        ("working_set_size", c_size_t),
        ("quota_peak_paged_pool_usage", c_size_t),
        ("quota_paged_pool_usage", c_size_t),
        ("quota_peak_non_paged_pool_usage", c_size_t),
        ("quota_non_paged_pool_usage", c_size_t),
        ("pagefile_usage", c_size_t),
        ("peak_pagefile_usage", c_size_t),
    )


def kill_with_this_process(process_handle: int) -> None:
    """Have Windows kill another process when this one ends, however it ends.

    The process joins a job object of this one. Windows closes the job's only handle when this
    process is gone, and kills the job's members. Where the job cannot be made, nothing happens.
    """
    _kernel32().AssignProcessToJobObject(ctypes.c_void_p(_job()), ctypes.c_void_p(process_handle))


@contextmanager
def ctrl_c_ignored() -> Iterator[None]:
    """Ctrl-C does nothing inside; a process that is started inside ignores it for good.

    Windows passes the setting on to child processes. It does not keep a Ctrl-C for later.
    """
    _kernel32().SetConsoleCtrlHandler(None, True)
    try:
        yield
    finally:
        _kernel32().SetConsoleCtrlHandler(None, False)


def lower_priority() -> None:
    """Run this process below normal priority."""
    _kernel32().SetPriorityClass(_this_process(), _BELOW_NORMAL_PRIORITY_CLASS)


def memory_counters() -> MemoryCounters:
    """The memory of this process."""
    counters = MemoryCounters(cb=ctypes.sizeof(MemoryCounters))
    _kernel32().K32GetProcessMemoryInfo(_this_process(), ctypes.byref(counters), counters.cb)
    return counters


@cache
def _job() -> int | None:
    """A job object that lasts as long as this process."""
    kernel32 = _kernel32()
    kernel32.CreateJobObjectW.restype = ctypes.c_void_p
    job: int | None = kernel32.CreateJobObjectW(None, None)
    limits = ExtendedLimits(basic=BasicLimits(limit_flags=_KILL_ON_JOB_CLOSE))
    kernel32.SetInformationJobObject(
        ctypes.c_void_p(job),
        _EXTENDED_LIMIT_INFORMATION,
        ctypes.byref(limits),
        ctypes.sizeof(limits),
    )
    return job


def _this_process() -> ctypes.c_void_p:
    """The pseudo handle of the calling process, as `GetCurrentProcess` returns it."""
    return ctypes.c_void_p(-1)


@cache
def _kernel32() -> Any:
    if sys.platform != "win32":
        raise NotImplementedError("needs Windows")
    return ctypes.WinDLL("kernel32", use_last_error=True)
