"""The hotkeys as the daemon sees them: keys move, and a sentence says what works."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from bridge.hotkeys.messages import Chords, HotkeysState, KeyMoved
from bridge.hotkeys.process import run_hotkeys
from bridge.process.kept import KeptChild

EXTRA = "they need a package: pip install 'melody-bridge[hotkeys]'"
WAYLAND = (
    "Wayland gives no program the keys of another: bind commands to keys in the desktop's own "
    "keyboard settings, such as `melody-bridge send hotkey capture`"
)
NO_DISPLAY = (
    "there is no display: start the daemon in a terminal of the desktop, or set DISPLAY; "
    "`melody-bridge send hotkey capture` works without one"
)


class Hotkeys:
    """The hotkeys of this machine. Use it in a running event loop.

    Attributes:
        detail: a sentence about them.
    """

    def __init__(
        self,
        chords: Chords,
        on_moved: Callable[[KeyMoved], None],
        on_change: Callable[[str], None],
    ) -> None:
        """Args:
        on_moved: called in the event loop when the key of an action goes down or up.
        on_change: called in the event loop with each new `detail`.
        """
        self.detail = ""
        self._on_moved, self._on_change = on_moved, on_change
        self._down: set[str] = set()
        self._child = KeptChild(
            run_hotkeys,
            lambda: (dict(chords),),
            name="hotkey process",
            on_message=self._receive,
            on_fault=self._lose,
        )

    @property
    def pid(self) -> int | None:
        """The process id of the hotkey process; None when none runs."""
        return self._child.pid

    def start(self) -> None:
        """Take the hotkeys, and keep them from now on; where that is impossible, say why."""
        if why := impossible():
            self._change(why)
        else:
            self._child.start()

    async def stop(self) -> None:
        """Give the hotkeys back."""
        await self._child.stop()

    def _receive(self, message: Any) -> None:
        match message:
            case KeyMoved(action, is_down):
                (self._down.add if is_down else self._down.discard)(action)
                self._on_moved(message)
            case HotkeysState(False, detail):
                self._lose(detail)
            case HotkeysState(True, detail):
                self._change(detail)

    def _lose(self, detail: str) -> None:
        """Let go what is held: its release will not be seen."""
        for action in tuple(self._down):
            self._receive(KeyMoved(action, False, time.perf_counter()))
        self._change(detail)

    def _change(self, detail: str) -> None:
        if detail != self.detail:
            self.detail = detail
            self._on_change(detail)


def impossible() -> str:
    """Why there can be no hotkeys here, and the remedy; empty where there can."""
    if sys.platform == "linux":
        # XWayland would give the keys of X programs alone, without a word.
        if os.environ.get("WAYLAND_DISPLAY"):
            return WAYLAND
        if not os.environ.get("DISPLAY"):
            return NO_DISPLAY
    package = "Xlib" if sys.platform == "linux" else "pynput"
    return "" if find_spec(package) is not None else EXTRA
