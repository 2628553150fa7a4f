"""Changes of harmony: chords and basses tend to move on a bar line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.clip.fft import fast_length, transform
from bridge.spectrum import power_spectrogram

STEP_SECONDS = 0.02
WINDOW_SECONDS = 0.2
"""Long enough to separate semitones from the second octave up."""
LOWEST_PITCH = 36
HIGHEST_PITCH = 88
"""MIDI note numbers, 65 to 1319 Hz: chords and bass, not cymbals."""
HARMONY_SAMPLE_RATE = 8000
"""Hz. The highest note that counts as harmony is at 1.3 kHz."""
NOT_HELD = 0.1
HELD = 0.4
"""Median over mean of the levels, and what counts as held not at all, or fully. Measured: drums
alone 0.07, plucks and drums 0.5, a pad almost 1."""
_LEVELS_AT_ONCE = 1 << 16
"""Levels whose median is taken at once: they stay in the processor's cache."""


def harmonic_change(
    waveform: Waveform, times: NDArray[np.float64], reach_seconds: float
) -> NDArray[np.float64]:
    """Distance between the notes held before and after each time.

    Args:
        times: float64 `[times]`, seconds from frame 0.
        reach_seconds: length of the audio compared on each side, positive.

    Returns:
        float64 `[times]`: 1 minus the cosine of the two pitch spectra's angle, 0 (the same)…1.
        0 where nothing is held (drums alone), or where one side is not inside the waveform.
    """
    levels = _pitch_levels(waveform)
    reach = max(1, round(reach_seconds / STEP_SECONDS))
    centres = np.round(times / STEP_SECONDS).astype(int)
    inside = np.flatnonzero((centres >= reach) & (centres + reach <= levels.shape[0]))
    # A span after one time is the span before another, where the times are on a grid.
    starts, which = np.unique(
        np.concatenate([centres[inside] - reach, centres[inside]]), return_inverse=True
    )
    means, held = _means_and_medians(levels, starts, reach)
    change = np.zeros(times.size)
    for index, before, after in zip(inside, *which.reshape(2, -1), strict=True):
        change[index] = _distance(means[before], held[before], means[after], held[after])
    return change


def _means_and_medians(
    levels: NDArray[np.float32], starts: NDArray[np.intp], length: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and median of each span of pitch levels, `[spans, pitches]` each."""
    means = np.empty((len(starts), levels.shape[1]), dtype=np.float32)
    medians = np.empty_like(means)
    block = max(1, _LEVELS_AT_ONCE // (length * levels.shape[1]))
    for first in range(0, len(starts), block):
        spans = levels[starts[first : first + block, None] + np.arange(length)]
        means[first : first + block] = spans.mean(axis=1)
        medians[first : first + block] = np.median(spans, axis=1)
    return means, medians


def _distance(
    mean_before: NDArray[np.float32],
    held_before: NDArray[np.float32],
    mean_after: NDArray[np.float32],
    held_after: NDArray[np.float32],
) -> float:
    """Harmonic distance of two spans, from mean and median of each pitch's level, `[pitches]`."""
    # The median ignores drums: they sound for less than half of the time.
    sounding = float(mean_before.sum() + mean_after.sum())
    if sounding <= 0:
        return 0.0
    held = float(held_before.sum() + held_after.sum()) / sounding
    share = min(1.0, max(0.0, (held - NOT_HELD) / (HELD - NOT_HELD)))
    norm = float(np.sqrt(held_before.sum() * held_after.sum()))
    if norm <= 0 or share == 0:
        return 0.0
    return share * max(0.0, 1 - float(np.sqrt(held_before) @ np.sqrt(held_after)) / norm)


def _pitch_levels(waveform: Waveform) -> NDArray[np.float32]:
    """Magnitude at each pitch: `[steps, pitches]`."""
    waveform = waveform.mono().resampled(HARMONY_SAMPLE_RATE)
    rate = waveform.sample_rate
    window = fast_length(WINDOW_SECONDS * rate)
    hop = round(STEP_SECONDS * rate)
    mono = np.pad(waveform.samples[:, 0], window // 2)
    starts = np.arange(0, len(mono) - window + 1, hop)
    edges = 440 * 2 ** ((np.arange(LOWEST_PITCH, HIGHEST_PITCH + 2) - 69.5) / 12)
    bins = np.unique(np.round(edges / rate * window).astype(int))
    return power_spectrogram(
        mono,
        np.hanning(window).astype(np.float32),
        starts,
        lambda power: np.sqrt(np.maximum.reduceat(power, bins, axis=1)[:, :-1], dtype=np.float32),
        transform,
    )
