"""Clips for tests of the output, and what is measured of its sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

import numpy as np
from numpy.typing import NDArray

from bridge.soundcard.clip_memory import ClipMemory
from bridge.soundcard.mixer import Mixer

RATE = 44_100
CLIPS: dict[int, ClipMemory] = {}
"""Every clip in shared memory, by its number."""
_NUMBERS = count(1)


def noise(frames: int, amplitude: float = 0.2, seed: int = 5) -> NDArray[np.float32]:
    """Stereo noise without a 0, float32 `[frames, 2]`."""
    random = np.random.default_rng(seed)
    samples = random.uniform(0.001, amplitude, (frames, 2)).astype(np.float32)
    samples[random.random(samples.shape) < 0.5] *= -1
    return samples


def tone(frames: int, periods: int, amplitude: float = 0.2) -> NDArray[np.float32]:
    """A stereo sine of whole periods, which loops without a seam."""
    phase = 2 * np.pi * periods * np.arange(frames) / frames
    return np.repeat((amplitude * np.sin(phase)).astype(np.float32)[:, np.newaxis], 2, axis=1)


@contextmanager
def clip_memory(samples: NDArray[np.float32], written: int | None = None) -> Iterator[ClipMemory]:
    """The samples as a clip in shared memory.

    Args:
        written: frames that are there; None: all.
    """
    clip = ClipMemory.create(next(_NUMBERS), samples.shape[0], samples.shape[1], RATE)
    try:
        clip.append(samples[:written])
        CLIPS[clip.number] = clip
        yield clip
    finally:
        CLIPS.pop(clip.number, None)
        clip.unlink()


def render(
    mixer: Mixer, frames: int, blocks: Sequence[int] = (512,), first: int = 0
) -> NDArray[np.float32]:
    """Render in blocks of these sizes, over and over."""
    out = np.full((frames, 2), np.nan, np.float32)
    done = number = 0
    while done < frames:
        size = min(blocks[number % len(blocks)], frames - done)
        mixer.render(out[done : done + size], first + done)
        done, number = done + size, number + 1
    return out


def spectral_flux(samples: NDArray[np.float32], lowest_hz: float = 0.0) -> NDArray[np.float64]:
    """The growth of the spectrum from one window to the next; windows are 128 frames apart.

    Args:
        samples: `[frames, channels]`.
        lowest_hz: a lower part of the spectrum does not count; a click is in every part.
    """
    mono, window = samples.mean(axis=1), np.hanning(256)
    starts = range(0, len(mono) - len(window), 128)
    spectra = np.array(
        [np.abs(np.fft.rfft(mono[start : start + len(window)] * window)) for start in starts]
    )
    spectra = spectra[:, round(lowest_hz / RATE * len(window)) :]
    flux: NDArray[np.float64] = np.maximum(np.diff(spectra, axis=0), 0).sum(axis=1)
    return flux
