"""The values of MIDI controls as arguments of commands: scaled to a range, or chosen by index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.config import OPTIONS
from bridge.control.packets import Argument
from bridge.errors import BadArgument

VALUE = "{value}"
"""The argument that the control's value replaces."""
_DECIMALS = 3


@dataclass(frozen=True)
class Scale:
    """What a control's value becomes.

    Attributes:
        low, high: the results for the lowest and the highest value; both are integers where the
            result is a whole number.
        choices: in place of a range: the texts to choose from.
    """

    low: float = 0
    high: float = 0
    choices: Sequence[str] = ()

    def at(self, share: float) -> Argument:
        """The argument for a value that is this share, 0 to 1, of its way from low to high."""
        if self.choices:
            return self.choices[min(int(share * len(self.choices)), len(self.choices) - 1)]
        result = self.low + share * (self.high - self.low)
        if isinstance(self.low, int) and isinstance(self.high, int):
            return round(result)
        return round(result, _DECIMALS)

    def numbered(self, number: int) -> Argument:
        """The argument for a number from 0 that chooses directly, as a program change does.

        Raises:
            BadArgument: there is no choice of that number.
        """
        if number >= len(self.choices):
            raise BadArgument(
                f"program {number}: there are {len(self.choices)} to choose from, numbered from 0"
            )
        return self.choices[number]


def scale_of(key: str, to: tuple[float, float] | None, preset_names: Sequence[str]) -> Scale:
    """The scale of a key's values: `to`, else the range of the option of that name.

    Raises:
        BadArgument: the key is a text without choices, or is no option and needs `to`.
    """
    if key == "preset" and to is None:
        if not preset_names:
            raise BadArgument("no preset can be read: `melody-bridge presets` says why")
        return Scale(choices=preset_names)
    reader = OPTIONS[key].reader if key in OPTIONS else None
    if reader is not None and reader.choices:
        return Scale(choices=reader.choices)
    if reader is not None and reader.kind != "number":
        raise BadArgument(f"{VALUE} is a number, and {key} takes text: write the text itself")
    limits = reader.limits if reader is not None else None
    if limits is None and to is None:
        raise BadArgument(f"the range of {key} is not known: write one, such as to = [0, 1]")
    low, high = to or limits or (0, 0)
    if limits is not None and isinstance(limits[0], float):
        return Scale(float(low), float(high))
    return Scale(low, high)
