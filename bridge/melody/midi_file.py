"""Standard MIDI Files as they are found: chunks and events, whatever else is wrong with the file.

mido, which parses live MIDI here, refuses a file for one meta event that it cannot decode. A melody
needs few of them, so this reader skips what it does not need: unknown chunks, wrong track lengths,
undecodable meta events, a RIFF wrapper (RMID). Format: the MIDI Association, RP-001 (1.0) and
RP-029 (RMID).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

MOST_EVENTS = 200_000
"""Events of a file; an hour of dense piano has 100,000. Parsing them takes a third of a second."""

_NOTE_OFF, _NOTE_ON = 0x80, 0x90
_META, _SYSEX, _SYSEX_END = 0xFF, 0xF0, 0xF7
_END_OF_TRACK = 0x2F
_DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
"""Data bytes of each channel message, by its status without the channel."""
_HEADER_BYTES = 14
_WRAPPER_BYTES = 4096
"""The header is looked for in this many first bytes."""
_LONGEST_VARIABLE = 4
"""Bytes of a variable-length quantity."""


class InvalidMidi(ValueError):
    """The bytes are not a MIDI file of format 0 or 1 in ticks per quarter note."""


class NoteEvent(NamedTuple):
    """A note on, of velocity 1…127, or a note off, of velocity 0."""

    tick: int
    channel: int
    pitch: int
    velocity: int


class MetaEvent(NamedTuple):
    """A meta event, its content not yet judged."""

    tick: int
    kind: int
    content: bytes


@dataclass(frozen=True)
class MidiTrack:
    """One track.

    Attributes:
        notes, metas: in the order of the file; ticks count from the track's start.
        end_tick: of the end-of-track event, or of the last event where that is missing.
    """

    notes: tuple[NoteEvent, ...]
    metas: tuple[MetaEvent, ...]
    end_tick: int


@dataclass(frozen=True)
class MidiFile:
    """A file of format 0 or 1.

    Attributes:
        ticks_per_beat: ticks of a quarter note, 1…32767.
    """

    ticks_per_beat: int
    tracks: tuple[MidiTrack, ...]


def parse_midi(content: bytes) -> MidiFile:
    """Read the tracks of a file's content, in time that its size bounds.

    Raises:
        InvalidMidi: there is no header, the format is 2, the division is SMPTE's, or there are more
            than `MOST_EVENTS` events.
    """
    # A RIFF header comes first in RMID, and other wrappers come from old systems.
    start = content.find(b"MThd", 0, _WRAPPER_BYTES)
    header = content[start : start + _HEADER_BYTES] if start >= 0 else b""
    if len(header) < _HEADER_BYTES:
        raise InvalidMidi("it has no MIDI header")
    format_, ticks_per_beat = (int.from_bytes(header[at : at + 2], "big") for at in (8, 12))
    if format_ not in (0, 1):
        raise InvalidMidi(f"it is of format {format_}, whose tracks have no common time")
    if not 0 < ticks_per_beat < 0x8000:
        raise InvalidMidi("it counts SMPTE frames instead of beats")
    tracks: list[MidiTrack] = []
    events_left = MOST_EVENTS
    for first, stated_end in _track_chunks(content, start):
        reader = _TrackReader(content, first, stated_end, events_left)
        tracks.append(reader.read())
        # A track counts as an event: empty ones take time as well.
        events_left = reader.events_left - 1
    return MidiFile(ticks_per_beat, tuple(tracks))


def _track_chunks(content: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Where the events of each track begin, and where its chunk ends by its own account.

    A chunk whose stated length does not lead to another chunk is searched for one: a wrong track
    length must not hide the tracks behind it.
    """
    at = start + 8 + int.from_bytes(content[start + 4 : start + 8], "big")
    while 0 <= at <= len(content) - 8:
        kind, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "big")
        end = at + 8 + length
        if kind == b"MTrk":
            yield at + 8, end
        leads_on = end == len(content) or _is_chunk(content, end)
        at = end if leads_on else content.find(b"MTrk", at + 8)


def _is_chunk(content: bytes, at: int) -> bool:
    return at <= len(content) - 8 and content[at : at + 4].isalnum()


class _TrackReader:
    """Reads one track's events up to its end, or to the first byte that cannot be one."""

    def __init__(self, content: bytes, start: int, stated_end: int, events_left: int) -> None:
        self._content, self._at = content, start
        # The end-of-track event ends a track, wherever its header says; without one, the next
        # track does.
        following = content.find(b"MTrk", start)
        self._end = len(content) if following < 0 else following
        if _is_chunk(content, stated_end):
            self._end = min(self._end, max(stated_end, start))
        self.events_left = events_left

    def read(self) -> MidiTrack:
        """The track; `events_left` is lowered by its events."""
        notes: list[NoteEvent] = []
        metas: list[MetaEvent] = []
        tick, running = 0, 0
        try:
            while self._at < self._end:
                tick += self._variable()
                self.events_left -= 1
                if self.events_left < 0:
                    raise InvalidMidi(f"it has more than {MOST_EVENTS} events")
                # Running status goes on after meta events: the format forbids it, files do it.
                status = self._byte() if self._content[self._at] & 0x80 else running
                if status == _META:
                    kind, data = self._byte(), self._data(self._variable())
                    if kind == _END_OF_TRACK:
                        break
                    metas.append(MetaEvent(tick, kind, data))
                elif status in (_SYSEX, _SYSEX_END):
                    self._data(self._variable())
                elif status < _NOTE_OFF or status > 0xEF:
                    break
                else:
                    running = status
                    data = self._data(_DATA_BYTES[status & 0xF0])
                    if status & 0xF0 in (_NOTE_ON, _NOTE_OFF):
                        velocity = min(data[1], 127) if status & 0xF0 == _NOTE_ON else 0
                        notes.append(NoteEvent(tick, status & 0x0F, data[0] & 0x7F, velocity))
        except IndexError:
            pass  # Cut off within an event: what came before it counts.
        return MidiTrack(tuple(notes), tuple(metas), tick)

    def _byte(self) -> int:
        value = self._content[self._at]
        self._at += 1
        return value

    def _variable(self) -> int:
        value = 0
        for _ in range(_LONGEST_VARIABLE):
            byte = self._byte()
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                break
        return value

    def _data(self, length: int) -> bytes:
        data = self._content[self._at : self._at + length]
        if len(data) < length:
            raise IndexError
        self._at += length
        return data
