"""Hotkeys of an X server: it gives a grabbed key to this program alone."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Mapping
from itertools import chain, combinations
from math import inf
from typing import Any

from bridge.config.chords import Chord
from bridge.hotkeys.messages import Chords, KeyMoved, NoKeyboard
from bridge.hotkeys.repeats import Repeats

AGAIN_SECONDS = 2.0
"""How often a chord of another program is tried again: that one may have ended."""

_KEYSYMS = {
    **{"space": "space", "enter": "Return", "tab": "Tab", "esc": "Escape"},
    **{"backspace": "BackSpace", "delete": "Delete", "insert": "Insert", "home": "Home"},
    **{"end": "End", "page_up": "Prior", "page_down": "Next", "left": "Left", "right": "Right"},
    **{"up": "Up", "down": "Down", "pause": "Pause", "scroll_lock": "Scroll_Lock"},
    **{"print_screen": "Print", "plus": "plus", "media_play_pause": "XF86_AudioPlay"},
    **{"media_next": "XF86_AudioNext", "media_previous": "XF86_AudioPrev"},
    **{f"f{number}": f"F{number}" for number in range(1, 25)},
}
"""X's names of the named keys."""
_HELD = {"ctrl": ("Control_L",), "shift": ("Shift_L",), "alt": ("Alt_L",), "cmd": ("Super_L",)}
_LOCKS = ("Caps_Lock", "Num_Lock", "Scroll_Lock")
"""Keys whose state must not matter."""
_LATEST = 60.0
"""No event is read so many seconds late: the server's clock has gone back."""
_ANOTHER = "choose another chord"
_UNKNOWN_KEY = f"this keyboard has no such key; {_ANOTHER}"
_TAKEN = f"another program has it; {_ANOTHER}, or change that program's"


