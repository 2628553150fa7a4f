"""Onsets of sounds: how strong, in which bands, and when, to about a millisecond.

This module does not know tempo or bars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bridge.audio import Waveform, db_to_power, power_to_db
from bridge.clip.fft import fast_length, transform
from bridge.spectrum import hann, power_spectrogram

HOP_SECONDS = 0.005
"""Step of the onset strength."""
WINDOW_SECONDS = 0.032
"""Long enough to hold a kick drum's period."""
AHEAD_WINDOWS = 0.25
"""A step's window ends this many window lengths after the step. In decibels an attack shows as soon
as the window touches it, so a centred window would find it early, and an attack on frame 0 not at
all."""
LAG_HOPS = 3
"""Spectral flux compares with the spectrum this many hops ago, as in Böck and Widmer, "Maximum
filter vibrato suppression for onset detection", DAFx 2013."""
BANDS = 28
LOWEST_HZ = 35.0
HIGHEST_HZ = 15_000.0
KICK_HZ = 160.0
"""Kick drum and bass are below this frequency."""
SNARE_HZ = (1_200.0, 6_000.0)
"""A band with a snare's noise and without a kick."""
BAND_RANGE_DB = 45.0
"""Range of a band below its own loudest step; what is quieter counts as the floor."""
TOTAL_RANGE_DB = 70.0
"""Range of every band below the loudest step of all bands; what is quieter is hiss."""
ONSET_DB = 0.6
"""A rise, averaged over the bands, counts from this much above the usual rise, and is an onset from
twice this much."""
NEIGHBOUR_SECONDS = 0.4
"""The usual rise is the median over this time."""
APART_SECONDS = 0.04
"""Two onsets closer than this are one."""
FINE_HOP_SECONDS = 0.001
FINE_WINDOW_SECONDS = 0.008
FINE_REACH_SECONDS = 0.02
"""The fine pass moves an onset by at most this."""
FINE_DELAY_SECONDS = 0.0015
"""Delay of the fine pass after an attack, measured on drums and plucks."""

_STEPS_AT_ONCE = 4096
"""Steps of the fine pass at once: 10 minutes have 600,000 of them, each with 28 bands."""


@dataclass(frozen=True, eq=False)
class Onsets:
    """Onset strength and onset times of a waveform.

    Attributes:
        strength: float64 `[steps]`, mean rise over the bands in dB a step, 0 where nothing begins.
        low: float64 `[steps]`, the same below `KICK_HZ` alone, times that band's share of the rise
            in amplitude: a hat rises by many dB in the bass too, from nothing to next to nothing.
        snare: float64 `[steps]`, the same within `SNARE_HZ`.
        step_seconds: seconds a step; step 0 is at frame 0.
        times: float64 `[onsets]`, seconds from frame 0, ascending.
        weights: float64 `[onsets]`, the strength at each onset, at most twice the median.
    """

    strength: NDArray[np.float64]
    low: NDArray[np.float64]
    snare: NDArray[np.float64]
    step_seconds: float
    times: NDArray[np.float64]
    weights: NDArray[np.float64]


def find_onsets(waveform: Waveform, *, loops: bool = False) -> Onsets:
    """Find the onsets of a waveform.

    Before frame 0 comes the waveform's end if it `loops`, and silence otherwise.
    """
    decibel, hz, step_seconds = band_levels(waveform, loops=loops)
    rise = _rise(decibel)
    strength = _above_usual(rise.mean(axis=1), step_seconds)
    peaks = _peaks(strength, step_seconds)
    if not loops:
        # The cut at the end spreads over the spectrum as an attack does, but nothing begins there.
        peaks = peaks[peaks * step_seconds < waveform.seconds - WINDOW_SECONDS]
    weights = strength[peaks]
    if peaks.size:
        # One crash must not outvote a bar of hats.
        weights = np.minimum(weights, 2 * np.median(weights))
    is_low = hz < KICK_HZ
    is_snare = (hz > SNARE_HZ[0]) & (hz < SNARE_HZ[1])
    power = db_to_power(decibel)
    louder = np.maximum(_louder(power), 1e-12)
    low, snare = (
        _above_usual(rise[:, bands].sum(axis=1) / max(1, bands.sum()), step_seconds)
        * (_louder(power[:, bands]) / louder).clip(0, 1)
        for bands in (is_low, is_snare)
    )
    return Onsets(
        strength=strength,
        low=low,
        snare=snare,
        step_seconds=step_seconds,
        times=_refined(waveform, peaks.astype(np.float64) * step_seconds, loops),
        weights=weights,
    )


