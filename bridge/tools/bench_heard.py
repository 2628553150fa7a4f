"""What a daemon's output played: when sound came, and on which frame a clip began."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridge.tools.bench_sound import SAMPLE_RATE

PIECE_FRAMES = 8000
"""A piece of a clip that is searched for in what was heard."""
FIRST_FRAMES = 1000
"""The piece begins so far in the clip: after the fade of a swap."""
SAME = 0.99
"""Normalised correlation of a piece with itself, under what other layers add; 1 without them."""
_APART_FRAMES = 2000


@dataclass(frozen=True)
class Heard:
    """What the output played lately.

    Attributes:
        samples: float32 `[frames, channels]`, without gaps; zeros where the server missed periods.
        first_frame: the server's number of the first one.
        start_seconds: when that one was handed over, on `time.perf_counter`.
        xruns: how often the server has missed a period so far.
    """

    samples: NDArray[np.float32]
    first_frame: int
    start_seconds: float
    xruns: int

    @property
    def end_seconds(self) -> float:
        """When the frame after the last one was handed over."""
        return self.start_seconds + len(self.samples) / SAMPLE_RATE

    def index_at(self, seconds: float) -> int:
        """The index into `samples` at an instant; 0 if that is before the first."""
        return max(0, round((seconds - self.start_seconds) * SAMPLE_RATE))

    def first_sound_seconds(self, after_seconds: float) -> float | None:
        """When the first frame that is not silent was heard, from an instant on; None: never."""
        skipped = self.index_at(after_seconds)
        sounding = np.flatnonzero(np.any(self.samples[skipped:], axis=1))
        if not len(sounding):
            return None
        return self.start_seconds + (skipped + int(sounding[0])) / SAMPLE_RATE


def read_heard(path: Path) -> Heard:
    """Read what `bench_sound` has saved."""
    with np.load(path) as saved:
        frames, seconds, cycles = saved["frames"], saved["seconds"], saved["samples"]
        xruns = int(saved["xruns"])
    places = frames - frames[0]
    samples = np.zeros((places[-1] + cycles.shape[1], cycles.shape[2]), np.float32)
    for place, cycle in zip(places, cycles, strict=True):
        samples[place : place + len(cycle)] = cycle
    # A callback may come late and never early: the earliest one gives the time of all.
    start_seconds = float(np.min(seconds - places / SAMPLE_RATE))
    return Heard(samples, int(frames[0]), start_seconds, xruns)


def entries(
    samples: NDArray[np.float32], clip: NDArray[np.float32], first: int = FIRST_FRAMES
) -> NDArray[np.int64]:
    """The frames at which repetitions of a clip begin in what was heard; negative: before it.

    Args:
        samples, clip: `[frames]`, one channel at one rate.
        first: where in the clip the piece begins that is searched for.
    """
    piece = clip[first : first + PIECE_FRAMES]
    size = 1 << (len(samples) + len(piece)).bit_length()
    spectrum = np.fft.rfft(samples, size) * np.conj(np.fft.rfft(piece, size))
    match = np.fft.irfft(spectrum, size)[: len(samples)]
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    ends = np.minimum(np.arange(len(samples)) + len(piece), len(samples))
    norm = np.sqrt(np.maximum(energy[ends] - energy[:-1], 1e-9) * np.sum(piece**2))
    likeness = match / norm
    found = np.flatnonzero(likeness > SAME)
    groups = np.split(found, np.flatnonzero(np.diff(found) > _APART_FRAMES) + 1)
    best = [group[np.argmax(likeness[group])] for group in groups if len(group)]
    return np.array(best, np.int64) - first
