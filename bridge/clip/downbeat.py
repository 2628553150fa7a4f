"""The line of a pulse's grid that is the bar line.

Bass drum and bass mark the bar, the snare marks its back beats, chords change on it, and the
conditioning melody shows where it began. If these do not decide, the earliest line wins: the model
begins on a bar line.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.clip.harmony import harmonic_change
from bridge.clip.onsets import Onsets
from bridge.clip.pulse import Pulse, is_compound
from bridge.timing import Meter, beats_to_seconds

FINEST_BEATS = Fraction(1, 4)
"""Every bar is a whole number of sixteenths."""
EARLY_SECONDS = 0.03
"""A bar line may be this much before frame 0: the model began a little late."""
ACCENT_REACH_SECONDS = 0.03
"""An accent counts for the grid line within this distance."""
LOW_WEIGHT = 1.0
FULL_WEIGHT = 0.5
SNARE_WEIGHT = 0.5
AUDIBLE_SHARE = 0.15
"""A band whose accents are less than this share of all accents counts in proportion."""
HARMONY_WEIGHT = 2.0
"""Weight of the change of harmony (0…1) relative to the accents."""
MELODY_WEIGHT = 2.5
"""Weight of the melody's similarity relative to the accents, above `MELODY_CHANCE`."""
MELODY_CHANCE = 0.25
"""Similarity up to this can be chance, and counts as 0."""
LATE_COST = 0.25
"""Subtracted from the score of a line one bar late, and in proportion from earlier ones."""


@dataclass(frozen=True)
class _Accents:
    """Expected strength of a bar's slots, each `[slots]`, 0…1."""

    low: NDArray[np.float64]
    full: NDArray[np.float64]
    snare: NDArray[np.float64]


