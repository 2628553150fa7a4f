"""Hotkeys by pynput, on macOS and Windows: keys are watched, and reach the other program too."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from typing import Any

from bridge.config.chords import MODIFIERS
from bridge.hotkeys.messages import Chords, KeyMoved, NoKeyboard
from bridge.hotkeys.repeats import Repeats

NOT_TRUSTED = (
    "macOS lets this program watch no keys: in System Settings, Privacy & Security, allow the "
    "terminal under Accessibility and under Input Monitoring, and start again"
)
MOST_WAITING = 256
"""Movements that wait to be read; more are dropped."""
_POLL_SECONDS = 0.02


class PynputKeys:
    """The hotkeys of the system that pynput knows."""

    def __init__(self, chords: Chords, parent_fileno: int) -> None:
        """Watch the keyboard.

        Raises:
            NoKeyboard: the system does not permit it.
        """
        try:
            from pynput import keyboard
        except ImportError as error:
            raise NoKeyboard(
                f"pynput does not start: {str(error).partition(chr(10))[0]}"
            ) from error
        self._keyboard, self._chords = keyboard, chords
        self._held: set[str] = set()
        # By the key's own number: when it goes up, its character may be another one.
        self._pressed: dict[object, str] = {}
        self._repeats = Repeats()
        self._moves: SimpleQueue[tuple[str, object, bool, float]] = SimpleQueue()
        self._listener = keyboard.Listener(
            on_press=lambda key: self._move(key, True),
            on_release=lambda key: self._move(key, False),
        )
        self._listener.start()
        self._listener.wait()
        if sys.platform == "darwin" and not getattr(self._listener, "IS_TRUSTED", True):
            self.close()
            raise NoKeyboard(NOT_TRUSTED)

    @property
    def refused(self) -> Mapping[str, str]:
        """Nothing: pynput shares all keys."""
        return {}

    def wait(self, seconds: float) -> list[KeyMoved]:
        """Wait for movements of keys, for a moment.

        Raises:
            NoKeyboard: the listener has ended.
        """
        # `running` stays true when the listener's thread dies.
        if not self._listener.is_alive():
            raise NoKeyboard("the keyboard is watched no more")
        moved: list[KeyMoved] = []
        try:
            move = self._moves.get(timeout=min(seconds, _POLL_SECONDS))
            while True:
                moved += self._moved(*move)
                move = self._moves.get_nowait()
        except Empty:
            return moved + self._repeats.due(time.perf_counter())

    def close(self) -> None:
        """Watch no more."""
        self._listener.stop()

    def _move(self, key: Any, is_down: bool) -> None:
        """Take in a movement, in the listener's thread."""
        name = self._name(key)
        if name and self._moves.qsize() < MOST_WAITING:
            number = getattr(key, "vk", None) or name
            self._moves.put((name, number, is_down, time.perf_counter()))

    def _name(self, key: Any) -> str:
        """The name that chords use; empty: it has none."""
        if key is None:
            return ""
        if isinstance(key, self._keyboard.Key):
            name = str(key.name)
            # Left and right are one, as in `cmd_r`.
            base = name.removesuffix("_l").removesuffix("_r").removesuffix("_gr")
            return base if base in MODIFIERS else name
        # Without what the modifiers make of the character.
        character = self._listener.canonical(key).char or ""
        return str(character).lower()

    def _moved(self, name: str, number: object, is_down: bool, seconds: float) -> list[KeyMoved]:
        if name in MODIFIERS:
            (self._held.add if is_down else self._held.discard)(name)
            return []
        if not is_down:
            if action := self._pressed.pop(number, ""):
                self._repeats.up(action, seconds)
            return []
        # Shift may be what such a character is typed with.
        free = {"shift"} if len(name) == 1 and not name.isalnum() else set()
        for action, chord in self._chords.items():
            is_key = chord.key == ("plus" if name == "+" else name)
            if is_key and chord.modifiers | free == self._held | free:
                self._pressed[number] = action
                return self._repeats.down(action, seconds)
        return []
