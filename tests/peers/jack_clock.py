"""The time of a JACK cycle in `time.perf_counter` seconds."""

from __future__ import annotations

import time
from typing import Any

import cffi


class Clock:
    """The cycle times of one client.

    The `jack` module lacks `jack_get_cycle_times` and `jack_get_time`, so this calls them itself.
    """

    def __init__(self, client: Any) -> None:
        self._ffi = cffi.FFI()
        self._ffi.cdef(
            "int jack_get_cycle_times(void*, uint32_t*, uint64_t*, uint64_t*, float*);"
            "uint64_t jack_get_time(void);"
        )
        self._jack = self._ffi.dlopen("libjack.so.0")
        self._client = self._ffi.cast("void*", client._ptr)
        self._frames, self._now, self._next, self._period = (
            self._ffi.new(f"{kind}*") for kind in ("uint32_t", "uint64_t", "uint64_t", "float")
        )
        # JACK's clock is CLOCK_MONOTONIC_RAW, which is not perf_counter's.
        self._offset_seconds = max(
            time.perf_counter() - self._jack.jack_get_time() / 1e6 for _ in range(100)
        )

    def cycle_seconds(self) -> float:
        """The beginning of the current cycle; for a process callback."""
        failed = self._jack.jack_get_cycle_times(
            self._client, self._frames, self._now, self._next, self._period
        )
        assert not failed
        return float(self._now[0] / 1e6 + self._offset_seconds)
