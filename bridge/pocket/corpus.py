"""The corpus: numbered pieces, rendered on all cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from bridge.audio import Waveform
from bridge.pocket.music import Score, compose, melody_alone, perform, with_other_drums

HELD_OUT_SEEDS = (9001, 9002)
"""Seeds of the pieces that `evaluate` gives to a checkpoint; training never uses them."""


@dataclass(frozen=True, eq=False)
class Piece:
    """One piece of the corpus.

    Attributes:
        score: the written music.
        audio: the mix, stereo at 32 kHz.
        other_score, other: the same without its drums, or with some if it has none.
        melody: the melody alone with another sound, mono, of the mix's length.
    """

    score: Score
    audio: Waveform
    other_score: Score
    other: Waveform
    melody: Waveform


def render(number: int, *, seed: int, seconds: float) -> Piece:
    """Render piece `number` of the corpus with this seed; the result is always the same."""
    rng = np.random.default_rng((seed, number))
    score = compose(rng, seconds=seconds)
    other_score = with_other_drums(score, rng)
    audio, other = perform(score, other_score, rng)
    melody = melody_alone(score.lead, rng, tempo_bpm=score.tempo_bpm, frames=audio.frames)
    return Piece(score, audio, other_score, other, melody)


def render_many(count: int, *, seed: int, seconds: float, first: int = 0) -> Iterator[Piece]:
    """Render pieces `first` … `first + count - 1` in order, with one process per core."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        numbers = range(first, first + count)
        yield from pool.map(_render, [(n, seed, seconds) for n in numbers], chunksize=8)


def _render(task: tuple[int, int, float]) -> Piece:
    number, seed, seconds = task
    return render(number, seed=seed, seconds=seconds)
