"""Ranking of variations by clicks, and by how well they follow the melody."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import pitch_classes, similarity

CLICK_COST = 0.1
"""Melody similarity that a repaired click is worth: clips that follow alike differ by less."""


@dataclass(frozen=True)
class Ranked:
    """One of several clips.

    Attributes:
        index: its index in the sequence that was given.
        melody_similarity: share of the melody's sounding steps at which the clip has the same
            pitch class, 0…1; NaN without a melody.
    """

    index: int
    melody_similarity: float


def rank(
    waveforms: Sequence[Waveform],
    melody_classes: NDArray[np.int64] | None,
    clicks: Sequence[int] = (),
) -> tuple[Ranked, ...]:
    """Sort clips by melody similarity less `CLICK_COST` a click, best first.

    Equal ones keep their order. Without a melody only clicks count.

    Args:
        clicks: the number of each clip's clicks; empty: none has any.
        melody_classes: int64 `[steps]`, a pitch class each 128 ms of the clip, −1 at rests.
    """
    ranked = [
        Ranked(index, _likeness(waveform, melody_classes))
        for index, waveform in enumerate(waveforms)
    ]
    counts = clicks or [0] * len(ranked)

    def merit(one: Ranked) -> float:
        similarity = 0.0 if math.isnan(one.melody_similarity) else one.melody_similarity
        return similarity - CLICK_COST * counts[one.index]

    return tuple(sorted(ranked, key=merit, reverse=True))


def _likeness(waveform: Waveform, melody_classes: NDArray[np.int64] | None) -> float:
    if melody_classes is None:
        return math.nan
    return similarity(pitch_classes(waveform), melody_classes)
