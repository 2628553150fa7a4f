"""What clips are ranked by: the eight parts of a clip's score, each 0 (at fault) to 1.

Every part but `melody` is 1 within a tolerance that clips without a fault keep, so that among those
the melody decides. Clicks and clipping are measured in the generated audio, because finishing hides
them. The other parts are measured in the finished clip as it loops.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bridge.audio import Waveform, amplitude_to_db
from bridge.chroma import STEP_SECONDS, pitch_classes, similarity
from bridge.clip.downbeat import downbeat_margin
from bridge.clip.fft import transform
from bridge.clip.gaps import longest_gap_seconds
from bridge.clip.loudness import BLOCK_SECONDS, TARGET_LUFS
from bridge.clip.onsets import Onsets
from bridge.timing import Meter, beats_to_seconds

Tolerance = tuple[float, float]
"""The measure up to which a part is 1, and the one from which it is 0."""

FEWEST_A_BEAT = 1.0
"""Fewer onsets a beat are no steady beat: those of bowed and blown notes are not that exact."""
GRID_BEATS = Fraction(1, 4)
HIT_SECONDS = 0.02
HIT_SHARE = 0.15
"""An onset is on a grid line within this time or this share of the grid, whichever is less."""
OFF_GRID_SHARE: Tolerance = (0.8, 1.2)
DOWNBEAT_MARGIN: Tolerance = (0.5, 1.5)
QUIET_LU: Tolerance = (2.0, 12.0)
CLIPPED_SHARE: Tolerance = (1e-5, 1e-3)
FLAT_FRAMES = 3
"""As many frames in a row at a channel's extreme are clipped."""
FLAT_SHARE = 2e-5
"""Distance from the extreme that counts as at it, a share of it: half a step of 16 bits."""
GAP_BEATS: Tolerance = (2.0, 4.0)
SEAM_SECONDS = 0.002
"""The seam is compared with this time on both sides of it."""
SEAM_JUMP_DB: Tolerance = (4.0, 12.0)
SEAM_FLOOR_SHARE = 1e-4
"""Jumps below this share of the clip's peak are inaudible."""
CLICKS: Tolerance = (0.0, 10.0)


@dataclass(frozen=True)
class ScoreParts:
    """The parts of a clip's score, each 0…1. None: what needs bars, for a raw clip.

    Attributes:
        melody: share of the melody's sounding steps of 128 ms at which the clip has its pitch
            class; None without a melody.
        tempo: 1 where a fifth of the onsets' weight or more is on the sixteenths of the clip's
            tempo, beyond what chance puts there; 0 where a fifth less is there than by chance. 1
            where there are fewer onsets than beats.
        downbeat: 1 where frame 0 is as good a bar line as any line of the bar's sixteenths, or up
            to 0.5 worse on the scale of `clip/downbeat.py`, and 0 where it is 1.5 worse.
        loudness: 1 at −16 LUFS or more, 0 at −26 LUFS or in silence. 1 for clips under 0.4 s.
        clipping: 1 where less than 1 in 100,000 of the generated samples is in a flat top or
            bottom of 3 frames or more, 0 where 1 in 1000 is.
        silence: 1 where no silence is longer than two beats, 0 for one of four beats or more.
        seam: 1 where the waveform bends at most 4 dB more at the seam than within 2 ms around it,
            0 where it bends 12 dB more, as at a jump.
        clicks: 1 without a click in the generated audio, 0 with 10.
    """

    melody: float | None
    tempo: float | None
    downbeat: float | None
    loudness: float | None
    clipping: float
    silence: float | None
    seam: float | None
    clicks: float

    def as_json(self) -> dict[str, float | None]:
        """The parts by name."""
        return dict(vars(self))


def score_clip(
    clip: Waveform,
    onsets: Onsets,
    generated: Waveform,
    *,
    clicks: int,
    loudness_lufs: float | None,
    tempo_bpm: Fraction,
    meter: Meter,
    melody_classes: NDArray[np.int64] | None = None,
) -> ScoreParts:
    """Measure the parts of a clip's score.

    Args:
        clip: the finished clip, whole bars at `tempo_bpm`.
        onsets: its onsets, as it loops.
        generated: the audio that it was made from, as the model made it.
        clicks: number of clicks that were found in the generated audio.
        loudness_lufs: the clip's; None where it has none.
        melody_classes: int64 `[steps]`, a pitch class each 128 ms of the clip, −1 at rests.
    """
    likeness = _likeness(clip, melody_classes)
    beat_seconds = float(beats_to_seconds(1, tempo_bpm))
    margin = downbeat_margin(clip, onsets, tempo_bpm, meter, likeness)
    gap_beats = longest_gap_seconds(clip, loops=True) / beat_seconds
    return ScoreParts(
        melody=likeness(0.0) if likeness is not None else None,
        tempo=_within(1 - on_grid_share(onsets, tempo_bpm), OFF_GRID_SHARE),
        downbeat=_within(margin, DOWNBEAT_MARGIN),
        loudness=_within(_missing_lu(clip, loudness_lufs), QUIET_LU),
        clipping=_within(clipped_share(generated), CLIPPED_SHARE),
        silence=_within(gap_beats, GAP_BEATS),
        seam=_within(seam_jump_db(clip), SEAM_JUMP_DB),
        clicks=_within(clicks, CLICKS),
    )


