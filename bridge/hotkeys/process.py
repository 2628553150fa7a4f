"""The hotkey process: takes the hotkeys, and sends their movements to the daemon.

It is apart from the daemon because a library that watches the keyboard may end its process, as
pynput's does on some versions of macOS. A crash costs the hotkeys for a moment, and nothing else.
"""

from __future__ import annotations

import sys
import time

from bridge.hotkeys.messages import Chords, HotkeysState, Keyboard, NoKeyboard
from bridge.process.child import Line
from bridge.process.kept import Stop
from bridge.process.native_stderr import drop_native_stderr

STEP_SECONDS = 0.5
"""How long one wait for the keyboard lasts at most."""
AGAIN_SECONDS = 1.0
"""How often a keyboard that is gone is looked for."""


def run_hotkeys(line: Line, chords: Chords) -> None:
    """Watch the keyboard until the parent sends `Stop`; a target for `KeptChild`."""
    last_step_seconds = time.perf_counter()
    line.start_heartbeat(lambda: last_step_seconds)
    drop_native_stderr()
    keyboard: Keyboard | None = None
    sent: HotkeysState | None = None
    while True:
        last_step_seconds = time.perf_counter()
        try:
            if keyboard is None:
                keyboard = _opened(chords, line.fileno())
            moved = keyboard.wait(STEP_SECONDS)
            state = _state(chords, keyboard)
        except NoKeyboard as error:
            keyboard, moved = None, []
            state = HotkeysState(False, f"{error}; the hotkeys work once it is there")
        # A keyboard that stays away is reported once, whatever each look for it says.
        if state != sent and (sent is None or sent.is_working or state.is_working):
            sent = state
            line.send(state)
        for move in moved:
            line.send(move)
        if isinstance(line.receive(AGAIN_SECONDS if keyboard is None else 0.0), Stop):
            if keyboard is not None:
                keyboard.close()
            return


def _opened(chords: Chords, parent_fileno: int) -> Keyboard:
    """The keyboard of this system.

    Raises:
        NoKeyboard: it cannot be watched.
    """
    if sys.platform == "linux":
        from bridge.hotkeys.x11 import X11Keys

        return X11Keys(chords, parent_fileno)
    from bridge.hotkeys.pynput_keys import PynputKeys

    return PynputKeys(chords, parent_fileno)


def _state(chords: Chords, keyboard: Keyboard) -> HotkeysState:
    refused = keyboard.refused
    working = [f"{action} {chord}" for action, chord in chords.items() if action not in refused]
    sentences = [", ".join(working)] if working else []
    sentences += [f"{action} {chords[action]}: {why}" for action, why in refused.items()]
    return HotkeysState(bool(working), "; ".join(sentences))