class X11Keys:
    """The hotkeys of the X server that `DISPLAY` names."""

    def __init__(self, chords: Chords, parent_fileno: int) -> None:
        """Open the display, and take the chords.

        Args:
            parent_fileno: the line to the parent: `wait` returns when something can be read there.

        Raises:
            NoKeyboard: there is no display.
        """
        from Xlib import XK, X, display, error

        XK.load_keysym_group("xf86")
        self._x, self._xk, self._error = X, XK, error
        self._chords, self._parent_fileno = chords, parent_fileno
        self._refused: dict[str, str] = {}
        self._actions: dict[tuple[int, int], str] = {}
        self._taken: set[tuple[int, int]] = set()
        # A key that is down is known by its code alone: modifiers may be let go before it.
        self._pressed: dict[int, str] = {}
        self._repeats = Repeats()
        self._clock_difference = inf
        self._lost = (error.ConnectionClosedError, OSError)
        try:
            self._display = display.Display()
        except (error.DisplayError, error.XauthError, *self._lost) as problem:
            raise NoKeyboard(f"the display does not open: {_first_line(problem)}") from problem
        # Else python-xlib prints errors of requests that nobody waits for.
        self._display.set_error_handler(lambda problem, request: None)
        self._root = self._display.screen().root
        try:
            self._grab()
        except self._lost as problem:
            raise NoKeyboard("the display is gone") from problem

    @property
    def refused(self) -> Mapping[str, str]:
        """Why the chords of these actions do not work."""
        return self._refused

    def wait(self, seconds: float) -> list[KeyMoved]:
        """Wait for movements of keys for so long, or until the parent sends something.

        Raises:
            NoKeyboard: the display is gone.
        """
        due_seconds = self._repeats.due_seconds
        if due_seconds is not None:
            seconds = min(seconds, max(0.0, due_seconds - time.perf_counter()))
        try:
            if not self._display.pending_events():
                select.select([self._display, self._parent_fileno], [], [], seconds)
            moved = list(self._read())
            if _TAKEN in self._refused.values() and time.perf_counter() >= self._again_seconds:
                self._grab()
        except self._lost as problem:
            raise NoKeyboard("the display is gone") from problem
        # After the events: a repeat that this process was late to read is none the less one.
        return moved + self._repeats.due(time.perf_counter())

    def close(self) -> None:
        """Give the chords back."""
        try:
            self._display.close()
        except self._lost:
            return

    def _read(self) -> Iterator[KeyMoved]:
        while self._display.pending_events():
            event = self._display.next_event()
            match event.type:
                case self._x.KeyPress:
                    action = self._actions.get((event.detail, event.state & self._watched))
                    if action is not None:
                        self._pressed[event.detail] = action
                        yield from self._repeats.down(action, self._seconds(event.time))
                case self._x.KeyRelease:
                    if action := self._pressed.get(event.detail):
                        self._repeats.up(action, self._seconds(event.time))
                case self._x.MappingNotify if event.request != self._x.MappingPointer:
                    if event.request == self._x.MappingKeyboard:
                        self._display.refresh_keyboard_mapping(event)
                    self._grab()

    def _seconds(self, server_milliseconds: int) -> float:
        """The server's time of an event on `time.perf_counter`, however late the event is read.

        The event that was read soonest gives the difference of the two clocks. The server's goes
        back to 0 after 49 days.
        """
        difference = time.perf_counter() - server_milliseconds / 1000
        if difference < self._clock_difference or difference > self._clock_difference + _LATEST:
            self._clock_difference = difference
        return server_milliseconds / 1000 + self._clock_difference

    def _grab(self) -> None:
        """Take all chords that no other program has, and give back what is none any more.

        A chord that is taken already stays so all the time: a key that is pressed meanwhile counts.
        """
        self._again_seconds = time.perf_counter() + AGAIN_SECONDS
        masks = self._masks()
        locks = [masks[name] for name in _LOCKS if name in masks]
        self._watched = 0xFF & ~sum(set(locks))
        before, self._taken = self._taken, set()
        self._actions, self._refused = {}, {}
        for action, chord in self._chords.items():
            key = self._key(chord, masks)
            if key is None:
                self._refused[action] = _UNKNOWN_KEY
            elif key in self._actions:
                self._refused[action] = f"{self._actions[key]} has the same key; {_ANOTHER}"
            elif self._takes(*key, locks):
                self._actions[key] = action
            else:
                self._refused[action] = _TAKEN
        for code, mask in before - self._taken:
            self._root.ungrab_key(code, mask)

    def _takes(self, code: int, mask: int, locks: list[int]) -> bool:
        """Take one chord, whatever the locks are; return whether no other program has it."""
        failed = self._error.CatchError(self._error.BadAccess)
        keys = {(code, mask | lock_mask) for lock_mask in _sums(locks)}
        for key in keys:
            self._root.grab_key(
                *key, False, self._x.GrabModeAsync, self._x.GrabModeAsync, onerror=failed
            )
        self._display.sync()
        if failed.get_error() is None:
            self._taken |= keys
            return True
        for key in keys:
            self._root.ungrab_key(*key)
        return False

    def _masks(self) -> dict[str, int]:
        """The modifier bit of each key that is one, by X's name of the key."""
        names = [*chain(*_HELD.values()), *_LOCKS]
        codes = {name: self._codes(self._xk.string_to_keysym(name)) for name in names}
        masks = {}
        for bit, held in enumerate(self._display.get_modifier_mapping()):
            for name in names:
                if set(codes[name]) & (set(held) - {0}):
                    masks[name] = 1 << bit
        return masks

    def _key(self, chord: Chord, masks: Mapping[str, int]) -> tuple[int, int] | None:
        """The code of a chord's key, and the bits of its modifiers; None: the keyboard lacks one.

        A character that is typed with shift has shift's bit too.
        """
        if len(chord.key) > 1:
            keysym = self._xk.string_to_keysym(_KEYSYMS[chord.key])
        else:
            # X numbers Latin-1 as Unicode does, and other characters from here on.
            keysym = ord(chord.key) + (0x1000000 if ord(chord.key) > 0xFF else 0)
        keys = sorted(self._display.keysym_to_keycodes(keysym), key=lambda key: int(key[1]))
        names = [_HELD[name][0] for name in chord.modifiers]
        if not keys or not all(name in masks for name in names):
            return None
        code, level = keys[0]
        shift = self._x.ShiftMask if level % 2 else 0
        return int(code), sum(masks[name] for name in names) | int(shift)

    def _codes(self, keysym: int) -> list[int]:
        return [int(code) for code, _ in self._display.keysym_to_keycodes(keysym)]


def _sums(masks: list[int]) -> list[int]:
    """The sums of all choices of some masks."""
    distinct = sorted(set(masks))
    choices = chain.from_iterable(combinations(distinct, size) for size in range(len(distinct) + 1))
    return [sum(choice) for choice in choices]


def _first_line(error: Any) -> str:
    return str(error).strip().partition("\n")[0]
