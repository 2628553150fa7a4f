"""MIDI as a `Control`: a map turns what is played into commands, and lights show their progress.

It opens no port: the daemon gives it the messages, and a function that sends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bridge.commands import Command
from bridge.config.presets import preset_names
from bridge.control.addresses import NO_ID, read_command, request_id
from bridge.control.control import OnCommand
from bridge.control.midi_entries import Button, EntryAtWork, PedalAtWork, Press, message_of
from bridge.control.midi_leds import Leds
from bridge.control.midi_map import PEDAL, Action, LedSettings, MidiMap
from bridge.control.midi_map_file import load_map, user_map_path
from bridge.control.midi_touch import DATA_CCS, Kind, ParameterSequences, Touch, read_touch
from bridge.control.packets import Argument
from bridge.control.pedal import Gesture
from bridge.errors import BadArgument, BridgeError, Internal
from bridge.events import (
    ClockChanged,
    DefaultsChanged,
    Event,
    Failed,
    LoopChanged,
    MidiPortsChanged,
    OutputChanged,
    Remark,
)
from bridge.midi import MidiMessage
from bridge.process.tasks import keep_running

CLIENT = "midi"
"""The client in the ids of its requests: a clip follows the melody that it captured last."""
LOOP = f"{CLIENT}-loop"
"""The id of the loop that the pedal and all pads play."""
LOOPS = "/bridge/loop/"
LOOP_START = f"{LOOPS}start"
WATCH_SECONDS = 1.0
"""How often the map's file is looked at: what was just learned works without a restart."""

_Version = tuple[int, int, int]

_log = logging.getLogger(__name__)


