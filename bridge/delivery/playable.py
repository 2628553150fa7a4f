"""A clip as it is played: read from its file, and prepared for an output."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import soundfile
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.delivery.sidecar import KnownClip
from bridge.errors import BadArgument, UnreadableFile
from bridge.timing import Meter, bars_to_frames

Stretch = Callable[[Waveform, int], Awaitable[Waveform]]
"""Stretches a loop to a number of frames at the same pitch; its seam stays closed."""


@dataclass(frozen=True, eq=False)
class PlayableClip:
    """A loop of whole bars.

    Attributes:
        name: for people.
        waveform: all of its bars.
        tempo_bpm: at which it was made.
    """

    name: str
    waveform: Waveform
    bars: int
    meter: Meter
    tempo_bpm: Fraction

    @property
    def beats(self) -> Fraction:
        """Its length in quarter notes."""
        return self.bars * self.meter.beats_per_bar

    def frames_at(self, tempo_bpm: Fraction, sample_rate: int) -> int:
        """Its length in frames at a tempo and a rate."""
        return bars_to_frames(self.bars, self.meter, tempo_bpm, sample_rate)


def read_clip(clip: KnownClip) -> PlayableClip:
    """Read a clip from its file.

    Raises:
        UnreadableFile: the file is gone, or is no audio.
        BadArgument: the clip is raw.
    """
    if not clip.bars:
        raise BadArgument(
            f"{clip.path.stem} is a raw clip, without bars, and does not loop: render it with bars "
            "to play it here"
        )
    try:
        samples, sample_rate = soundfile.read(clip.path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise UnreadableFile(f"{clip.path.name} cannot be played: {error}") from error
    waveform = Waveform(np.ascontiguousarray(samples), sample_rate)
    return PlayableClip(clip.path.stem, waveform, clip.bars, clip.meter, clip.tempo_bpm)


async def at_tempo(clip: PlayableClip, tempo_bpm: Fraction, stretch: Stretch) -> Waveform:
    """The clip at a tempo. The original is stretched as a whole, never an earlier stretch of it."""
    if tempo_bpm == clip.tempo_bpm:
        return clip.waveform
    return await stretch(clip.waveform, clip.frames_at(tempo_bpm, clip.waveform.sample_rate))


def for_output(
    waveform: Waveform, *, frames: int, sample_rate: int, channels: int
) -> NDArray[np.float32]:
    """A waveform at an output's rate and channels; best called in a thread.

    Args:
        frames: of the result; what is missing is silent.
        channels: of the output, 1 or 2.

    Returns:
        float32 `[frames, channels]`.
    """
    waveform = waveform.resampled(sample_rate)
    waveform = waveform.mono() if channels == 1 else waveform.stereo()
    samples = waveform.samples[:frames]
    return np.pad(samples, ((0, frames - len(samples)), (0, 0)))
