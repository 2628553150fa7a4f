"""A MIDI map as a drawn keyboard with pads, and as a list."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from bridge.control.midi_map import Entry, MidiMap

FIRST_KEY, LAST_KEY = 48, 72
"""The notes of a keyboard with 25 keys."""
FIRST_PAD, PAD_COLUMNS, PAD_ROWS = 36, 4, 4
"""Most controllers number their pads from 36, from the lower left."""
_OCTAVE = 12
_WHITE = (0, 2, 4, 5, 7, 9, 11)
_C3 = 60
"""As Live counts octaves."""
_KEY_WIDTH = 4
_MARKS = string.ascii_lowercase + string.ascii_uppercase
_LAST_MARK = "*"


def drawing(midi_map: MidiMap) -> str:
    """The keyboard, the pads and the list, some thirty lines of text.

    A letter marks each mapped key and pad, and its line in the list.
    """
    entries = midi_map.entries
    marks = {
        entry.trigger.number: mark
        for mark, entry in reversed([*zip(_marks(), entries, strict=False)])
        if entry.trigger.kind == "note" and entry.trigger.number is not None
    }
    return "\n".join([*_keyboard(marks), "", *_pads(marks), "", *_list(entries)])


def _marks() -> Iterator[str]:
    return chain(_MARKS, iter(lambda: _LAST_MARK, ""))


def _keyboard(marks: Mapping[int, str]) -> Iterator[str]:
    """Six lines: two for the black keys alone, one below them, and the numbers of the Cs."""
    white = [note for note in range(FIRST_KEY, LAST_KEY + 1) if note % _OCTAVE in _WHITE]
    width = len(white) * _KEY_WIDTH
    top = _line(width, "┌", "┬", "┐", "─")
    keys = _line(width, "│", "│", "│", " ")
    ends, front, names = keys.copy(), keys.copy(), [" "] * (width + _KEY_WIDTH)
    for index, note in enumerate(white):
        left = index * _KEY_WIDTH
        front[left + _KEY_WIDTH // 2] = marks.get(note, " ")
        if note % _OCTAVE == 0:
            name = f"C{note // _OCTAVE - _C3 // _OCTAVE + 3}"
            text = f"{name} {note}"
            names[left + 1 : left + 1 + len(text)] = text
        if note + 1 <= LAST_KEY and (note + 1) % _OCTAVE not in _WHITE:
            black = slice(left + _KEY_WIDTH - 1, left + _KEY_WIDTH + 2)
            top[black] = "┬─┬"
            keys[black] = f"│{marks.get(note + 1, '█')}│"
            ends[black] = "└┬┘"
    bottom = _line(width, "└", "┴", "┘", "─")
    for row in (top, keys, ends, front, bottom, names):
        yield "".join(row).rstrip()


def _pads(marks: Mapping[int, str]) -> Iterator[str]:
    """The pads, the highest row first, each with its note and its mark."""
    width = PAD_COLUMNS * (_KEY_WIDTH + 2)
    yield "".join(_line(width, "┌", "┬", "┐", "─", _KEY_WIDTH + 2))
    for row in reversed(range(PAD_ROWS)):
        notes = [FIRST_PAD + row * PAD_COLUMNS + column for column in range(PAD_COLUMNS)]
        yield "│" + "│".join(f" {note} {marks.get(note, ' ')}" for note in notes) + "│"
        if row:
            yield "".join(_line(width, "├", "┼", "┤", "─", _KEY_WIDTH + 2))
    yield "".join(_line(width, "└", "┴", "┘", "─", _KEY_WIDTH + 2))


def _line(
    width: int, first: str, middle: str, last: str, fill: str, step: int = _KEY_WIDTH
) -> list[str]:
    """A line with a mark at every step."""
    line = [middle if column % step == 0 else fill for column in range(width + 1)]
    line[0], line[-1] = first, last
    return line


def _list(entries: Sequence[Entry]) -> Iterator[str]:
    """A line for each entry: its mark, control, mode and action."""
    if not entries:
        yield "nothing is mapped"
    width = max((len(entry.trigger.text()) for entry in entries), default=0)
    for mark, entry in zip(_marks(), entries, strict=False):
        yield f"{mark}  {entry.trigger.text():{width}}  {action_text(entry)}"


def action_text(entry: Entry) -> str:
    """What an entry does, such as `"/bridge/set bars {value} (follow)"`."""
    notes: list[str] = [entry.mode] if entry.mode != "press" else []
    notes += [f"light {entry.led}"] if entry.led is not None else []
    notes += ["default"] if entry.is_default else []
    off = entry.off if entry.off != entry.on else None
    then = f", then {off.text()}" if off is not None else ""
    noted = f" ({', '.join(notes)})" if notes else ""
    return f"{entry.on.text()}{then}{noted}"
