"""How much memory this process has, as each system reports it."""

from __future__ import annotations

import sys

from bridge.process import windows


def peak_bytes() -> int:
    """The most memory that was resident so far."""
    if sys.platform == "win32":
        return int(windows.memory_counters().peak_working_set_size)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident_bytes() -> int:
    """The memory that is resident now; on systems that do not report it, the most so far."""
    if sys.platform == "win32":
        return int(windows.memory_counters().working_set_size)
    import resource

    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        return peak_bytes()
