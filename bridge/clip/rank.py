"""Which of several variations follows the melody best."""

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
        index: its place in the sequence that was given.
        melody_similarity: share of the melody's sounding steps it has the pitch class of, 0…1;
            NaN without a melody.
    """

    index: int
    melody_similarity: float


def rank(
    waveforms: Sequence[Waveform], melody_classes: NDArray[np.int64] | None
) -> tuple[Ranked, ...]:
    """The clips, most like the melody first; equals, and all without a melody, as they came.

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
