"""Names of MIDI ports, and which of them a selection means."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

CLIENT_NAME = "Melody Bridge"
"""What other programs see. A port whose name begins so belongs to a Melody Bridge."""
Kind = Literal["input", "output"]
AUTO, JACK, NONE = "auto", "jack", "none"
"""The selections that are no names."""
LOOPS = ("midi through", "iac driver")
"""Where what is sent out comes in again: ALSA's and CoreMIDI's. Only their names select them."""

_ALSA_NUMBERS = re.compile(r" (\d+):\d+$")
_FIRST_ALSA_PROGRAM = 128
"""ALSA's clients below are the kernel's: devices, and Midi Through."""


@dataclass(frozen=True)
class ListedPort:
    """A port that the system lists.

    Attributes:
        index: its present place in the list.
        name: without the numbers that change when it is plugged in again; unique in the list.
        identity: changes when the port was plugged in again, where the system shows that.
        is_program: whether it is known to be another program's, and no device's.
    """

    index: int
    name: str
    identity: str
    is_program: bool = False

    @property
    def is_own(self) -> bool:
        """Whether a Melody Bridge opened it."""
        return self.name.casefold().startswith(CLIENT_NAME.casefold())

    @property
    def is_loop(self) -> bool:
        """Whether what is sent to it comes in again."""
        return self.name.casefold().startswith(LOOPS)


class NoSuchPort(Exception):
    """No port matches the selection, or more than one; the message lists them."""


def read_list(raw_names: Sequence[str], platform: str = sys.platform) -> list[ListedPort]:
    """The ports of a list that RtMidi gives. The second of two equal names gets a 2."""
    listed, count = [], Counter[str]()
    for index, raw in enumerate(raw_names):
        name = _stable(raw, index, platform)
        count[name] += 1
        unique = name if count[name] == 1 else f"{name} {count[name]}"
        # Only ALSA's numbers are the port's own; elsewhere they may be another port's tomorrow.
        identity = raw if platform == "linux" else unique
        listed.append(ListedPort(index, unique, identity, _is_program(raw, platform)))
    return listed


def chosen(
    listed: Sequence[ListedPort],
    selection: str,
    kind: Kind,
    is_open: Callable[[ListedPort], bool] = lambda port: False,
) -> list[ListedPort]:
    """The ports to open.

    Args:
        selection: `AUTO`: all but loops and programs' ports, since a program plays into our own
            port; else a name or part of one, in any case.
        kind: for the message.
        is_open: whether a port is open already: it stays the chosen one of several.

    Raises:
        NoSuchPort: no port matches the name, or more than one.
    """
    candidates = [port for port in listed if not port.is_own]
    if selection == AUTO:
        return [port for port in candidates if not (port.is_loop or port.is_program)]
    text = " ".join(selection.split()).casefold()
    exact = [port for port in candidates if port.name.casefold() == text]
    matching = exact or [port for port in candidates if text in port.name.casefold()]
    matching = [port for port in matching if is_open(port)][:1] or matching
    if len(matching) == 1:
        return matching
    names = "; ".join(port.name for port in matching or candidates)
    if matching:
        raise NoSuchPort(f"MIDI {kind} {selection!r} may be any of {names}: write more of the name")
    remedy = f"there are {names}" if candidates else "plug it in"
    raise NoSuchPort(f"there is no MIDI {kind} {selection!r}: {remedy}")


def _stable(raw: str, index: int, platform: str) -> str:
    """Without ALSA's ` 20:0`, and without the index that RtMidi adds on Windows."""
    if platform == "win32":
        return raw.removesuffix(f" {index}")
    return _ALSA_NUMBERS.sub("", raw)


def _is_program(raw: str, platform: str) -> bool:
    numbers = _ALSA_NUMBERS.search(raw) if platform == "linux" else None
    return numbers is not None and int(numbers[1]) >= _FIRST_ALSA_PROGRAM
