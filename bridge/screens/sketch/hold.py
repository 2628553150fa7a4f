"""Hold to record: what a press that lasts means, and the terminals that report its end."""

from __future__ import annotations

from textual import events
from textual.driver import Driver
from textual.message import Message

HOLD_SECONDS = 0.4
"""A press that is held for longer records until it is let go; else until the next press."""
MOUSE = "mouse"
"""The name of a press of the mouse; a key's is its own."""


class Key(events.Key):
    """A key of a terminal that reports event types. Its class's name makes `on_key` its handler.

    Attributes:
        is_repeat: whether the keyboard repeats it because it is held.
        is_release: whether it was let go; the driver sends these as `KeyReleased`.
    """

    def __init__(
        self, key: str, character: str | None, *, is_repeat: bool = False, is_release: bool = False
    ) -> None:
        super().__init__(key, character)
        self.is_repeat, self.is_release = is_repeat, is_release


class KeyReleased(Message):
    """A key was let go.

    Attributes:
        key, character: as of the event of its press.
    """

    def __init__(self, key: str, character: str | None) -> None:
        super().__init__()
        self.key, self.character = key, character


def name_of(event: events.Key | KeyReleased) -> str:
    """The key's name as options have it: its character, else textual's name."""
    character = event.character or ""
    return character if character.isprintable() and character.strip() else event.key


class Hold:
    """The press that began a take, as long as it lasts.

    A terminal that reports no release never ends it: each press then begins or ends a take.
    """

    def __init__(self) -> None:
        self._by = self._take = ""
        self._pressed_seconds = 0.0

    def press(self, by: str, take: str, seconds: float) -> None:
        """Follow a press.

        Args:
            by: the key's name, or `MOUSE`.
            take: the take that it began; empty: it ended one.
            seconds: when it was, on any clock.
        """
        self._by, self._take, self._pressed_seconds = by, take, seconds

    def release(self, by: str, seconds: float) -> str:
        """Follow a release; return the take that it ends, or an empty string.

        Args:
            seconds: when it was, on the clock of the press.
        """
        if by != self._by:
            return ""
        take, self._by, self._take = self._take, "", ""
        return take if seconds - self._pressed_seconds >= HOLD_SECONDS else ""

    def leave(self) -> None:
        """The terminal lost the focus, so that a held key's release goes to another program.

        The take goes on until the next press. The mouse stays with the terminal until it is let go.
        """
        if self._by != MOUSE:
            self._by = self._take = ""


def driver_class() -> type[Driver] | None:
    """The driver that asks the terminal for releases; None: textual's own, which knows of none.

    It rests on private parts of textual. Where one is missing or works otherwise, as on Windows,
    keys toggle.
    """
    try:
        from bridge.screens.sketch.event_types import EventTypeDriver, understands_event_types
    except ImportError:
        return None
    return EventTypeDriver if understands_event_types() else None
