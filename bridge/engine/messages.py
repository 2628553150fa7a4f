"""What the daemon and the engine's process say to each other: frozen dataclasses, picklable.

Requests have a number, which grows, so that an answer that comes late is known as such.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.engine.request import Request
from bridge.errors import BridgeError


@dataclass(frozen=True)
class Begin:
    """Generate this; sent when nothing else is being generated."""

    number: int
    request: Request


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
    """

    model_name: str
    revision: str | None
    device: str
    sample_rate: int


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


@dataclass(frozen=True, eq=False)
class Sounded:
    """The request's next audio, float32 `[variations, channels, frames]`."""

    number: int
    audio: NDArray[np.float32]


@dataclass(frozen=True)
class Finished:
    """All of the request's audio has been sent."""

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
class Pulse:
    """The status in the heartbeat: how far the work is since the process began.

    Attributes:
        steps: of decoding; grows with each.
        cpu_seconds: of processor time, all threads together.
    """

    steps: int
    cpu_seconds: float
