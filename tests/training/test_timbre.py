"""`pocket` learns a timbre: its word brings it, other words do not, and melodies are followed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.chroma import one_hot, pitch_classes, similarity
from bridge.engine import Engine, Request, load
from bridge.training.examples import window_chroma
from bridge.training.finetune import finetune
from bridge.training.tuning_run import FineTuning
from tests.training.timbre import WORD, write_loops

pytestmark = pytest.mark.slow

CLIPS = 6
SECONDS = 5.0
EDGES_HZ = np.geomspace(150, 8000, 21)
FLOOR_DB = -40.0
"""Below the strongest band: what the codec's noise is not above."""
MARGIN_DB = 1.0
"""Clips with the word are nearer to the timbre than others by this; 2.6 measured."""
MOST_LOST = 0.05


def bands(waveform: Waveform) -> NDArray[np.float64]:
    """The long-term spectrum in 20 bands, in dB under the strongest, of the frames that sound."""
    mono = waveform.mono().samples[:, 0].astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(mono, 2048)[::1024] * np.hanning(2048)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    power = power[power.sum(1) > 1e-3 * power.sum(1).max()].mean(0)
    hz = np.fft.rfftfreq(2048, 1 / waveform.sample_rate)
    levels = np.array([power[(hz >= low) & (hz < high)].sum() for low, high in pairwise(EDGES_HZ)])
    decibels = 10 * np.log10(levels + 1e-12)
    floored: NDArray[np.float64] = np.maximum(decibels - decibels.max(), FLOOR_DB)
    return floored


def measured(
    engine: Engine, prompt: str, melodies: list[Waveform], timbre: NDArray[np.float64]
) -> tuple[float, float]:
    """Mean distance to the timbre in dB, and mean melody similarity, of clips with a prompt."""
    distances, followed = [], []
    for number, melody in enumerate(melodies):
        chroma = window_chroma(melody).astype(np.int64)
        request = Request(prompt=prompt, melody=one_hot(chroma), seconds=SECONDS, seed=3 + number)
        (clip,) = engine.generate(request)
        distances.append(float(np.sqrt(np.mean((bands(clip) - timbre) ** 2))))
        classes = pitch_classes(clip)
        followed.append(similarity(classes, chroma[: len(classes)]))
    return float(np.mean(distances)), float(np.mean(followed))


def test_a_timbre_gets_a_word_of_its_own(tmp_path: Path) -> None:
    write_loops(tmp_path / "loops", 20, seconds=8.0, seed=77)
    write_loops(tmp_path / "new", CLIPS, seconds=8.0, seed=555)
    melodies = [
        Waveform(soundfile.read(path, dtype="float32", always_2d=True)[0], MODEL_SAMPLE_RATE)
        for path in sorted((tmp_path / "new").glob("*.wav"))
    ]
    timbre = np.mean([bands(melody) for melody in melodies], axis=0)
    options = FineTuning(steps=150, evaluations=3, prior=16, word=WORD)
    done = finetune(tmp_path / "loops", "pocket", tmp_path / "tuned", options)
    print(done.evaluations)
    tuned, base = load(done.folder), load("pocket")
    own, followed = measured(tuned, f"{WORD}, solo, no drums", melodies, timbre)
    others = {
        prompt: measured(tuned, f"{prompt}, no drums", melodies, timbre)[0]
        for prompt in ("piano", "strings", "flute")
    }
    _, followed_before = measured(base, "solo, no drums", melodies, timbre)
    print(f"{WORD} {own:.1f} dB, {others}, similarity {followed_before:.3f} -> {followed:.3f}")
    assert own + MARGIN_DB < min(others.values())
    assert followed > followed_before - MOST_LOST
