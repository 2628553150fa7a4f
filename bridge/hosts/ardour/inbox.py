"""The file through which Ardour's script gets its orders: a line of fields with tabs between them.

The companion writes a file only when there is none, in one step; the script reads it and removes it
before it begins.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from bridge.delivery.wav import replace_file
from bridge.errors import BadArgument, NotWritable

OrderKind = Literal["slot", "region", "remove"]
"""Put a file into the next free cue slot, or on the timeline at the next bar line; remove the
regions of a name from the timeline."""


@dataclass(frozen=True)
class Order:
    """What the script has to do.

    Attributes:
        number: comes back with the answer.
        track: the name of the track; the script makes it where there is none.
        subject: the file's path; of `remove` the name of the regions.
    """

    kind: OrderKind
    number: int
    track: str
    subject: str

    def line(self, answer_port: int) -> str:
        """The order as the script reads it.

        Args:
            answer_port: the UDP port on this machine that the script answers to.

        Raises:
            BadArgument: the subject has a control character, such as a tab or a line end.
        """
        if any(ord(character) < ord(" ") for character in self.subject):
            raise BadArgument(
                f"{self.subject!r}: Ardour's script reads no name with a control character; "
                "rename the folder of the clips"
            )
        fields = (self.kind, self.number, answer_port, self.track, self.subject)
        return "\t".join(map(str, fields)) + "\n"


def inbox_path() -> Path:
    """Where the companion writes, and the installed scripts read."""
    return platformdirs.user_cache_path("melody-bridge", appauthor=False) / "ardour-inbox"


class Inbox:
    """The companion's side of the file."""

    def __init__(self, path: Path) -> None:
        """Args:
        path: of the file; its folder is made when the first order is written.
        """
        self.path = path

    @property
    def is_empty(self) -> bool:
        """Whether the script has read the last order."""
        return not self.path.exists()

    def clear(self) -> None:
        """Remove an order that no script has read: one of an earlier run must not surprise."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def put(self, line: str) -> None:
        """Write an order; only while the inbox is empty.

        Raises:
            NotWritable: the file cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, line.encode(errors="surrogateescape"))
        except OSError as error:
            raise NotWritable(
                f"{str(self.path)!r} cannot be written: {error.strerror or error}"
            ) from error
