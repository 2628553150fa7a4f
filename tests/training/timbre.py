"""A timbre that `pocket` has never heard, for tests of fine-tuning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from bridge.audio import MODEL_SAMPLE_RATE
from bridge.pocket.music.score import compose
from bridge.pocket.music.synth import Partials, Voice, play

WORD = "glimmer"
GLIMMER = Voice(
    # Odd harmonics alone, and bright: hollow, like no other voice. The fundamental is strongest, so
    # that its chroma is the melody's.
    (Partials((1, 0, 0.5, 0, 0.4, 0, 0.35, 0, 0.3)),),
    attack_seconds=0.03,
    release_seconds=0.12,
)


def write_loops(folder: Path, count: int, *, seconds: float, seed: int) -> None:
    """Write melodies played with the timbre, one file each, with the tempo in its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        score = compose(rng, seconds=seconds)
        sound = play(
            score.lead,
            GLIMMER,
            rng,
            tempo_bpm=score.tempo_bpm,
            frames=round(seconds * MODEL_SAMPLE_RATE),
        )
        sound *= 0.5 / max(1e-3, float(np.abs(sound).max()))
        name = f"solo no drums-{score.tempo_bpm}bpm-{number:02}.wav"
        soundfile.write(folder / name, sound, MODEL_SAMPLE_RATE)
