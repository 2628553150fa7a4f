"""Changes of harmony: chords and basses tend to move on a bar line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.spectrum import power_spectrogram

STEP_SECONDS = 0.02
WINDOW_SECONDS = 0.2
"""Long enough to separate semitones from the second octave up."""
LOWEST_PITCH = 36
HIGHEST_PITCH = 88
"""MIDI note numbers, 65 to 1319 Hz: chords and bass, not cymbals."""
NOT_HELD = 0.1
HELD = 0.4
"""Median over mean of the levels, and what counts as held not at all, or fully. Measured: drums
alone 0.07, plucks and drums 0.5, a pad almost 1."""


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
    change = np.zeros(times.size)
    for index, centre in enumerate(np.round(times / STEP_SECONDS).astype(int)):
        if centre < reach or centre + reach > levels.shape[0]:
            continue
        change[index] = _distance(levels[centre - reach : centre], levels[centre : centre + reach])
    return change


def _distance(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Harmonic distance of two spans of pitch levels, each `[steps, pitches]`."""
    # The median ignores drums: they sound for less than half of the time.
    held_before, held_after = np.median(before, axis=0), np.median(after, axis=0)
    sounding = float(before.mean(axis=0).sum() + after.mean(axis=0).sum())
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
    rate = waveform.sample_rate
    window = 2 * round(WINDOW_SECONDS * rate / 2)
    hop = round(STEP_SECONDS * rate)
    mono = np.pad(waveform.mono().samples[:, 0], window // 2)
    starts = np.arange(0, len(mono) - window + 1, hop)
    edges = 440 * 2 ** ((np.arange(LOWEST_PITCH, HIGHEST_PITCH + 2) - 69.5) / 12)
    bins = np.unique(np.round(edges / rate * window).astype(int))
    return power_spectrogram(
        mono,
        np.hanning(window).astype(np.float32),
        starts,
        lambda power: np.sqrt(np.maximum.reduceat(power, bins, axis=1)[:, :-1], dtype=np.float32),
    )
