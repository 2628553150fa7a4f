"""What the sources of time that need a reader process share."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from bridge.errors import Unsupported
from bridge.timing import Meter


class MissingSource(Unsupported):
    """A source of time is not there: an extra, a server or a network is missing."""


@dataclass(frozen=True)
class SessionTempo:
    """The session's own tempo and meter, for sources that lack one of them.

    Attributes:
        tempo_bpm, meter: None: not set.
    """

    tempo_bpm: Fraction | None = None
    meter: Meter | None = None
