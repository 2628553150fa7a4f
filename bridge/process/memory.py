"""How much memory this process has, as each system reports it."""

from __future__ import annotations

import sys

from bridge.process import windows


def peak_bytes() -> int:
    """The most memory that was resident so far."""
    if sys.platform == "win32":
        return int(windows.memory_counters().peak_working_set_size)
    if sys.platform == "linux":
        # ru_maxrss begins with the parent's; VmHWM is this process's own.
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
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
