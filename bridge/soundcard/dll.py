"""When audio was captured, from the uneven times at which callbacks come: a delay-locked loop.

After F. Adriaensen, "Using a DLL to filter time" (Linux Audio Conference 2005): the loop's error e
moves its time by b·e and its period by c·e, with b = √2·ω, c = ω² and ω = 2π·B·period.
"""

from __future__ import annotations

import math

BANDWIDTH_HZ = 0.1
"""B, once it is locked."""
LOST_SECONDS = 0.1
"""A callback that is this late, and a block more, is not late: frames were lost before it."""

_TOLD_LOST_SECONDS = 0.005
"""The same where the driver says that frames were lost; less than this is filtered as jitter."""
_JITTER_SECONDS = 0.005
"""A callback may be further off than this, but not every one; then it is no jitter."""
_OFF_SECONDS = 0.25
_OFF_CALLBACKS = 8
"""For how long, and how many, make "every one"."""
_LARGEST_STEP_SECONDS = 0.002
"""A correction is smaller than what the ring takes for lost frames."""
_LARGEST_DEVIATION = 0.01
"""No device's rate is further from its nominal one."""


class DelayLockedLoop:
    """Filters the times of callbacks.

    The paper starts with a wide bandwidth and narrows it. Here the first measurements are
    averaged, b = 1/n, until √2·ω is more; c is the narrow one from the start, for a device's rate
    is near its nominal one, and would be learned from jitter. An error counts as 5 ms at most: a
    callback that is 20 ms late says little about the clock.

    Attributes:
        losses: how often it found that frames were lost; the time jumped then.
    """

    def __init__(self, sample_rate: float) -> None:
        """Args:
        sample_rate: Hz, nominal.
        """
        self.losses = 0
        self._nominal = self._seconds_per_frame = 1 / sample_rate
        self._seconds: float | None = None
        self._locked_for = 0.0
        self._off = _Off()

    def update(self, seconds: float, frames: int, *, told_lost: bool = False) -> float:
        """The filtered time of a callback, which is that of the frame after its block's last.

        It never runs back. It jumps where frames must have been lost: at a callback that is too
        late for anything else, or after a quarter second in which every callback was late.

        Args:
            seconds: when the callback came, on the clock that the result is to be on.
            frames: how many it brought, positive; may differ from callback to callback.
            told_lost: whether the driver says that frames were lost before these.
        """
        if self._seconds is None:
            return self._lock(seconds)
        period = frames * self._seconds_per_frame
        expected = self._seconds + period
        error = seconds - expected
        self._off.add(error, period)
        if error > (_TOLD_LOST_SECONDS if told_lost else LOST_SECONDS + period):
            self.losses += 1
            return self._lock(seconds)
        if self._off.always:
            if error > 0:
                self.losses += 1
                return self._lock(expected + self._off.least)
            # All early: it was locked to a late one. Time does not jump back; it walks.
            self._locked_for, self._off = 0.0, _Off()
        self._seconds = expected + self._step(error, period)
        return self._seconds

    def _lock(self, seconds: float) -> float:
        """Begin again from here; the rate stays as it was learned."""
        self._seconds = seconds
        self._locked_for, self._off = 0.0, _Off()
        return seconds

    def _step(self, error: float, period: float) -> float:
        """How far the time is moved now; the rate is adjusted too."""
        error = _limited(error, _JITTER_SECONDS)
        omega = math.tau * BANDWIDTH_HZ * period
        self._locked_for += period
        b = min(1.0, max(math.sqrt(2) * omega, period / self._locked_for))
        # In the paper the period moves by c·e; a frame's share of it is c·e / frames.
        c = min(1.0, omega * omega)
        faster = self._seconds_per_frame * (1 + c * error / period) / self._nominal - 1
        self._seconds_per_frame = self._nominal * (1 + _limited(faster, _LARGEST_DEVIATION))
        # A driver may hand out what it has gathered at once; time still goes on.
        return _limited(b * error, min(_LARGEST_STEP_SECONDS, period / 2))


class _Off:
    """For how long every callback has been late, or every one early, and by how much at least.

    Attributes:
        least: the smallest error of them, in seconds; 0 when the last one was usual.
    """

    def __init__(self) -> None:
        self.least = 0.0
        self._seconds = 0.0
        self._callbacks = 0

    def add(self, error: float, period: float) -> None:
        usual = abs(error) < _JITTER_SECONDS
        if usual or error * self.least < 0:
            self.least, self._seconds, self._callbacks = 0.0, 0.0, 0
        if not usual:
            self.least = min(self.least or error, error, key=abs)
            self._seconds += period
            self._callbacks += 1

    @property
    def always(self) -> bool:
        return self._seconds >= _OFF_SECONDS and self._callbacks >= _OFF_CALLBACKS


def _limited(value: float, most: float) -> float:
    return min(most, max(-most, value))
