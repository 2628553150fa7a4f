"""One audio type for the whole program, its resampling, and decibels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import soxr
from numpy.typing import NDArray

from bridge.errors import BadArgument

MODEL_SAMPLE_RATE = 32_000
"""Hz. The rate that every MusicGen checkpoint is trained at (its EnCodec's `sampling_rate`)."""

Levels = TypeVar("Levels", float, NDArray[np.float64])


@dataclass(frozen=True, eq=False)
class Waveform:
    """Sampled audio.

    Attributes:
        samples: float32 `[frames, channels]`, nominally within −1…1, finite.
        sample_rate: Hz, positive.

    Raises:
        BadArgument: the array is not two-dimensional float32, has no channel, holds a NaN or an
            infinity, or the rate is not positive.
    """

    samples: NDArray[np.float32]
    sample_rate: int

    def __post_init__(self) -> None:
        samples = self.samples
        if samples.ndim != 2 or samples.shape[1] < 1 or samples.dtype != np.float32:
            raise BadArgument(
                "a waveform is float32 [frames, channels], "
                f"got {samples.dtype} {list(samples.shape)}"
            )
        if self.sample_rate <= 0:
            raise BadArgument(f"a sample rate is positive, got {self.sample_rate}")
        if not np.isfinite(samples).all():
            raise BadArgument("a waveform is finite, got NaN or infinity")

    @property
    def frames(self) -> int:
        """Samples per channel."""
        return int(self.samples.shape[0])

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[1])

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.frames / self.sample_rate

    def mono(self) -> Waveform:
        """The mean of the channels, `[frames, 1]`."""
        if self.channels == 1:
            return self
        return Waveform(self.samples.mean(axis=1, keepdims=True), self.sample_rate)

    def stereo(self) -> Waveform:
        """Two channels: stereo unchanged, mono doubled, more than two mixed to mono and doubled."""
        if self.channels == 2:
            return self
        return Waveform(np.repeat(self.mono().samples, 2, axis=1), self.sample_rate)

    def resampled(self, sample_rate: int) -> Waveform:
        """The same sound at another rate (soxr, very high quality); itself if that is its rate.

        Raises:
            BadArgument: the rate is not positive.
        """
        if sample_rate <= 0:
            raise BadArgument(f"a sample rate is positive, got {sample_rate}")
        if sample_rate == self.sample_rate:
            return self
        if self.frames == 0:
            return Waveform(self.samples, sample_rate)
        samples = soxr.resample(self.samples, self.sample_rate, sample_rate, quality="VHQ")
        return Waveform(np.ascontiguousarray(samples, dtype=np.float32), sample_rate)


def db_to_amplitude(db: float) -> float:
    """The amplitude ratio of a level in dB: 6.02 dB are 2."""
    return float(10 ** (db / 20))


def amplitude_to_db(amplitude: float) -> float:
    """The level in dB of a positive amplitude ratio."""
    return float(20 * np.log10(amplitude))


def db_to_power(db: Levels) -> Levels:
    """The power ratio of a level in dB, or of each of an array: 3.01 dB are 2."""
    power: Levels = 10 ** (db / 10)
    return power


def power_to_db(power: Levels) -> Levels:
    """The level in dB of a positive power ratio, or of each of an array."""
    db: Levels = 10 * np.log10(power)
    return db
