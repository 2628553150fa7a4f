"""Reads the header and the arrays of one message of remote engines, each value with its range."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.errors import BadArgument

Written = tuple[dict[str, Any], list[NDArray[Any]]]
"""A header, and the arrays after it in their order."""


class Fields:
    """The fields of a header, and the arrays after it.

    Every method raises `BadArgument` for a field that lacks or has another value than it takes.
    """

    def __init__(self, header: bytes, body: memoryview) -> None:
        """Parse the header.

        Raises:
            BadArgument: it is no JSON object.
        """
        try:
            values = json.loads(header, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise BadArgument("a message's header is no JSON object") from error
        if not isinstance(values, dict):
            raise BadArgument("a message's header is no JSON object")
        self._values: dict[str, Any] = values
        self._body = body

    def boolean(self, name: str) -> bool:
        """A boolean."""
        value = self._get(name)
        if not isinstance(value, bool):
            raise _mistake(name, value, "true or false")
        return value

    def integer(self, name: str, least: int, most: int) -> int:
        """A whole number within a range."""
        return _integer(name, self._get(name), least, most)

    def number(self, name: str, least: float, most: float) -> float:
        """A finite number within a range."""
        value = self._get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise _mistake(name, value, "a number")
        if not least <= value <= most:
            raise _mistake(name, value, f"{least:g} to {most:g}")
        return float(value)

    def text(self, name: str, most: int) -> str:
        """Text of so many letters at most."""
        return _text(name, self._get(name), most)

    def word(self, name: str, *words: str) -> str:
        """One of some words."""
        value = self._get(name)
        if value not in words:
            raise _mistake(name, value, " or ".join(words))
        return str(value)

    def texts(self, name: str, most: int, most_letters: int) -> tuple[str, ...]:
        """A list of texts, of so many at most."""
        values = self._list(name, most)
        return tuple(_text(name, value, most_letters) for value in values)

    def shape(self, name: str, limits: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of an array; each of its lengths is 1 or more, up to the limit."""
        values = self._list(name, len(limits))
        if len(values) != len(limits):
            raise _mistake(name, values, f"{len(limits)} lengths")
        return tuple(
            _integer(name, value, 1, most) for value, most in zip(values, limits, strict=True)
        )

    def has(self, name: str) -> bool:
        """Whether the field has a value."""
        return self._get(name) is not None

    def optional(self, name: str, read: Callable[..., Any], *details: Any) -> Any:
        """None, or what a method above reads."""
        return read(name, *details) if self.has(name) else None

    def array(self, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
        """The next array; it is read-only, and keeps the frame."""
        length = math.prod(shape) * np.dtype(dtype).itemsize
        if length > len(self._body):
            raise BadArgument(f"a message ends within an array of {list(shape)}")
        part, self._body = self._body[:length], self._body[length:]
        return np.frombuffer(part, dtype).reshape(shape)

    def check_end(self) -> None:
        """Raise `BadArgument` where bytes are left."""
        if len(self._body):
            raise BadArgument(f"a message has {len(self._body)} bytes too many")

    def _get(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise BadArgument(f"a message lacks its field {name!r}") from None

    def _list(self, name: str, most: int) -> list[Any]:
        values = self._get(name)
        if not isinstance(values, list) or len(values) > most:
            raise _mistake(name, values, f"a list of {most} at most")
        return values


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _integer(name: str, value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _mistake(name, value, f"a whole number from {least} to {most}")
    return value


def _text(name: str, value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise _mistake(name, value, f"text of {most} letters at most")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _mistake(name, value, "text without lone surrogates") from error
    return value


def _mistake(name: str, value: Any, expected: str) -> BadArgument:
    shown = ascii(value)
    shown = shown if len(shown) <= 60 else shown[:60] + "…"
    return BadArgument(f"a message's field {name!r} is {shown}: it takes {expected}")
