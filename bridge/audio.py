"""One audio type for the whole program, its resampling, and decibels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import soxr
from numpy.typing import NDArray

from bridge.errors import BadArgument

MODEL_SAMPLE_RATE = 32_000
TOKENS_A_SECOND = 50
"""Codec steps in a second of MusicGen's audio: the model makes a token of each codebook a step."""
LONGEST_DELAY = 3
"""Steps by which the last codebook of MusicGen is behind the first, so that n steps take n + 3."""
"""Hz. The rate that every MusicGen checkpoint is trained at (its EnCodec's `sampling_rate`)."""
MOST_LOST_DB = 9.0
"""The mean of channels may be this much softer than the loudest; one side of two is 6 dB softer."""
_MEASURED_FRAMES = 1 << 16

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
        """The mean of the channels, or where they cancel, the loudest of them: `[frames, 1]`.

        `Mixdown` decides which.
        """
        if self.channels == 1:
            return self
        mixdown = Mixdown(self.channels)
        mixdown.measure(self.samples)
        return Waveform(mixdown.mixed(self.samples), self.sample_rate)

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


class Mixdown:
    """Mixes channels to one without losing the sound: `measure` all blocks, then mix them.

    The mean of the channels is the mix, as in the official feature extractor. Where it is more than
    `MOST_LOST_DB` below the loudest channel, the loudest channel is: the two sides of a recording
    may cancel, and a voice on one of eighteen inputs becomes 25 dB softer in their mean. Levels are
    without DC.
    """

    def __init__(self, channels: int) -> None:
        """Args:
        channels: of every block, 1 or more.
        """
        self._frames = 0
        # The last column is the mean of the channels.
        self._sums = np.zeros(channels + 1)
        self._squares = np.zeros(channels + 1)

    def measure(self, samples: NDArray[np.float32]) -> None:
        """Add samples `[frames, channels]` to the measured levels."""
        self._frames += len(samples)
        for first in range(0, len(samples), _MEASURED_FRAMES):
            block = samples[first : first + _MEASURED_FRAMES]
            for index, column in enumerate((*block.T, _mean(block))):
                exact = column.astype(np.float64)
                self._sums[index] += exact.sum()
                self._squares[index] += exact @ exact

    @property
    def channel(self) -> int | None:
        """The channel that is the mix, from 0; None: the mean of all is."""
        power = self._squares - self._sums**2 / max(self._frames, 1)
        loudest = int(power[:-1].argmax())
        return loudest if power[-1] < power[loudest] * db_to_power(-MOST_LOST_DB) else None

    def mixed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mix samples `[frames, channels]` as was measured: float32 `[frames, 1]`."""
        channel = self.channel
        if channel is None:
            return _mean(samples)[:, None]
        return samples[:, channel : channel + 1].copy()


def magnitudes(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The greatest magnitude of any channel, `[frames]` of `[frames, channels]`."""
    greatest = np.abs(samples[:, 0])
    for channel in samples.T[1:]:
        np.maximum(greatest, np.abs(channel), out=greatest)
    return greatest


def _mean(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the channels, float32 `[frames]`.

    Channel by channel: numpy's own mean over an axis of two takes several times as long.
    """
    total = samples[:, 0].copy()
    for channel in samples.T[1:]:
        total += channel
    total /= np.float32(samples.shape[1])
    return total


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
