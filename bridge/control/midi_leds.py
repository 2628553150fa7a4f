"""The lights of a MIDI controller: each shows what became of the last press of its pad."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

from bridge.control.midi_map import Entry, LedSettings, LedState
from bridge.events import CaptureChanged, ClockChanged, Done, Event, Failed, LoopChanged, Progress

BLINK_HZ = 2.0
"""How often a light that blinks goes on."""
_NOTE_ON, _CC = 0x90, 0xB0

_Work = Literal["begun", "recording", "rendering", "looping"]


class Leds:
    """The lights of a map's entries. For the event loop's thread.

    Args:
        entries: of the map; an entry is named by its position in it.
        send: sends one MIDI message; never waits.
        is_playing: whether the clock plays now.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        settings: LedSettings,
        send: Callable[[bytes], None],
        *,
        is_playing: bool = False,
    ) -> None:
        self._settings, self._send = settings, send
        self._addresses = {
            index: _address(entry, settings.channel)
            for index, entry in enumerate(entries)
            if entry.led is not None
        }
        self._work: dict[str, tuple[int, _Work]] = {}
        self._is_playing = is_playing
        self._is_bright = True
        self._shown: dict[int, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def light_up(self) -> None:
        """Send the controller's sysex, and every light: to a controller that is new or back."""
        if self._settings.init and self._addresses:
            self._send(self._settings.init)
        self._shown.clear()
        self._show()

    def begun(self, id: str, index: int) -> None:
        """The entry at that position begins a request."""
        if index in self._addresses:
            self._work[id] = (index, "begun")

    def apply(self, event: Event) -> None:
        """Show what an event says of a request that an entry began, or of the clock."""
        match event:
            case CaptureChanged(id, "waiting" | "recording"):
                self._works(id, "recording")
            case Progress(id):
                self._works(id, "rendering")
            case LoopChanged():
                self._show_loop(event)
            case Done(id) | Failed(id):
                if self._work.pop(id, None) is not None:
                    self._show()
            case ClockChanged():
                self._is_playing = event.is_playing
                self._show()

    def close(self) -> None:
        """Switch every light off."""
        if self._timer is not None:
            self._timer.cancel()
        for index in self._addresses:
            self._set(index, self._settings.values.get("off", 0))
        self._addresses = {}

    def _show_loop(self, loop: LoopChanged) -> None:
        """Show a loop that an entry began; one that sounds takes all the time."""
        if loop.coming in ("rendering", "queued", "slipped"):
            self._works(loop.id, "rendering")
        elif loop.sounding != "off":
            self._works(loop.id, "looping")
        elif loop.coming in ("armed", "capturing"):
            self._works(loop.id, "recording")
        elif self._work.pop(loop.id, None) is not None:
            self._show()

    def _works(self, id: str, work: _Work) -> None:
        if id in self._work and self._work[id][1] != work:
            self._work[id] = (self._work[id][0], work)
            self._show()

    def _state(self, index: int) -> LedState:
        work = {work for owner, work in self._work.values() if owner == index}
        if "recording" in work:
            return "recording"
        if "rendering" in work:
            return "rendering"
        plays = self._is_playing or "looping" in work
        return "playing" if plays and "playing" in self._settings.values else "ready"

    def _show(self) -> None:
        values, blinks = self._settings.values, False
        off = values.get("off", 0)
        for index in self._addresses:
            state = self._state(index)
            is_blinking = state == "rendering" and self._settings.blink
            blinks = blinks or is_blinking
            self._set(index, off if is_blinking and not self._is_bright else values.get(state, off))
        if blinks and self._timer is None:
            half_seconds = 0.5 / BLINK_HZ
            self._timer = asyncio.get_running_loop().call_later(half_seconds, self._blink)
        elif not blinks:
            self._is_bright = True

    def _blink(self) -> None:
        self._timer = None
        self._is_bright = not self._is_bright
        self._show()

    def _set(self, index: int, value: int) -> None:
        """Send a light's value, if it has changed."""
        if self._shown.get(index) != value:
            self._shown[index] = value
            self._send(bytes((*self._addresses[index], value)))


def _address(entry: Entry, channel: int) -> tuple[int, int]:
    """The status byte and the number of an entry's light."""
    assert entry.led is not None
    status = _CC if entry.trigger.kind == "cc" else _NOTE_ON
    return status | (entry.trigger.channel or channel) - 1, entry.led
