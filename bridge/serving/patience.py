"""How long a client may still be waited for: as long as it takes what is ready fast enough."""

from __future__ import annotations

STALLED_SECONDS = 20.0
"""How long a client may take no audio that is ready for it."""
LEAST_BYTES_PER_SECOND = 2**16
"""A client that takes less of the audio that is ready is given up in the end: it holds the engine.
Stereo has four times as much a second."""


class Patience:
    """A token bucket of seconds: waiting empties it, and audio that is taken fills it.

    Attributes:
        seconds: how long the client may be waited for from now on, `STALLED_SECONDS` at most.
    """

    def __init__(self) -> None:
        self.seconds = STALLED_SECONDS
        self._taken_bytes = 0

    def took(self, size: int) -> None:
        """Count audio that the client has taken, in bytes; `waited` and `renew` see it."""
        self._taken_bytes += size

    def waited(self, seconds: float) -> None:
        """Count a time of waiting, and what was taken in it."""
        # First the time: what is taken at its end must not overflow a bucket that is still full.
        self.seconds -= seconds
        self.renew()

    def renew(self) -> None:
        """Count what was taken meanwhile."""
        earned_seconds = self._taken_bytes / LEAST_BYTES_PER_SECOND
        self.seconds = min(STALLED_SECONDS, self.seconds + earned_seconds)
        self._taken_bytes = 0