def first_lines(
    waveform: Waveform,
    onsets: Onsets,
    pulse: Pulse,
    meter: Meter,
    *,
    latest_seconds: float,
    likeness: Callable[[float], float] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lines of the pulse's grid that may be the first bar line, and their scores.

    Args:
        waveform: the generated audio; `onsets` and `pulse` are its own.
        latest_seconds: the search ends here, or a bar after the first grid line if that is earlier.
            The first grid line is always a candidate.
        likeness: how well the melody fits a clip that begins at a given time, 0…1.

    Returns:
        float64 `[lines]`, seconds from frame 0 of the generated audio, −0.03 or more, ascending;
        float64 `[lines]`, the line with the greatest is the first bar line, in the units of
        `LOW_WEIGHT`.
    """
    unit_beats = min(pulse.grid_beats, FINEST_BEATS)
    unit_seconds = pulse.grid_seconds * float(unit_beats / pulse.grid_beats)
    slots = int(meter.beats_per_bar / unit_beats)
    first = -int((EARLY_SECONDS + pulse.phase_seconds) // unit_seconds)
    lines = np.arange(first, first + slots)
    starts = pulse.phase_seconds + lines * unit_seconds
    starts = starts[(starts <= latest_seconds) | (starts == starts[0])]

    count = max(slots, int((waveform.seconds - starts[0]) / unit_seconds))
    times = starts[0] + np.arange(count) * unit_seconds
    harmony = harmonic_change(waveform, times, unit_seconds / float(unit_beats))
    slot_scores = _slot_scores(onsets, harmony, times, unit_seconds, meter, slots)
    scores = slot_scores[: starts.size]
    scores -= LATE_COST * np.arange(starts.size) / slots
    if likeness is not None:
        scores += [_melody_score(likeness(float(start))) for start in starts]
    return starts, scores


def downbeat_margin(
    clip: Waveform,
    onsets: Onsets,
    tempo_bpm: Fraction,
    meter: Meter,
    likeness: Callable[[float], float] | None = None,
) -> float:
    """By how much another line of a looping clip's grid is a better first bar line than frame 0.

    Args:
        clip: whole bars at `tempo_bpm`.
        onsets: the clip's own, as it loops.
        likeness: how well the melody fits the clip when it begins at a given time, 0…1.

    Returns:
        The best line's score less that of frame 0, 0 where frame 0 is the best. Scores are in the
        units of `LOW_WEIGHT`: a bass drum on the bar lines alone gives these 1.
    """
    unit_seconds = float(beats_to_seconds(FINEST_BEATS, tempo_bpm))
    slots = int(meter.beats_per_bar / FINEST_BEATS)
    lines = np.arange(round(clip.seconds / unit_seconds), dtype=np.float64)
    times = lines * unit_seconds
    beat_seconds = unit_seconds / float(FINEST_BEATS)
    # Frame 0 has harmony on both sides only as the loop repeats.
    around = math.ceil(2 * beat_seconds * clip.sample_rate)
    repeated = np.pad(clip.samples, ((around, around), (0, 0)), mode="wrap")
    harmony = harmonic_change(
        Waveform(repeated, clip.sample_rate),
        times + around / clip.sample_rate,
        beat_seconds,
    )
    scores = _slot_scores(onsets, harmony, times, unit_seconds, meter, slots)
    if likeness is not None:
        scores += [_melody_score(likeness(float(time))) for time in times[:slots]]
    return float(scores.max() - scores[0])


def _slot_scores(
    onsets: Onsets,
    harmony: NDArray[np.float64],
    times: NDArray[np.float64],
    unit_seconds: float,
    meter: Meter,
    slots: int,
) -> NDArray[np.float64]:
    """How well accents and harmony fit a first bar line on each of a bar's slots, `[slots]`.

    Args:
        harmony: float64 `[lines]`, the change of harmony at each line, 0…1.
        times: float64 `[lines]`, a bar of them or more: seconds of the grid's lines.
        unit_seconds: from line to line.
    """
    low, snare, full = (
        _accent(strength, onsets.step_seconds, times, unit_seconds, slots)
        for strength in (onsets.low, onsets.snare, onsets.strength)
    )
    low, snare, full = (_scaled(profile, full) for profile in (low, snare, full))
    change = _profile(harmony, slots)
    expected = _accents(meter, slots)
    return np.array(
        [
            LOW_WEIGHT * float(np.roll(low, -index) @ expected.low)
            + FULL_WEIGHT * float(np.roll(full, -index) @ expected.full)
            + SNARE_WEIGHT * float(np.roll(snare, -index) @ expected.snare)
            + HARMONY_WEIGHT * float(change[index])
            for index in range(slots)
        ]
    )


def _melody_score(likeness: float) -> float:
    return MELODY_WEIGHT * max(0.0, likeness - MELODY_CHANCE)


def _accent(
    strength: NDArray[np.float64],
    step_seconds: float,
    times: NDArray[np.float64],
    unit: float,
    slots: int,
) -> NDArray[np.float64]:
    """Mean of the strongest accent near each slot of the bar, `[slots]`."""
    centres = np.round(times / step_seconds).astype(int)
    reach = max(1, int(min(ACCENT_REACH_SECONDS, unit / 2) / step_seconds))
    near = centres[:, None] + np.arange(-reach, reach + 1)
    inside = (near >= 0) & (near < strength.size)
    strongest = np.where(inside, strength[near.clip(0, strength.size - 1)], 0.0).max(axis=1)
    return _profile(strongest, slots)


def _profile(values: NDArray[np.float64], slots: int) -> NDArray[np.float64]:
    """The mean value of each slot of the bar, `[slots]`."""
    slot = np.arange(values.size) % slots
    total = np.bincount(slot, weights=values, minlength=slots)
    profile: NDArray[np.float64] = total / np.maximum(1, np.bincount(slot, minlength=slots))
    return profile


def _scaled(profile: NDArray[np.float64], full: NDArray[np.float64]) -> NDArray[np.float64]:
    """The profile scaled to a sum of 1, or less where it is a small part of the full band's."""
    enough = max(profile.sum(), AUDIBLE_SHARE * full.sum())
    return profile / enough if enough > 0 else profile


def _accents(meter: Meter, slots: int) -> _Accents:
    """The accents expected in a bar of a meter."""
    position = [slot * meter.beats_per_bar / slots for slot in range(slots)]
    compound = is_compound(meter)
    odd = meter.denominator >= 8 and not compound and meter.numerator % 2 == 1
    beat = Fraction(12 if compound else 4, meter.denominator) if compound or odd else Fraction(1)
    half = meter.beats_per_bar / 2
    on_bar = np.array([at == 0 for at in position])
    on_half = np.array([at == half and half % beat == 0 for at in position])
    on_beat = np.array([at % beat == 0 for at in position])
    on_eighth = np.array([at % Fraction(1, 2) == 0 for at in position])
    back = on_beat & np.array([(at / beat) % 2 == 1 for at in position])
    if odd or meter.numerator % 3 == 0:
        # A waltz stresses its second and third beat; of an odd bar only the first is known.
        back = on_beat & ~on_bar
    return _Accents(
        low=np.select([on_bar, on_half], [1.0, 0.6], 0.0),
        full=np.select([on_bar, on_half, on_beat, on_eighth], [1.0, 0.7, 0.6, 0.3], 0.0),
        snare=np.where(back, 1.0, 0.0),
    )
