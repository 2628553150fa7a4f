"""Ranking of variations by how well they follow the melody."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import pitch_classes, similarity


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
    waveforms: Sequence[Waveform], melody_classes: NDArray[np.int64] | None
) -> tuple[Ranked, ...]:
    """Sort clips by melody similarity, best first; equal ones keep their order.

    Without a melody all are equal.

    Args:
        melody_classes: int64 `[steps]`, a pitch class each 128 ms of the clip, −1 at rests.
    """
    ranked = [
        Ranked(index, _likeness(waveform, melody_classes))
        for index, waveform in enumerate(waveforms)
    ]
    return tuple(
        sorted(
            ranked,
            key=lambda one: 0.0 if math.isnan(one.melody_similarity) else -one.melody_similarity,
        )
    )


def _likeness(waveform: Waveform, melody_classes: NDArray[np.int64] | None) -> float:
    if melody_classes is None:
        return math.nan
    return similarity(pitch_classes(waveform), melody_classes)
