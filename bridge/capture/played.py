"""The notes that were played on MIDI inputs in the last two minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from bridge.midi import MidiMessage
from bridge.timing import PERCUSSION_CHANNEL

KEPT_SECONDS = 120.0
"""Notes that began longer ago are forgotten; the ring of the input keeps as much sound."""
MOST_NOTES = 10_000
"""Notes to keep; a note more drops the oldest."""
LONGEST_NOTE_SECONDS = 30.0
"""A note whose end has not come by then is stuck, and ends here."""
_MOST_OVERLAPPING = 16
"""Notes of one key that sound at a time; keyboards that share a channel overlap."""
_DISORDER_SECONDS = 1.0
"""Messages of two ports may arrive this much out of order."""

_NOTE_OFF, _NOTE_ON, _CONTROL_CHANGE, _SYSTEM_RESET = 0x80, 0x90, 0xB0, 0xFF
_ALL_NOTES_OFF = frozenset({120, 123, 124, 125, 126, 127})
"""Controllers that end all notes: all sound off, all notes off, and the modes that imply it."""


class PlayedNote(NamedTuple):
    """One note as it was played.

    Attributes:
        start_seconds: on `time.perf_counter`.
        end_seconds: likewise; infinite while it sounds.
        pitch: MIDI note number, 0…127.
        velocity: 1…127.
    """

    start_seconds: float
    end_seconds: float
    pitch: int
    velocity: int


@dataclass(slots=True, eq=False)
class _Key:
    """A note whose end may still come."""

    start_seconds: float
    pitch: int
    velocity: int
    end_seconds: float = inf

    def until(self) -> float:
        """When it ends: infinite while it sounds, unless it is stuck."""
        return min(self.end_seconds, self.start_seconds + LONGEST_NOTE_SECONDS)


class PlayedNotes:
    """The notes of all ports and channels; for the event loop's thread.

    A note lasts as long as its key is held: the sustain pedal is a button here, and lengthens no
    note. Notes on channel 10 are not kept. Of two notes of one key that overlap, the first note-off
    ends the first.

    Attributes:
        complete_from_seconds: since then no note was dropped for want of room.
    """

    def __init__(self, is_command: Callable[[MidiMessage], bool] = lambda message: False) -> None:
        """Args:
        is_command: whether a note-on is a command of the MIDI map, and so no melody.
        """
        self.complete_from_seconds = -inf
        self._is_command = is_command
        self._ports: frozenset[str] = frozenset()
        self._notes: deque[_Key] = deque()
        self._held: dict[tuple[str, int, int], deque[_Key]] = {}

    @property
    def is_open(self) -> bool:
        """Whether notes can come, or have come."""
        return bool(self._ports or self._notes)

    def received(self, messages: Sequence[MidiMessage]) -> None:
        """Add messages; those of one port are in the order of their time."""
        for message in messages:
            self._add(message)
        if messages:
            self._forget(messages[-1].seconds - KEPT_SECONDS)

    def ports_changed(self, ports: Collection[str], now_seconds: float) -> None:
        """Record which input ports are open: notes of others end now, as no note-off will come."""
        for port in {port for port, _, _ in self._held}.difference(ports):
            self._release(port, None, now_seconds)
        self._ports = frozenset(ports)

    def begun(self, start_seconds: float, end_seconds: float) -> list[PlayedNote]:
        """The notes that begin from one instant on and before another, by their start."""
        found = []
        for note in reversed(self._notes):
            if note.start_seconds < start_seconds - _DISORDER_SECONDS:
                break
            if start_seconds <= note.start_seconds < end_seconds:
                found.append(_played(note))
        return sorted(found)

    def between(self, start_seconds: float, end_seconds: float) -> list[PlayedNote]:
        """The notes that sound after one instant and begin before another, by their start."""
        found = []
        for note in reversed(self._notes):
            if note.start_seconds < start_seconds - LONGEST_NOTE_SECONDS - _DISORDER_SECONDS:
                break
            if note.start_seconds < end_seconds and note.until() > start_seconds:
                found.append(_played(note))
        return sorted(found)

    def _add(self, message: MidiMessage) -> None:
        status, *data = message.data
        kind, channel = status & 0xF0, status & 0x0F
        if status == _SYSTEM_RESET:
            self._release(message.port, None, message.seconds)
        elif kind == _CONTROL_CHANGE and data[0] in _ALL_NOTES_OFF:
            self._release(message.port, channel, message.seconds)
        elif channel == PERCUSSION_CHANNEL:
            return
        elif kind == _NOTE_ON and data[1] > 0:
            if not self._is_command(message):
                self._note_on(message, channel, *data)
        elif kind in (_NOTE_ON, _NOTE_OFF):
            held = self._held.get((message.port, channel, data[0]))
            if held:
                held.popleft().end_seconds = message.seconds

    def _note_on(self, message: MidiMessage, channel: int, pitch: int, velocity: int) -> None:
        note = _Key(message.seconds, pitch, velocity)
        self._notes.append(note)
        if len(self._notes) > MOST_NOTES:
            dropped = self._notes.popleft().start_seconds
            self.complete_from_seconds = max(self.complete_from_seconds, dropped)
        held = self._held.setdefault((message.port, channel, pitch), deque())
        held.append(note)
        if len(held) > _MOST_OVERLAPPING:
            held.popleft().end_seconds = message.seconds

    def _release(self, port: str, channel: int | None, seconds: float) -> None:
        """End all notes of a port, or of one of its channels."""
        for key in [key for key in self._held if key[0] == port and channel in (None, key[1])]:
            for note in self._held.pop(key):
                note.end_seconds = seconds

    def _forget(self, before_seconds: float) -> None:
        while self._notes and self._notes[0].start_seconds < before_seconds:
            self._notes.popleft()
        stuck = before_seconds + KEPT_SECONDS - LONGEST_NOTE_SECONDS
        for key, held in list(self._held.items()):
            while held and held[0].start_seconds < stuck:
                held.popleft()
            if not held:
                del self._held[key]


def _played(note: _Key) -> PlayedNote:
    until = note.until()
    return PlayedNote(note.start_seconds, until, note.pitch, note.velocity)
