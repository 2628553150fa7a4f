"""When JACK's cycle began, for a callback in it.

JACK calls a program after those that play into it. So a stream that records a host's outputs is
called after the host's work of the cycle: milliseconds late on a busy machine, while its sound
still belongs to the cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

HOST_API = "JACK Audio Connection Kit"
"""PortAudio's name of JACK."""
_CLIENT = "Melody Bridge input"


@contextmanager
def cycle_age(host_api: str) -> Iterator[Callable[[], float]]:
    """A function that returns the seconds since JACK's current cycle began.

    It returns 0 where this is not known: without JACK, without the extra `jack`, or when no server
    runs. Its client has no ports and is never activated, so that it has no part in the cycles.

    Args:
        host_api: the device's, as in `devices.Device`.
    """
    client = _client() if host_api == HOST_API else None
    if client is None:
        yield lambda: 0.0
        return
    sample_rate, period = client.samplerate, client.blocksize

    def age_seconds() -> float:
        # Both are numbers of 32 bits, which begin at 0 again after 27 hours.
        frames = (client.frame_time - client.last_frame_time) % 2**32
        # A cycle that is over says nothing about the one that the caller is in.
        return float(frames / sample_rate) if frames < period else 0.0

    try:
        yield age_seconds
    finally:
        client.close()


def _client() -> Any:
    try:
        import jack
    except (ImportError, OSError):
        return None
    try:
        return jack.Client(_CLIENT, no_start_server=True)
    except jack.JackError:
        return None