def score_raw(
    clip: Waveform, *, clicks: int, melody_classes: NDArray[np.int64] | None = None
) -> ScoreParts:
    """Measure the parts of a raw clip's score; the arguments are those of `score_clip`."""
    likeness = _likeness(clip, melody_classes)
    return ScoreParts(
        melody=likeness(0.0) if likeness is not None else None,
        tempo=None,
        downbeat=None,
        loudness=None,
        clipping=_within(clipped_share(clip), CLIPPED_SHARE),
        silence=None,
        seam=None,
        clicks=_within(clicks, CLICKS),
    )


def on_grid_share(onsets: Onsets, tempo_bpm: Fraction) -> float:
    """Share of the onsets' weight on the sixteenths beyond what chance puts there, at most 1.

    It is negative where fewer are there than by chance. Fewer onsets than beats give 1.
    """
    beats = onsets.strength.size * onsets.step_seconds * float(tempo_bpm) / 60
    if onsets.times.size < FEWEST_A_BEAT * beats:
        return 1.0
    grid = float(beats_to_seconds(GRID_BEATS, tempo_bpm))
    reach = min(HIT_SECONDS, HIT_SHARE * grid)
    on_grid = np.abs(onsets.times - np.round(onsets.times / grid) * grid) <= reach
    chance = 2 * reach / grid
    share = float(onsets.weights[on_grid].sum() / onsets.weights.sum())
    return (share - chance) / (1 - chance)


def clipped_share(waveform: Waveform) -> float:
    """Share of the samples in flat tops or bottoms: 3 frames or more at a channel's extreme."""
    clipped = 0
    for side in (*waveform.samples.T, *-waveform.samples.T):
        extreme = float(side.max(initial=0.0))
        at_extreme = side >= extreme * (1 - FLAT_SHARE)
        if extreme > 0 and np.count_nonzero(at_extreme) >= FLAT_FRAMES:
            flat = sliding_window_view(at_extreme, FLAT_FRAMES).all(axis=1)
            clipped += int(np.count_nonzero(np.convolve(flat, np.ones(FLAT_FRAMES))))
    return clipped / max(1, waveform.samples.size)


def seam_jump_db(clip: Waveform) -> float:
    """How much more a loop's waveform bends at its seam than within 2 ms around it, in dB.

    The bend is the second difference of the samples. A jump at the seam bends far more than the
    sound around it; an attack or noise that begins there goes on bending.
    """
    around = max(4, round(SEAM_SECONDS * clip.sample_rate))
    ends = np.concatenate([clip.samples[-around:], clip.samples[:around]]).astype(np.float64)
    bend = np.abs(np.diff(ends, n=2, axis=0)).max(axis=1)
    # These two differences reach across the seam.
    seam = slice(len(bend) // 2 - 1, len(bend) // 2 + 1)
    floor = SEAM_FLOOR_SHARE * max(float(np.abs(clip.samples).max()), SEAM_FLOOR_SHARE)
    elsewhere = float(np.delete(bend, seam).max())
    return amplitude_to_db((float(bend[seam].max()) + floor) / (elsewhere + floor))


def _missing_lu(clip: Waveform, loudness_lufs: float | None) -> float:
    """Loudness that a clip lacks; infinite for silence, 0 where it is too short to have any."""
    if loudness_lufs is None:
        return 0.0 if clip.samples.any() and clip.seconds < BLOCK_SECONDS else math.inf
    return TARGET_LUFS - loudness_lufs


def _likeness(
    clip: Waveform, melody_classes: NDArray[np.int64] | None
) -> Callable[[float], float] | None:
    """Similarity to the melody when the loop begins at a given second; None without a melody."""
    if melody_classes is None:
        return None
    classes = pitch_classes(clip, transform=transform)
    melody = melody_classes[: classes.size]
    if not (melody >= 0).any():
        return None
    return lambda seconds: similarity(np.roll(classes, -round(seconds / STEP_SECONDS)), melody)


def _within(measure: float, tolerance: Tolerance) -> float:
    """1 up to the tolerance's first bound, 0 from its second on, linear in between."""
    good, bad = tolerance
    return min(1.0, max(0.0, (bad - measure) / (bad - good)))
