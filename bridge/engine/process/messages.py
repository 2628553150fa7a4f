"""What the daemon and the engine's process say to each other: frozen dataclasses, picklable.

Requests have a number, which grows, so that an answer that comes late is known as such.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bridge.engine.process.shared_audio import BufferRef, Shape
from bridge.engine.request import Request
from bridge.errors import BridgeError


@dataclass(frozen=True)
class Begin:
    """Generate this; sent when nothing else is being generated.

    Attributes:
        place: where the audio is to be put.
    """

    number: int
    request: Request
    place: BufferRef


@dataclass(frozen=True)
class Cancel:
    """Give that one up within a step, if it is still being generated."""

    number: int


@dataclass(frozen=True)
class EngineFacts:
    """What the engine runs.

    Attributes:
        model_name: `pocket`, a Hugging Face id, or a folder.
        revision: the model's commit on Hugging Face; None where it came from a folder.
        device: `cpu`, `cuda:0`, `mps:0`.
        sample_rate: Hz of its audio.
        audio_channels: 1 or 2.
        frame_rate: codec steps a second.
    """

    model_name: str
    revision: str | None
    device: str
    sample_rate: int
    audio_channels: int
    frame_rate: int

    def shape(self, request: Request) -> Shape:
        """Of all the audio that a request comes to."""
        steps = math.ceil(request.seconds * self.frame_rate)
        frames = steps * (self.sample_rate // self.frame_rate)
        return int(request.variations), self.audio_channels, frames


@dataclass(frozen=True)
class Ready:
    """The model is loaded and warm."""

    facts: EngineFacts


@dataclass(frozen=True)
class Refused:
    """The model cannot be loaded, and the process ends.

    Attributes:
        trace: the traceback of what is a defect; empty where it is not.
    """

    error: BridgeError
    trace: str = ""


@dataclass(frozen=True)
class Progressed:
    """The share of the request that is done, over 0 and at most 1; about ten a second."""

    number: int
    share: float


@dataclass(frozen=True)
class Opened:
    """The process has the request's memory open, so that its name can go."""

    number: int


@dataclass(frozen=True)
class Sounded:
    """So many frames of each of the request's variations are there now; it grows."""

    number: int
    frames: int


@dataclass(frozen=True)
class Finished:
    """All of the request's audio is there."""

    number: int


@dataclass(frozen=True)
class Failed:
    """The request ends with an error, and the next one can come.

    Attributes:
        trace: the traceback of what is a defect; empty where it is not.
    """

    number: int
    error: BridgeError
    trace: str = ""


@dataclass(frozen=True)
class WorkCounters:
    """The status in the heartbeat: how far the work is since the process began.

    Attributes:
        steps: of decoding; grows with each.
        cpu_seconds: of processor time, all threads together.
    """

    steps: int
    cpu_seconds: float
