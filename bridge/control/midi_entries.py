"""The entries of a MIDI map at work: each keeps the state of its control, and acts on changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Container
from typing import NamedTuple, Protocol

from bridge.control.midi_map import Action, Entry
from bridge.control.midi_pace import Pace
from bridge.control.midi_touch import Touch
from bridge.control.packets import Argument
from bridge.control.pedal import Gesture, Pedal


class Press(NamedTuple):
    """An action that is due.

    Attributes:
        share: where the control's value is between its lowest and its highest, 0 to 1.
        program: the number of a program change; None for other controls.
        seconds: when the control was touched, on `time.perf_counter`.
    """

    action: Action
    share: float
    program: int | None
    seconds: float


class EntryAtWork(Protocol):
    """One entry with its state. For the event loop's thread."""

    entry: Entry

    def touch(self, touch: Touch, port: str, seconds: float) -> None:
        """Act on a touch of the entry's control."""

    def keep_ports(self, ports: Container[str]) -> None:
        """Release what is held down on other ports: they are gone."""

    def close(self) -> None:
        """Act no more."""


class Button:
    """An entry that sends messages.

    Args:
        perform: called with each press that is due, at the pace of `Pace`.
    """

    def __init__(self, entry: Entry, perform: Callable[[Press], None]) -> None:
        self.entry = entry
        self._pace = Pace(perform)
        self._held: set[tuple[str, int]] = set()
        self._is_on = False

    def touch(self, touch: Touch, port: str, seconds: float) -> None:
        """Act on a touch of the entry's control."""
        trigger, mode = self.entry.trigger, self.entry.mode
        is_inside, source = trigger.has(touch.value), (port, touch.channel)
        was_held = source in self._held
        # A program change has no release. A note without one is played again all the same.
        is_press = is_inside and (not was_held or trigger.kind in ("note", "program"))
        if is_inside:
            self._held.add(source)
        else:
            self._held.discard(source)
        program = touch.number if trigger.kind == "program" else None
        if mode == "follow":
            if is_inside:
                self._offer(self.entry.on, trigger.share(touch.value), program, seconds)
        elif mode == "toggle":
            if is_press:
                self._is_on = not self._is_on
                self._switch(self._is_on, seconds)
        elif is_press:
            share = trigger.share(touch.value) if mode == "press" else 1.0
            self._offer(self.entry.on, share, program, seconds)
        elif mode == "momentary" and was_held and not is_inside:
            self._switch(False, seconds)

    def keep_ports(self, ports: Container[str]) -> None:
        """Release what is held down on other ports."""
        gone = {source for source in self._held if source[0] not in ports}
        self._held -= gone
        if gone and self.entry.mode == "momentary":
            self._switch(False, time.perf_counter())

    def close(self) -> None:
        """Act no more."""
        self._pace.close()

    def _switch(self, is_on: bool, seconds: float) -> None:
        action = self.entry.on if is_on else self.entry.off
        assert action is not None
        self._offer(action, float(is_on), None, seconds)

    def _offer(self, action: Action, share: float, program: int | None, seconds: float) -> None:
        self._pace.offer(Press(action, share, program, seconds))


class PedalAtWork:
    """The entry that is the pedal.

    Args:
        on_gesture: called with each gesture.
        is_playing: returns whether something plays now.
    """

    def __init__(
        self,
        entry: Entry,
        *,
        inverted: bool,
        latching: bool,
        on_gesture: Callable[[Gesture], None],
        is_playing: Callable[[], bool],
    ) -> None:
        self.entry = entry
        self._inverted, self._latching = inverted, latching
        self._on_gesture, self._is_playing = on_gesture, is_playing
        self._pedal = Pedal()
        self._is_down: dict[tuple[str, int], bool] = {}
        self._timer: asyncio.TimerHandle | None = None

    def touch(self, touch: Touch, port: str, seconds: float) -> None:
        """Press or release the pedal."""
        source = (port, touch.channel)
        is_down = self.entry.trigger.has(touch.value) is not self._inverted
        was_down = self._is_down.get(source, None if self._latching else False)
        self._is_down[source] = is_down
        if is_down is was_down:
            return
        if is_down or self._latching:
            self._act(self._pedal.press(seconds, is_playing=self._is_playing()))
        if not is_down or self._latching:
            self._act(self._pedal.release(seconds))
        self._set_timer()

    def keep_ports(self, ports: Container[str]) -> None:
        """Release the pedal, without a gesture, if it is held down on another port."""
        kept = {source: down for source, down in self._is_down.items() if source[0] in ports}
        was_down, self._is_down = any(self._is_down.values()), kept
        if was_down and not any(kept.values()):
            self._pedal.release(time.perf_counter())
            self._set_timer()

    def close(self) -> None:
        """Act no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self) -> None:
        """Wait for the end of a hold, or for nothing."""
        self.close()
        due = self._pedal.hold_due_seconds
        if due is not None:
            wait_seconds = due - time.perf_counter()
            self._timer = asyncio.get_running_loop().call_later(wait_seconds, self._on_time)

    def _on_time(self) -> None:
        self._act(self._pedal.poll(time.perf_counter()))
        self._set_timer()

    def _act(self, gesture: Gesture | None) -> None:
        if gesture is not None:
            self._on_gesture(gesture)


def message_of(press: Press) -> tuple[str, tuple[Argument, ...]]:
    """The address of a press, and its arguments without the id.

    Raises:
        BadArgument: a program change chooses what is not there.
    """
    scale = press.action.scale
    if scale is None:
        return press.action.address, press.action.arguments
    if scale.choices and press.program is not None:
        value = scale.numbered(press.program)
    else:
        value = scale.at(press.share)
    return press.action.address, press.action.with_value(value)
