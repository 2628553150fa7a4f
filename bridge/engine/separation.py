"""`Separation`: a mix that the engine's process is to separate. It needs numpy alone."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.audio import Waveform
from bridge.engine.request import Request


@dataclass(frozen=True, eq=False)
class Separation:
    """A mix whose melody is wanted: what is left without drums and bass.

    The result is one mono waveform of the mix's own rate and frames.

    Attributes:
        mix: of any rate and channels, at least one frame.
        may_fetch: whether weights that are not on this machine are fetched from the network.
    """

    mix: Waveform
    may_fetch: bool = True


Work = Request | Separation
"""What an engine's host takes."""
