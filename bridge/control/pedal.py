"""The one button of a looper: presses and releases become taps, double taps and holds.

It reads no clock and sends nothing. A tap counts when the button goes down, so that nobody waits
to learn whether a second tap follows; a double tap then revokes what its first tap began.
"""

from __future__ import annotations

from enum import Enum

DOUBLE_TAP_SECONDS = 0.35
"""A press this soon after a tap makes it a double tap, as on looper pedals."""
HOLD_SECONDS = 1.0
"""How long a hold lasts while something plays."""
HOLD_STOPPED_SECONDS = 2.0
"""How long a hold lasts while nothing plays: it clears, so it takes longer."""
BOUNCE_SECONDS = 0.03
"""A press this soon after a release is the same press: the switch's contacts bounce."""


class Gesture(Enum):
    """What a person did with the pedal.

    A `DOUBLE_TAP` or a `HOLD` comes after a `TAP`, and replaces it: what the tap began is revoked.
    """

    TAP = "tap"
    DOUBLE_TAP = "double tap"
    HOLD = "hold"


class Pedal:
    """The state of one pedal. All times are seconds of one clock, and never go back."""

    def __init__(self) -> None:
        self._is_down = False
        self._pressed_seconds = 0.0
        self._released_seconds: float | None = None
        self._hold_seconds: float | None = None
        self._tap_seconds: float | None = None

    @property
    def hold_due_seconds(self) -> float | None:
        """When the press becomes a hold; None: it cannot."""
        if not self._is_down or self._hold_seconds is None:
            return None
        return self._pressed_seconds + self._hold_seconds

    def press(self, seconds: float, *, is_playing: bool) -> Gesture | None:
        """The pedal goes down.

        Args:
            is_playing: whether something plays, which decides how long a hold lasts.

        Returns:
            `TAP` or `DOUBLE_TAP`; None: it is down already, or bounces.
        """
        if self._is_down:
            return None
        self._is_down = True
        released = self._released_seconds
        if released is not None and seconds - released < BOUNCE_SECONDS:
            return None
        self._pressed_seconds = seconds
        if self._tap_seconds is not None and seconds - self._tap_seconds <= DOUBLE_TAP_SECONDS:
            self._tap_seconds = self._hold_seconds = None
            return Gesture.DOUBLE_TAP
        self._tap_seconds = seconds
        self._hold_seconds = HOLD_SECONDS if is_playing else HOLD_STOPPED_SECONDS
        return Gesture.TAP

    def release(self, seconds: float) -> Gesture | None:
        """The pedal goes up.

        Returns:
            `HOLD`, if the press was long enough and nobody has polled it since.
        """
        gesture = self.poll(seconds)
        if self._is_down:
            self._is_down, self._released_seconds = False, seconds
        return gesture

    def poll(self, seconds: float) -> Gesture | None:
        """Return `HOLD` once, when the press has lasted long enough."""
        due = self.hold_due_seconds
        if due is None or seconds < due:
            return None
        self._hold_seconds = None
        return Gesture.HOLD
