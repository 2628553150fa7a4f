"""A clips folder with real clips, for the tests of the sketch book."""

from __future__ import annotations

import os
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from bridge.audio import Waveform
from bridge.delivery import write_clip
from bridge.timing import Meter

RATE = 8000


def store(
    folder: Path,
    name: str,
    *,
    age_seconds: float = 0.0,
    notes: bytes | None = None,
    **fields: object,
) -> Path:
    """Write a clip of two seconds, the sidecar of a render, and its notes; return its path."""
    tempo_bpm, meter = Fraction(120), Meter()
    tone = np.sin(np.arange(2 * RATE) * (2 * np.pi * 440 / RATE)).astype(np.float32)
    path = write_clip(
        folder,
        Waveform(np.stack([tone, tone], axis=1), RATE),
        {
            "bars": 1,
            "tempo_bpm": tempo_bpm,
            "meter": str(meter),
            "seed": 7,
            "sample_rate": RATE,
            "melody_similarity": 0.5,
            **fields,
        },
        name=name,
        bars=1,
        tempo_bpm=tempo_bpm,
        meter=meter,
        notes=notes,
    )
    then = time.time() - age_seconds
    os.utime(path.with_suffix(".json"), (then, then))
    return path
