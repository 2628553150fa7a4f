"""One entry of the table of options: what an option is, and where it may be set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from bridge.config.readers import Reader

POSITIONAL = "positional"
"""In place of a flag: the command line takes the option by its position."""

Place = Literal["render", "run", "file", "preset", "osc", "session", "request"]
"""Where an option may be set: a flag of `render`, a flag of `run`, config.toml, a preset, OSC.

In OSC, `osc` is `/bridge/set` and a request for clips, `session` is `/bridge/set` alone, and
`request` is `/bridge/generate` alone.
"""


@dataclass(frozen=True)
class Option:
    """One entry of the table.

    Attributes:
        name: the key in files and OSC, and the field's name.
        reader: reads a value; has the type and range.
        default: the value where nobody sets it; None: decided later, as `default_text` says.
        help: what the option does.
        places: where it may be set.
        flag: on the command line; empty: positional.
        metavar: the value's name in help.
        default_text: the default, for people.
        group: the heading in `render --help`.
        example: a TOML value for the configuration file, where the default is None.
        in_request: the engine's request has a field of this name.
        in_sidecar: a clip's sidecar records the value under this name.
    """

    name: str
    reader: Reader
    default: Any
    help: str
    places: tuple[Place, ...]
    flag: str = ""
    metavar: str = ""
    default_text: str = ""
    group: str = ""
    example: str = ""
    in_request: bool = False
    in_sidecar: bool = False

    @property
    def limits(self) -> str:
        """The permitted values and the default, such as `"1 to 16; default: 1"`."""
        return "; ".join(filter(None, (self.reader.range, f"default: {self.default_text}")))

    def read(self, raw: object) -> Any:
        """Read a value from text or TOML.

        Raises:
            BadArgument: the value is of the wrong type or out of range.
        """
        return self.reader(self.name, raw)


def option(reader: Reader, default: Any, help: str, **details: Any) -> Any:
    """A dataclass field that is an entry of the table, which gives it its name."""
    entry = Option("", reader, default, help, **details)
    return field(default=default, metadata={"option": entry})
