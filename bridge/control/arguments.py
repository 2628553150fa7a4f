"""Readers of single OSC arguments: each returns a value of its final type, or raises `BadArgument`.

Options that the command line has too go through `config.read_value`: they have one range and one
error message.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from bridge.config import OPTIONS, read_value
from bridge.config.readers import TEMPO
from bridge.control.packets import Argument
from bridge.errors import BadArgument

Reader = Callable[[str, Argument], Any]
"""Called with an argument's name and value; raises a `BadArgument` that names both."""

MAX_ID_CHARACTERS = 64
MAX_NAME_CHARACTERS = 255
"""Longest name of a file on all systems."""
SHOWN_CHARACTERS = 60
"""Characters of a wrong text that an error message quotes."""
_MAX_FLOAT32 = float(np.finfo(np.float32).max)


def integer(low: int, high: int) -> Reader:
    """A whole number in that range, both ends included; 4.0 counts as 4."""

    def read(name: str, raw: Argument) -> int:
        value = number(name, raw)
        if not isinstance(value, int):
            raise BadArgument(f"{name} {value}: send a whole number from {low} to {high}")
        _check_range(name, value, low, high)
        return value

    return read


def between(low: float, high: float) -> Reader:
    """A number in that range, both ends included."""

    def read(name: str, raw: Argument) -> float:
        value = number(name, raw)
        _check_range(name, value, low, high)
        return float(value)

    return read


def exact(low: float, high: float) -> Reader:
    """A number in that range, both ends included, as the exact fraction of the decimal meant."""

    def read(name: str, raw: Argument) -> Fraction:
        value = number(name, raw)
        _check_range(name, value, low, high)
        return Fraction(str(value))

    return read


def switch(name: str, raw: Argument) -> bool:
    """0 or 1."""
    return bool(integer(0, 1)(name, raw))


def word_of(words: Sequence[str]) -> Reader:
    """A reader of one of these words."""

    def read(name: str, raw: Argument) -> str:
        if raw not in words:
            raise BadArgument(f"{name} {_shown(raw)}: send {', '.join(words[:-1])} or {words[-1]}")
        return str(raw)

    return read


def number_option(name: str, raw: Argument) -> Any:
    """A number for an option of `config.Options`, or a word that the option takes in its place."""
    return read_value(name, raw if raw in OPTIONS[name].reader.words else number(name, raw))


def tempo(name: str, raw: Argument) -> Any:
    """A tempo in beats per minute."""
    return TEMPO(name, number(name, raw))


def text_option(name: str, raw: Argument) -> str | None:
    """Text for an option of `config.Options`; None when it is empty."""
    value = text(name, raw)
    return str(read_value(name, value)) if value.strip() else None


def identifier(name: str, raw: Argument) -> str:
    """An id: 1…64 printable characters."""
    value = text(name, raw)
    if not value or len(value) > MAX_ID_CHARACTERS or not value.isprintable():
        raise BadArgument(
            f"{name} {_shown(value)}: send 1 to {MAX_ID_CHARACTERS} printable characters"
        )
    return value


def optional_identifier(name: str, raw: Argument) -> str | None:
    """An id, or None when it is empty."""
    return identifier(name, raw) if raw != "" else None


def client_name(name: str, raw: Argument) -> str:
    """A client's name: an id, or empty."""
    return optional_identifier(name, raw) or ""


def one_of(*words: str) -> Reader:
    """One of these words; None when it is empty."""

    def read(name: str, raw: Argument) -> str | None:
        value = text(name, raw)
        if value and value not in words:
            raise BadArgument(f"{name} {_shown(value)}: choose from {', '.join(words)}")
        return value or None

    return read


def clip_name(name: str, raw: Argument) -> str | None:
    """The name of a clip, a file's name without its suffix; None when it is empty."""
    value = text(name, raw)
    if len(value) > MAX_NAME_CHARACTERS or not (value.isprintable() or not value):
        raise BadArgument(
            f"{name} {_shown(value)}: send a clip's name, up to {MAX_NAME_CHARACTERS} characters"
        )
    return value or None


def path(name: str, raw: Argument) -> str:
    """A path as it was sent; `melody.allowed_paths` decides whether it may be read."""
    if not isinstance(raw, str):
        raise BadArgument(f"{name} {_shown(raw)}: send it as text")
    return raw


def number(name: str, raw: Argument) -> int | float:
    """The number meant: the shortest decimal that gives the float32; an int when it is whole."""
    if isinstance(raw, str) or raw is None:
        raise BadArgument(f"{name} {_shown(raw)}: send it as a number, an int or a float")
    if not math.isfinite(raw):
        raise BadArgument(f"{name} {raw}: send a finite number")
    if isinstance(raw, int) or raw.is_integer():
        return int(raw)
    if abs(raw) > _MAX_FLOAT32:
        return raw
    # A double stays as it is: only a value that a float32 can hold was sent as a float32.
    nearest = np.float32(raw)
    return float(str(nearest)) if float(nearest) == raw else raw


def text(name: str, raw: Argument) -> str:
    """Text, or the text of a number, so that a prompt or a client's name may be 90."""
    if raw is None:
        raise BadArgument(f"{name}: the type is none of int, float and string")
    return raw if isinstance(raw, str) else str(number(name, raw))


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise BadArgument(f"{name} {value}: the range is {low} to {high}")


def _shown(raw: Argument) -> str:
    if raw is None:
        return "of an unknown type"
    return repr(raw[:SHOWN_CHARACTERS] if isinstance(raw, str) else raw)
