"""Why nothing is heard, and what a person can do: no input, or one that is silent."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context

from bridge.daemon.snapshot import Snapshot
from bridge.errors import BridgeError
from bridge.soundcard.devices import list_devices
from bridge.soundcard.level import LOWEST_DB
from bridge.soundcard.permission import silence_remedy

SILENT_SECONDS = 3.0
"""After this long an input that gives exact zeros is muted, or not permitted."""
NO_INPUT_SECONDS = 3.0
"""A device may take this long to open."""


class Problems:
    """Watches the input. For the event loop's thread."""

    def __init__(
        self, on_change: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Args:
        on_change: called when the list of devices is there, in the context of the `of` before it.
        clock: returns seconds.
        """
        self._on_change, self._clock = on_change, clock
        self._others: str | None = None
        self._is_listing = False
        self._has_sounded = False
        self._silent_seconds = self._ready_seconds = clock()

    def of(self, snapshot: Snapshot) -> str:
        """The problem of now, in one line; empty when all is well."""
        now = self._clock()
        if snapshot.input.state == "ready":
            self._ready_seconds = now
            # An input that has given a sound is open, though a gate may make zeros of its rests.
            self._has_sounded |= snapshot.level.peak_db > LOWEST_DB
            if self._has_sounded or now - self._silent_seconds < SILENT_SECONDS:
                return ""
            return f"{snapshot.input.device} gives exact silence: {silence_remedy()}"
        self._has_sounded, self._silent_seconds = False, now
        if now - self._ready_seconds < NO_INPUT_SECONDS:
            return ""
        if not self._is_listing:
            self._is_listing = True
            # A thread that ends with the process: PortAudio may take many seconds to answer.
            arguments = (asyncio.get_running_loop(), copy_context())
            threading.Thread(target=self._list, args=arguments, daemon=True).start()
        return f"no input: {self._others or 'looking for one'}"

    def _list(self, loop: asyncio.AbstractEventLoop, context: Context) -> None:
        self._others = _inputs()
        with suppress(RuntimeError):  # The screen has ended.
            # Textual finds its app in the context, which a new thread does not have.
            loop.call_soon_threadsafe(self._on_change, context=context)


def _inputs() -> str:
    """The inputs to choose from, or why there are none."""
    try:
        names = [device.name for device in list_devices() if device.input_channels]
    except BridgeError as error:
        return str(error)
    if not names:
        return "connect a microphone, or play on a MIDI keyboard"
    return f"quit, and name one with --input: {', '.join(names)}"