class MidiControl:
    """MIDI as a `Control`.

    Args:
        map_path: the map's file; None: the user's own, or the default map.
        bars: how many the pedal takes, until `/bridge/set` sets another number.
        on_event: publishes an event, here too; called with `Failed` for each refused command.
        send: sends one MIDI message to the controller's lights; never waits.
    """

    def __init__(
        self,
        map_path: Path | None,
        *,
        bars: int,
        on_event: Callable[[Event], None],
        send: Callable[[bytes], None],
    ) -> None:
        self._map_path, self._on_event, self._send = map_path, on_event, send
        self._path = map_path or user_map_path()
        self._configured_bars = self._bars = bars
        self._is_playing = self._has_output = False
        self._loop: LoopChanged | None = None
        self._count = 0
        self._newest: dict[str, str] = {}
        self._tapped: tuple[str, ...] = ()
        self._sequences = ParameterSequences()
        self._entries: dict[tuple[Kind, int | None], list[EntryAtWork]] = defaultdict(list)
        self._leds = Leds((), LedSettings(), send)
        self._watching: asyncio.Task[None] | None = None
        self._outputs: tuple[str, ...] = ()
        self._on_command: OnCommand = _ignore

    async def start(self, on_command: OnCommand) -> None:
        """Read the map, and begin to act on messages.

        Raises:
            UnreadableFile: the map holds a mistake, or a file that was named cannot be read.
        """
        version = await asyncio.to_thread(_version, self._path)
        midi_map = await asyncio.to_thread(_read_map, self._map_path)
        self._on_command = on_command
        self._use(midi_map)
        self._watching = keep_running("watching the MIDI map", partial(self._watch, version))

    def received(self, messages: Sequence[MidiMessage]) -> None:
        """Act on messages, in their order. Those that no entry names are ignored."""
        for message in messages:
            touch = read_touch(message.data)
            if touch is None:
                continue
            # The data of an NRPN is no control of its own, though its CC may be mapped.
            if self._sequences.is_part(message, touch) and touch.number in DATA_CCS:
                continue
            for one in self._entries_for(touch, message.port):
                one.touch(touch, message.port, message.seconds)

    def is_mapped(self, message: MidiMessage) -> bool:
        """Whether an entry of the map names that message: then a note is a command, no melody."""
        touch = read_touch(message.data)
        return touch is not None and bool(self._entries_for(touch, message.port))

    def publish(self, event: Event) -> None:
        """Show an event by the lights, and keep what the pedal needs to know."""
        match event:
            case DefaultsChanged(settings):
                self._bars = settings.get("bars") or self._configured_bars
            case ClockChanged():
                self._is_playing = event.is_playing
            case OutputChanged(state):
                self._has_output = state != "none"
            case LoopChanged(id) if id == LOOP:
                self._loop = event
            case MidiPortsChanged():
                self._ports_changed(event)
        self._leds.apply(event)

    def answer(self, event: Event) -> None:
        """Ignore it: no request of this control is sent again."""

    async def close(self) -> None:
        """Act no more, and switch the lights off."""
        if self._watching is not None:
            self._watching.cancel()
        self._use_none()

    async def _watch(self, version: _Version | None) -> None:
        """Use the map again whenever its file has changed."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            newest = await asyncio.to_thread(_version, self._path)
            if newest == version:
                continue
            version = newest
            try:
                self._use(await asyncio.to_thread(_read_map, self._map_path))
                _log.info("the MIDI map was read again")
            except BridgeError as error:
                self._on_event(Remark(NO_ID, f"{error}; the earlier map is still in use"))

    def _use(self, midi_map: MidiMap) -> None:
        """Act on a map from now on. What is held down is released first, by the earlier map."""
        for entries in self._entries.values():
            for one in entries:
                one.keep_ports(())
        self._use_none()
        self._leds = Leds(midi_map.entries, midi_map.led, self._send, is_playing=self._is_playing)
        for index, entry in enumerate(midi_map.entries):
            self._entries[entry.trigger.kind, entry.trigger.number].append(
                self._at_work(index, midi_map)
            )
        if self._outputs:
            self._leds.light_up()

    def _use_none(self) -> None:
        """Act no more, and switch the lights off."""
        for entries in self._entries.values():
            for one in entries:
                one.close()
        self._entries.clear()
        self._leds.close()

    def _entries_for(self, touch: Touch, port: str) -> Sequence[EntryAtWork]:
        """The entries of a control; those of any program only where its number has none."""
        for number in (touch.number, None):
            entries = self._entries.get((touch.kind, number), ())
            if found := [one for one in entries if one.entry.trigger.is_at(touch, port)]:
                return found
        return ()

    def _at_work(self, index: int, midi_map: MidiMap) -> EntryAtWork:
        entry, pedal = midi_map.entries[index], midi_map.pedal
        if entry.on.address != PEDAL:
            return Button(entry, partial(self._perform, index))
        return PedalAtWork(
            entry,
            inverted=pedal.inverted,
            latching=pedal.latching,
            on_gesture=partial(self._on_gesture, index),
            is_playing=lambda: self._sounds if self._has_output else self._is_playing,
        )

    def _ports_changed(self, changed: MidiPortsChanged) -> None:
        for entries in self._entries.values():
            for one in entries:
                one.keep_ports(changed.inputs)
        is_new = bool(set(changed.outputs) - set(self._outputs))
        self._outputs = changed.outputs
        if is_new:
            self._leds.light_up()

    def _on_gesture(self, index: int, gesture: Gesture) -> None:
        """Carry out a gesture of the pedal."""
        if self._has_output:
            self._play_loop(index, gesture)
            return
        match gesture:
            case Gesture.TAP:
                self._take_last_bars(index)
            case Gesture.DOUBLE_TAP:
                for id in self._tapped:
                    self._command("/bridge/cancel", (id,), time.perf_counter())
                self._tapped = ()
            case Gesture.HOLD:
                _log.debug("the pedal was held: it has a meaning with an output alone")

    @property
    def _sounds(self) -> bool:
        """Whether the pedal's loop is heard."""
        return self._loop is not None and self._loop.sounding != "off"

    def _play_loop(self, index: int, gesture: Gesture) -> None:
        """Play the pedal's loop. What a tap began ends with the gesture that replaces it."""
        now = time.perf_counter()
        match gesture:
            case Gesture.TAP:
                self._leds.begun(LOOP, index)
                self._command(LOOP_START, (LOOP, "bars", self._bars), now)
            case Gesture.DOUBLE_TAP:
                is_stopping = self._loop is not None and self._loop.sounding == "stopping"
                self._command(f"{LOOPS}stop", (LOOP, int(is_stopping)), now)
            case Gesture.HOLD:
                step = "undo" if self._sounds else "clear"
                self._command(f"{LOOPS}{step}", (LOOP,), now)

    def _take_last_bars(self, index: int) -> None:
        """Capture the last bars, and render a clip from them."""
        now, take = time.perf_counter(), self._new_id(index)
        self._tapped = ()
        if self._command("/bridge/capture/last", (take, self._bars), now):
            clip = self._new_id(index)
            self._tapped = (clip, take)
            self._command("/bridge/generate", (clip, "melody", take), now)

    def _perform(self, index: int, press: Press) -> None:
        """Send the message of a press."""
        try:
            address, arguments = message_of(press)
            if press.action.takes_id:
                arguments = (self._id_for(press.action, index), *arguments)
        except BridgeError as error:
            self._on_event(Failed.of(NO_ID, error))
            return
        self._command(address, arguments, press.seconds)

    def _id_for(self, action: Action, index: int) -> str:
        """A new id, or the id of the request that the action concerns.

        Raises:
            BadArgument: no such request was made here.
        """
        if action.address.startswith(LOOPS):
            if action.address == LOOP_START:
                self._leds.begun(LOOP, index)
            return LOOP
        if not action.begun_by:
            self._newest[action.address] = self._new_id(index)
            return self._newest[action.address]
        for address in action.begun_by:
            if address in self._newest:
                return self._newest[address]
        raise BadArgument(
            f"{action.address}: MIDI has sent no {' or '.join(action.begun_by)} before it"
        )

    def _new_id(self, index: int) -> str:
        """An id for a request that the light of the entry at that position shows."""
        self._count += 1
        id = f"{CLIENT}-{self._count}"
        self._leds.begun(id, index)
        return id

    def _command(self, address: str, arguments: Sequence[Argument], seconds: float) -> bool:
        """Give a message's command to the daemon. Return whether it was accepted."""
        id = request_id(address, arguments)
        try:
            self._on_command(read_command(address, arguments, seconds))
            return True
        except BridgeError as error:
            self._on_event(Failed.of(id, error))
        except Exception:
            _log.exception("MIDI: %s failed", address)
            self._on_event(Failed(id, Internal.code, "a defect: the log has the details"))
        return False


def _read_map(path: Path | None) -> MidiMap:
    """The map of a file; for a thread.

    Raises:
        UnreadableFile: as `load_map`.
    """
    return load_map(path, preset_names())


def _version(path: Path) -> _Version | None:
    """What changes when a file is written; None: there is no file. For a thread."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _ignore(command: Command) -> None:
    """Take commands before the start."""
