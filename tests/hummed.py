"""Hums whose notes are known, made by adding harmonics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bridge.audio import Waveform

RATE = 32_000
SCALE = ((60, 1.0), (62, 1.0), (64, 1.0), (65, 1.0), (67, 2.0), (64, 1.0), (60, 1.0))
"""Two bars of 4/4 in C major: the pitch and the length in beats of each note."""


def hummed(
    notes: Sequence[tuple[int, float]] = SCALE,
    *,
    tempo_bpm: float = 120,
    cents: float = 0.0,
    late_seconds: float = 0.0,
) -> Waveform:
    """A hum of notes, each a beat's tenth shorter than it is written.

    Args:
        notes: pitch and length in beats of each; pitch 0 is a rest.
        cents: how far the voice is off concert pitch.
        late_seconds: silence in front.
    """
    pieces = [np.zeros(round(late_seconds * RATE))]
    for pitch, beats in notes:
        frames = round(beats * 60 / tempo_bpm * RATE)
        sounding = max(frames - round(0.1 * 60 / tempo_bpm * RATE), 1)
        seconds = np.arange(sounding) / RATE
        hz = 440 * 2 ** ((pitch - 69 + cents / 100) / 12)
        voice = sum(
            np.sin(2 * np.pi * hz * harmonic * seconds) / harmonic**2 for harmonic in range(1, 7)
        )
        fade = np.minimum(1, np.minimum(seconds, seconds[::-1]) / 0.03)
        level = 0.2 if pitch else 0.0
        pieces.append(np.pad(level * voice * fade, (0, frames - sounding)))
    return Waveform(np.concatenate(pieces).astype(np.float32)[:, None], RATE)
