"""The messages between the daemon and the engine's process: frozen dataclasses, picklable.

Each job has a number, which grows. A late message about an earlier job is known by its number.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.commands import Precision
from bridge.engine.process.shared_audio import BufferRef, Shape
from bridge.engine.separation import Separation, Work
from bridge.errors import BridgeError


@dataclass(frozen=True)
class Begin:
    """To the process: generate or separate this. Sent only when the process is free.

    Attributes:
        buffer: where to write the audio.
    """

    number: int
    work: Work
    buffer: BufferRef


@dataclass(frozen=True)
class Cancel:
    """To the process: give that job up within a step, if it still runs."""

    number: int


@dataclass(frozen=True)
class EngineFacts:
    """The model that the engine runs, and where.

    Attributes:
        model_name: `pocket`, a Hugging Face id, or a folder.
        revision: the model's commit on Hugging Face; None where it came from a folder.
        device: `cpu`, `cuda:0`, `mps:0`.
        sample_rate: Hz of its audio.
        audio_channels: 1 or 2.
        frame_rate: codec steps a second.
        remarks: what a person should know of the way in which it generates, a sentence each.
        longest_delay: steps by which the last codebook is behind the first; 3 in Meta's models.
        precision, decoder: as for `bridge.engine.load`.
    """

    model_name: str
    revision: str | None
    device: str
    sample_rate: int
    audio_channels: int
    frame_rate: int
    remarks: tuple[str, ...] = ()
    longest_delay: int = 3
    precision: Precision = "exact"
    decoder: str | None = None

    def shape(self, work: Work) -> Shape:
        """The shape of the audio of a request or a separation."""
        if isinstance(work, Separation):
            return 1, 1, work.mix.frames
        steps = work.steps(self.frame_rate, self.longest_delay) + int(work.overlap_steps)
        frames = steps * (self.sample_rate // self.frame_rate)
        return int(work.variations), self.audio_channels, frames

    def steps(self, work: Work, frames: int) -> int:
        """The codec steps that hold the first frames of a request's audio, or all of it."""
        hop = self.sample_rate // self.frame_rate
        return -(-min(frames, self.shape(work)[2]) // hop)

    def rate(self, work: Work) -> int:
        """The sample rate of that audio, in Hz."""
        return work.mix.sample_rate if isinstance(work, Separation) else self.sample_rate


@dataclass(frozen=True)
class Ready:
    """The model is loaded and warm."""

    facts: EngineFacts


@dataclass(frozen=True)
class Refused:
    """The model cannot be loaded, and the process ends.

    Attributes:
        trace: the traceback of a defect; empty for any other error.
    """

    error: BridgeError
    trace: str = ""


@dataclass(frozen=True)
class Progressed:
    """The share of the job that is done, 0…1; sent about ten times a second.

    Attributes:
        doing: what is being done, where that is not generating.
    """

    number: int
    share: float
    doing: str = ""


@dataclass(frozen=True)
class BufferOpened:
    """The process has the job's buffer open, so the daemon can unlink its name."""

    number: int


@dataclass(frozen=True)
class FramesWritten:
    """The buffer holds this many frames of each variation; the number grows."""

    number: int
    frames: int


@dataclass(frozen=True)
class Finished:
    """The job's audio is complete."""

    number: int


@dataclass(frozen=True)
class Failed:
    """The job ends with an error, and the process is free for the next one.

    Attributes:
        trace: the traceback of a defect; empty for any other error.
    """

    number: int
    error: BridgeError
    trace: str = ""


@dataclass(frozen=True)
class WorkCounters:
    """The status in the heartbeat: the work since the process began.

    Attributes:
        steps: decoding steps made.
        cpu_seconds: processor time, of all threads together.
    """

    steps: int
    cpu_seconds: float
