"""Capture times of audio from the uneven times of its callbacks: a delay-locked loop.

After F. Adriaensen, "Using a DLL to filter time" (Linux Audio Conference 2005): the loop's error e
moves its time by b·e and its period by c·e, with b = √2·ω, c = ω² and ω = 2π·B·period.
"""

from __future__ import annotations

import math

BANDWIDTH_HZ = 0.1
"""B, once the loop is locked."""
LOSS_SECONDS = 0.1
"""A callback that is late by more than this and a block shows that frames were lost before it."""

_REPORTED_LOSS_SECONDS = 0.005
"""The same when the driver reports lost frames; less than this is filtered as jitter."""
_JITTER_SECONDS = 0.005
"""Largest usual error of a callback. Single ones may exceed it; if all do, it is no jitter."""
_PERSISTENT_SECONDS = 0.25
_PERSISTENT_CALLBACKS = 8
"""How long, and for how many callbacks, all errors must exceed the jitter."""
_LARGEST_STEP_SECONDS = 0.002
"""Largest correction: smaller than a gap that the ring counts as lost frames."""
_LARGEST_DEVIATION = 0.01
"""Largest deviation of a device's rate from the nominal one, as a ratio."""


class DelayLockedLoop:
    """Filters the times of callbacks.

    The paper starts with a wide bandwidth and narrows it. Here the first measurements are
    averaged, b = 1/n, until √2·ω is larger. c is the narrow one from the start: a device's rate is
    near its nominal one, and a wide c would follow the jitter. An error counts as 5 ms at most: a
    callback that is 20 ms late says little about the clock.

    Attributes:
        losses: how often it found that frames were lost; each time, the filtered time jumped.
    """

    def __init__(self, sample_rate: float) -> None:
        """Args:
        sample_rate: Hz, nominal.
        """
        self.losses = 0
        self._nominal = self._seconds_per_frame = 1 / sample_rate
        self._seconds: float | None = None
        self._locked_for = 0.0
        self._persistent_error = _PersistentError()

    @property
    def seconds_per_frame(self) -> float:
        """The duration of a frame as measured so far."""
        return self._seconds_per_frame

    def update(self, seconds: float, frames: int, *, frames_lost: bool = False) -> float:
        """Filter the time of a callback: the time of the frame after its block's last.

        The result never runs backwards. It jumps forward where frames must have been lost: at a
        callback that is too late for jitter, or after a quarter second of late callbacks only.

        Args:
            seconds: when the callback came; the result is on the same clock.
            frames: the callback's frames, positive; may differ from callback to callback.
            frames_lost: whether the driver reports lost frames before these.
        """
        if self._seconds is None:
            return self._lock(seconds)
        period = frames * self._seconds_per_frame
        expected = self._seconds + period
        error = seconds - expected
        self._persistent_error.add(error, period)
        if error > (_REPORTED_LOSS_SECONDS if frames_lost else LOSS_SECONDS + period):
            self.losses += 1
            return self._lock(seconds)
        if self._persistent_error.is_certain:
            if error > 0:
                self.losses += 1
                return self._lock(expected + self._persistent_error.smallest)
            # All are early: the loop locked to a late one. It must not jump back, so it slows down.
            self._locked_for, self._persistent_error = 0.0, _PersistentError()
        self._seconds = expected + self._step(error, period)
        return self._seconds

    def _lock(self, seconds: float) -> float:
        """Lock again at this time; the learned rate stays."""
        self._seconds = seconds
        self._locked_for, self._persistent_error = 0.0, _PersistentError()
        return seconds

    def _step(self, error: float, period: float) -> float:
        """Adjust the rate; return the correction of the time."""
        error = _clamped(error, _JITTER_SECONDS)
        omega = math.tau * BANDWIDTH_HZ * period
        self._locked_for += period
        b = min(1.0, max(math.sqrt(2) * omega, period / self._locked_for))
        # In the paper the period moves by c·e, which is c·e / frames for each frame.
        c = min(1.0, omega * omega)
        rate_change = self._seconds_per_frame * (1 + c * error / period) / self._nominal - 1
        self._seconds_per_frame = self._nominal * (1 + _clamped(rate_change, _LARGEST_DEVIATION))
        # A driver may deliver several blocks at once; the time still moves forward.
        return _clamped(b * error, min(_LARGEST_STEP_SECONDS, period / 2))


class _PersistentError:
    """Tracks whether all recent callbacks were late, or all early, and by how much at least.

    Attributes:
        smallest: the smallest of their errors, in seconds; 0 when the last one was jitter.
    """

    def __init__(self) -> None:
        self.smallest = 0.0
        self._seconds = 0.0
        self._callbacks = 0

    def add(self, error: float, period: float) -> None:
        is_jitter = abs(error) < _JITTER_SECONDS
        if is_jitter or error * self.smallest < 0:
            self.smallest, self._seconds, self._callbacks = 0.0, 0.0, 0
        if not is_jitter:
            self.smallest = min(self.smallest or error, error, key=abs)
            self._seconds += period
            self._callbacks += 1

    @property
    def is_certain(self) -> bool:
        return self._seconds >= _PERSISTENT_SECONDS and self._callbacks >= _PERSISTENT_CALLBACKS


def _clamped(value: float, limit: float) -> float:
    return min(limit, max(-limit, value))
