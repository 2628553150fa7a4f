"""Leaves out the repeats of a key that is held down."""

from __future__ import annotations

from bridge.hotkeys.messages import KeyMoved

DEBOUNCE_SECONDS = 0.08
"""A key that goes down again so soon after it went up was held all the time: an X server repeats
a held key as pairs of up and down, and so do some keyboards."""


class Repeats:
    """Filters the movements of keys. Times are `time.perf_counter` seconds."""

    def __init__(self) -> None:
        # The keys that are down, and when each went up last; None: it did not.
        self._down: dict[str, float | None] = {}

    @property
    def due_seconds(self) -> float | None:
        """When the next release counts as one; None: none waits."""
        return min(
            (went_up + DEBOUNCE_SECONDS for went_up in self._down.values() if went_up is not None),
            default=None,
        )

    def down(self, action: str, seconds: float) -> list[KeyMoved]:
        """Take in that a key went down."""
        moved = self.due(seconds)
        is_repeat = action in self._down
        self._down[action] = None
        return moved if is_repeat else [*moved, KeyMoved(action, True, seconds)]

    def up(self, action: str, seconds: float) -> None:
        """Take in that a key went up: `due` says when it is sure."""
        if action in self._down:
            self._down[action] = seconds

    def due(self, now_seconds: float) -> list[KeyMoved]:
        """The releases that are sure by now, with the time at which the key went up."""
        moved = [
            KeyMoved(action, False, went_up)
            for action, went_up in self._down.items()
            if went_up is not None and now_seconds >= went_up + DEBOUNCE_SECONDS
        ]
        for each in moved:
            del self._down[each.action]
        return moved
