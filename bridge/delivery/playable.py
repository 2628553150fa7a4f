"""A clip as it is played: read from its file, and prepared for an output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import soundfile
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.delivery.history import KnownClip
from bridge.errors import UnreadableFile
from bridge.timing import Meter, bars_to_frames

Stretch = Callable[[Waveform, int], Waveform]
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
    """
    try:
        samples, sample_rate = soundfile.read(clip.path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise UnreadableFile(f"{clip.path.name} cannot be played: {error}") from error
    waveform = Waveform(np.ascontiguousarray(samples), sample_rate)
    return PlayableClip(clip.path.stem, waveform, clip.bars, clip.meter, clip.tempo_bpm)


def prepared(
    clip: PlayableClip,
    tempo_bpm: Fraction,
    *,
    sample_rate: int,
    channels: int,
    stretch: Stretch,
) -> NDArray[np.float32]:
    """The clip at a tempo, for an output; it takes up to a second, so call it in a thread.

    The original is stretched as a whole, never an earlier stretch of it.

    Args:
        channels: of the output, 1 or 2.

    Returns:
        float32 `[frames, channels]`, exactly its bars at that tempo.
    """
    waveform = clip.waveform
    if tempo_bpm != clip.tempo_bpm:
        waveform = stretch(waveform, clip.frames_at(tempo_bpm, waveform.sample_rate))
    waveform = waveform.resampled(sample_rate)
    waveform = waveform.mono() if channels == 1 else waveform.stereo()
    samples = waveform.samples[: clip.frames_at(tempo_bpm, sample_rate)]
    missing = clip.frames_at(tempo_bpm, sample_rate) - len(samples)
    return np.pad(samples, ((0, missing), (0, 0)))
