"""The tempo that is really played, near a known one, and the phase of its grid.

MusicGen lands within a few beats per minute of a prompted tempo, so the search covers only that
neighbourhood. Double and half tempo have the same grid and are not distinguished.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bridge.clip.onsets import Onsets
from bridge.timing import Meter, beats_to_seconds

TEMPO_RANGE = 0.08
"""The search for the played tempo covers this share of the known one on both sides."""
GRID_SECONDS = (0.08, 0.25)
"""A pulse's grid is the sixteenth note, halved or doubled until it is between these."""
LEVEL_WEIGHTS = {"grid": 1.0, "eighth": 1.0, "beat": 1.0, "bar": 0.5}
"""Weight of each metrical level: fine levels make the tempo precise, coarse ones unambiguous."""
NEAR_KNOWN = 0.06
"""Standard deviation of the played tempo around the known one, as a share of it."""
HIT_SECONDS = 0.015
HIT_SHARE = 0.15
"""An onset is on a grid line within this time or this share of the grid, whichever is less."""
FEWEST_ONSETS = 6
FEWEST_A_BEAT = 0.3
"""Fewer onsets than these, in all or per beat, are not a pulse."""
SURE = 4.0
"""Standard deviations by which hits must exceed those of random onsets."""
OTHER_TEMPO = 0.003
"""Two ratios of played to known tempo that differ by more are two tempos, not two fits of one."""
FEWEST_HITS = 0.5
"""Least share of the onsets' weight on the grid. It is below 1: swung off-beats are not on it."""


@dataclass(frozen=True)
class Pulse:
    """The grid of a piece's onsets.

    Attributes:
        ratio: played tempo over known tempo, 0.92…1.08.
        ratio_error: its standard error.
        phase_seconds: a grid line, in seconds from frame 0 of the audio.
        grid_beats: quarter notes from grid line to grid line.
        grid_seconds: seconds from grid line to grid line, as played.
        hits: share of the onsets' weight on the grid, 0…1.
        margin: by how much its hits exceed those of the best other tempo, both weighed by how near
            the tempo is to the known one; infinite where there is no other.
    """

    ratio: float
    ratio_error: float
    phase_seconds: float
    grid_beats: Fraction
    grid_seconds: float
    hits: float
    margin: float = math.inf


def find_pulse(
    onsets: Onsets, tempo_bpm: Fraction, meter: Meter, *, longer: float = 1.0
) -> Pulse | None:
    """The pulse within ±8 % of the known tempo; None when no pulse is reliable.

    Args:
        longer: the pulse has to be reliable in audio so many times as long, with as many onsets a
            second, as close to the grid. None then says that more audio will hardly have one.
    """
    grid_beats = _grid_beats(tempo_bpm)
    known_seconds = float(beats_to_seconds(grid_beats, tempo_bpm))
    span = onsets.strength.size * onsets.step_seconds
    beats = span * float(tempo_bpm) / 60
    fewest = max(FEWEST_ONSETS, FEWEST_A_BEAT * min(beats, span * 3) * longer)
    if onsets.times.size * longer < fewest:
        return None
    levels = _levels(grid_beats, meter)
    ratios = _candidates(onsets, tempo_bpm, levels, known_seconds)
    fits = [_fitted(onsets, known_seconds, ratio, grid_beats) for ratio in ratios]
    best = max(fits, key=_weighed_hits)
    if not _is_sure(best, onsets, longer):
        return None
    others = [fit for fit in fits if abs(fit.ratio - best.ratio) > OTHER_TEMPO]
    margin = _weighed_hits(best) - max(map(_weighed_hits, others), default=-math.inf)
    return replace(best, margin=margin)


def is_compound(meter: Meter) -> bool:
    """Whether a meter's beats are dotted, as in 6/8, 9/8 and 12/8."""
    return meter.denominator >= 8 and meter.numerator % 3 == 0 and meter.numerator > 3


def _grid_beats(tempo_bpm: Fraction) -> Fraction:
    grid = Fraction(1, 4)
    while beats_to_seconds(grid, tempo_bpm) < GRID_SECONDS[0]:
        grid *= 2
    while beats_to_seconds(grid, tempo_bpm) > GRID_SECONDS[1]:
        grid /= 2
    return grid


def _levels(grid_beats: Fraction, meter: Meter) -> list[tuple[Fraction, float]]:
    """Metrical levels no finer than the grid: length in quarter notes, and weight."""
    beat = Fraction(12, meter.denominator) if is_compound(meter) else Fraction(1)
    named = {
        "grid": grid_beats,
        "eighth": Fraction(1, 2),
        "beat": beat,
        "bar": meter.beats_per_bar,
    }
    return [(beats, LEVEL_WEIGHTS[n]) for n, beats in named.items() if beats >= grid_beats]


