"""Chords of global hotkeys: modifiers and one key, such as `<ctrl>+<alt>+c`."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.errors import BadArgument

MODIFIERS = ("ctrl", "alt", "shift", "cmd")
"""In the order in which they are written; `cmd` is the Windows or Super key."""
NAMED_KEYS = (
    *("space", "enter", "tab", "esc", "backspace", "delete", "insert", "home", "end"),
    *("page_up", "page_down", "left", "right", "up", "down", "pause", "scroll_lock"),
    *("print_screen", "plus"),
    *("media_play_pause", "media_next", "media_previous"),
    *(f"f{number}" for number in range(1, 25)),
)
"""The keys that are written in angle brackets, with pynput's names."""

_OTHER_NAMES = {
    **{"control": "ctrl", "option": "alt", "opt": "alt", "super": "cmd", "win": "cmd"},
    **{"meta": "cmd", "command": "cmd", "return": "enter", "escape": "esc", "del": "delete"},
    **{"pageup": "page_up", "pagedown": "page_down"},
}
_ALONE = (
    *("media_play_pause", "media_next", "media_previous", "pause", "scroll_lock", "print_screen"),
    *(name for name in NAMED_KEYS if name[0] == "f"),
)
"""Keys that nobody types with."""


@dataclass(frozen=True)
class Chord:
    """Modifiers that are held while a key is pressed.

    Attributes:
        modifiers: of `MODIFIERS`.
        key: a character, in lower case, or one of `NAMED_KEYS`.
    """

    modifiers: frozenset[str]
    key: str

    def __str__(self) -> str:
        held = [f"<{name}>" for name in MODIFIERS if name in self.modifiers]
        return "+".join([*held, f"<{self.key}>" if len(self.key) > 1 else self.key])


def read_chord(text: str) -> Chord:
    """Read a chord in any order and case.

    Raises:
        BadArgument: it is none, or would take a key away that people type with.
    """
    parts = text.replace(" ", "").lower().split("+")
    names = [_name(part) for part in parts]
    if not all(names):
        raise BadArgument(f"chord {text!r}: write names and a key, such as <ctrl>+<alt>+c")
    keys = [name for name in names if name not in MODIFIERS]
    unknown = [key for key in keys if len(key) > 1 and key not in NAMED_KEYS]
    if unknown:
        raise BadArgument(
            f"chord {text!r}: no key is named <{unknown[0]}>; write a character, <f1> to <f24>, "
            f"or one of {', '.join(f'<{name}>' for name in NAMED_KEYS if name[1].isalpha())}"
        )
    modifiers = [name for name in names if name in MODIFIERS]
    if len(keys) != 1 or len(set(modifiers)) < len(modifiers):
        raise BadArgument(f"chord {text!r}: hold modifiers and press one key, as <ctrl>+<alt>+c")
    (key,) = keys
    if not set(modifiers) - {"shift"} and key not in _ALONE:
        raise BadArgument(
            f"chord {text!r}: it would take that key from every program; "
            "hold <ctrl>, <alt> or <cmd> too, or take <f1> to <f24>"
        )
    return Chord(frozenset(modifiers), key)


def _name(part: str) -> str:
    """The name in angle brackets, or the one character; empty: it is neither."""
    if len(part) == 1 and part.isprintable():
        return part
    if len(part) > 2 and part.startswith("<") and part.endswith(">"):
        name = part[1:-1]
        return _OTHER_NAMES.get(name, name)
    return ""
