"""What the hotkey process sends, and what it needs of the part that watches the keyboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bridge.config.chords import Chord

Chords = Mapping[str, Chord]
"""The chord of each action, by the action's name."""


@dataclass(frozen=True)
class KeyMoved:
    """The key of an action went down, or up; repeats of a held key are left out.

    Attributes:
        seconds: when, on `time.perf_counter`.
    """

    action: str
    is_down: bool
    seconds: float


@dataclass(frozen=True)
class HotkeysState:
    """Sent whenever it changes.

    Attributes:
        is_working: whether any hotkey works.
        detail: a sentence for people; names the chords that do not work, and the remedy.
    """

    is_working: bool
    detail: str


class NoKeyboard(Exception):
    """The keyboard cannot be watched, for now; the message says why, and the remedy."""


class Keyboard(Protocol):
    """Watches the keyboard for chords, once it is open."""

    @property
    def refused(self) -> Mapping[str, str]:
        """Why the chords of these actions do not work."""

    def wait(self, seconds: float) -> list[KeyMoved]:
        """Wait for movements of keys for so long, or until the parent sends something.

        Raises:
            NoKeyboard: it is gone.
        """

    def close(self) -> None:
        """Watch no more."""