def band_levels(
    waveform: Waveform,
    *,
    hop_seconds: float = HOP_SECONDS,
    window_seconds: float = WINDOW_SECONDS,
    loops: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Level of each band over time.

    Returns:
        float64 `[LAG_HOPS + steps, bands]` in dB, never below the band's floor (index `LAG_HOPS` is
        at frame 0); the bands' centres in Hz; seconds per step.
    """
    rate = waveform.sample_rate
    hop = max(1, round(hop_seconds * rate))
    window = fast_length(window_seconds * rate)
    edges = np.geomspace(LOWEST_HZ, min(HIGHEST_HZ, rate / 2), BANDS + 1)
    bins = np.unique(np.round(edges / rate * window).astype(int).clip(0, window // 2))
    level = _band_power(waveform.samples, hop, window, bins, loops)
    floor = np.maximum(
        level.max(axis=0, initial=0.0) * db_to_power(-BAND_RANGE_DB),
        level.max(initial=0.0) * db_to_power(-TOTAL_RANGE_DB),
    )
    hz = (bins[:-1] + bins[1:] - 1) / 2 * rate / window
    return power_to_db(np.maximum(level, floor) + 1e-30), hz, hop / rate


def _rise(decibel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rise of each band over its neighbourhood `LAG_HOPS` before: `[steps, bands]`.

    The maximum over neighbouring bands keeps vibrato from looking like one band's onset.
    """
    # Importing scipy takes long: a request that is refused must not wait for that.
    from scipy.ndimage import maximum_filter1d

    around = maximum_filter1d(decibel, 3, axis=1, mode="nearest")
    rise: NDArray[np.float64] = np.maximum(0.0, decibel[LAG_HOPS:] - around[:-LAG_HOPS])
    return rise


def _band_power(
    samples: NDArray[np.float32], hop: int, window: int, bins: NDArray[np.intp], loops: bool
) -> NDArray[np.float64]:
    """Power from bin to bin, summed over the channels: `[LAG_HOPS + steps, len(bins) - 1]`.

    The first `LAG_HOPS` steps are before frame 0.
    """
    frames = samples.shape[0]
    lead = LAG_HOPS * hop + window - round(AHEAD_WINDOWS * window)
    steps = LAG_HOPS + max(1, -(-frames // hop))
    needed = (steps - 1) * hop + window
    pad = ((lead, max(0, needed - lead - frames)), (0, 0))
    padded = np.pad(samples, pad, mode="wrap") if loops and frames else np.pad(samples, pad)
    weights = hann(window).astype(np.float32)
    starts = np.arange(steps) * hop

    def in_bands(power: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.add.reduceat(power, bins, axis=1, dtype=np.float64)[:, :-1]

    bands = np.zeros((steps, len(bins) - 1))
    for channel in padded.T:
        bands += power_spectrogram(channel, weights, starts, in_bands, transform)
    return bands


def _louder(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rise in the amplitude of all these bands together since `LAG_HOPS` before."""
    amplitude = np.sqrt(power.sum(axis=1))
    rise: NDArray[np.float64] = np.maximum(0.0, amplitude[LAG_HOPS:] - amplitude[:-LAG_HOPS])
    return rise


def _above_usual(strength: NDArray[np.float64], step_seconds: float) -> NDArray[np.float64]:
    """The part of the strength above its neighbourhood's median and `ONSET_DB`."""
    from scipy.ndimage import median_filter

    reach = max(1, round(NEIGHBOUR_SECONDS / 2 / step_seconds))
    usual = median_filter(strength, 2 * reach + 1, mode="constant")
    above: NDArray[np.float64] = np.maximum(0.0, strength - usual - ONSET_DB)
    return above


def _peaks(strength: NDArray[np.float64], step_seconds: float) -> NDArray[np.intp]:
    """Steps that are the strongest within `APART_SECONDS`, and above `ONSET_DB`."""
    reach = max(1, round(APART_SECONDS / step_seconds))
    around = sliding_window_view(np.pad(strength, reach), 2 * reach + 1)
    # The first of equal steps: a plateau is one onset.
    first = np.argmax(around, axis=1) == reach
    return np.flatnonzero(first & (strength > ONSET_DB))


def _refined(waveform: Waveform, times: NDArray[np.float64], loops: bool) -> NDArray[np.float64]:
    """Move each time to the steepest rise nearby, measured with a short window."""
    if not times.size:
        return times
    decibel, _, step_seconds = band_levels(
        waveform, hop_seconds=FINE_HOP_SECONDS, window_seconds=FINE_WINDOW_SECONDS, loops=loops
    )
    rise = np.concatenate(
        [
            _rise(decibel[first : first + _STEPS_AT_ONCE + LAG_HOPS]).mean(axis=1)
            for first in range(0, len(decibel) - LAG_HOPS, _STEPS_AT_ONCE)
        ]
    )
    reach = round(FINE_REACH_SECONDS / step_seconds)
    padded = np.pad(rise, reach, mode="wrap" if loops else "constant")
    nearness = 1 - (np.arange(-reach, reach + 1) / (reach + 1)) ** 2
    refined = times.copy()
    for index, time in enumerate(times):
        centre = min(round(time / step_seconds), rise.size - 1)
        near = padded[centre : centre + 2 * reach + 1] * nearness
        if near.max() > 2 * ONSET_DB:
            refined[index] = (centre + int(near.argmax()) - reach) * step_seconds
            refined[index] -= FINE_DELAY_SECONDS
    return np.maximum(refined, 0.0)