def _candidates(
    onsets: Onsets, tempo_bpm: Fraction, levels: list[tuple[Fraction, float]], grid_seconds: float
) -> list[float]:
    """The three most likely ratios of played to known tempo, by the response of a comb."""
    span = onsets.strength.size * onsets.step_seconds
    # The finest level's response is about grid / span wide.
    count = 1 + 2 * max(8, int(np.ceil(4 * TEMPO_RANGE * span / grid_seconds)))
    ratios = np.linspace(1 - TEMPO_RANGE, 1 + TEMPO_RANGE, count)
    weight = np.minimum(onsets.strength, onsets.weights.max())
    score = np.zeros(count)
    for beats, level_weight in levels:
        turns = ratios * onsets.step_seconds * float(tempo_bpm) / 60 / float(beats)
        response = _response(weight, turns[0], turns[1] - turns[0], count) / weight.sum()
        score += level_weight * response**2
    score *= np.array([_prior(ratio) for ratio in ratios])
    padded = np.pad(score, 1)
    peaks = np.flatnonzero((score >= padded[:-2]) & (score >= padded[2:]))
    best = peaks[np.argsort(-score[peaks])][:3]
    return [float(ratio) for ratio in ratios[best]]


def _response(
    weight: NDArray[np.float64], first: float, further: float, count: int
) -> NDArray[np.float64]:
    """Magnitude of the weights' spectrum at `count` frequencies from `first`, `further` apart.

    Frequencies are in cycles per step. A chirp z-transform computes them, so that the time does not
    grow with the square of the audio's length.

    Returns:
        float64 `[count]`.
    """
    # Importing scipy takes half a second: a request that is refused must not wait for that.
    from scipy.signal import zoom_fft

    last = first + (count - 1) * further
    magnitude: NDArray[np.float64] = np.abs(
        zoom_fft(weight, [first, last], count, fs=1.0, endpoint=True)
    )
    return magnitude


def _weighed_hits(pulse: Pulse) -> float:
    return pulse.hits * _prior(pulse.ratio)


def _prior(ratio: float) -> float:
    return float(np.exp(-0.5 * ((ratio - 1) / NEAR_KNOWN) ** 2))


def _fitted(onsets: Onsets, known_seconds: float, ratio: float, grid_beats: Fraction) -> Pulse:
    """Fit a grid to the onsets by least squares, with fewer outliers each round."""
    times, weights = onsets.times, onsets.weights
    period = known_seconds / ratio
    turns = np.arange(64) / 64 * period
    distance = _wrapped(times - turns[:, None], period)
    closeness = np.exp(-0.5 * (distance / (0.12 * period)) ** 2) @ weights
    phase = float(turns[closeness.argmax()])
    error = np.inf
    hit = _hit_seconds(known_seconds)
    for reach in (0.25 * period, 0.2 * period, hit, hit, hit):
        lines = np.round((times - phase) / period)
        near = np.abs(times - phase - lines * period) <= reach
        if np.unique(lines[near]).size < 3:
            break
        line, time, weight = lines[near], times[near], weights[near]
        line_mean = float(np.average(line, weights=weight))
        time_mean = float(np.average(time, weights=weight))
        spread = float(weight @ (line - line_mean) ** 2)
        period = float(weight @ ((line - line_mean) * (time - time_mean))) / spread
        phase = time_mean - period * line_mean
        residual = time - phase - period * line
        count = int(near.sum())
        variance = float(np.average(residual**2, weights=weight)) * count / max(1, count - 2)
        error = float(np.sqrt(variance * np.mean(weight) / spread)) / period
    on_grid = np.abs(_wrapped(times - phase, period)) <= hit
    return Pulse(
        ratio=known_seconds / period,
        ratio_error=error,
        phase_seconds=phase % period,
        grid_beats=grid_beats,
        grid_seconds=period,
        hits=float(weights[on_grid].sum() / weights.sum()),
    )


def _wrapped(distance: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Distance to the nearest multiple of the period, signed."""
    return distance - np.round(distance / period) * period


def _hit_seconds(grid_seconds: float) -> float:
    return min(HIT_SECONDS, HIT_SHARE * grid_seconds)


def _is_sure(pulse: Pulse, onsets: Onsets, longer: float) -> bool:
    """Whether more onsets are on the grid than chance and the search for the best grid explain."""
    if abs(pulse.ratio - 1) > TEMPO_RANGE + 0.005:
        return False
    chance = 2 * _hit_seconds(pulse.grid_seconds) / pulse.grid_seconds
    # Weights differ, so fewer onsets count than there are (Kish's effective sample size).
    effective = longer * onsets.weights.sum() ** 2 / (onsets.weights**2).sum()
    deviation = np.sqrt(chance * (1 - chance) / effective)
    return bool(pulse.hits >= max(FEWEST_HITS, chance + SURE * deviation))
