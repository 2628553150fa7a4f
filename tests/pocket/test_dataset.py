"""The data set: chroma as in `render`, codes as in the engine, shards read once."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import EncodecModel

from bridge.melody import align_to_bars
from bridge.pocket.codec import codec_config
from bridge.pocket.corpus import Piece, render
from bridge.pocket.dataset import (
    BEAT_PHASES,
    REST,
    beat_phases,
    encode,
    melody_classes,
    read,
    window_chroma,
)
from bridge.timing import Take


@pytest.fixture(scope="module")
def piece() -> Piece:
    return render(2, seed=7, seconds=5.0)


def test_chroma_equals_that_of_render(piece: Piece) -> None:
    score = piece.score
    bars = round(score.seconds * score.tempo_bpm / 60 / float(score.meter.beats_per_bar))
    tempo_bpm = Fraction(score.tempo_bpm)
    take = Take(piece.melody, tempo_bpm, score.meter)
    aligned = align_to_bars(take, bars=bars, tempo_bpm=tempo_bpm, meter=score.meter)
    chroma = window_chroma(piece.melody)
    assert chroma.shape == (235,)
    # Both round the bars' length to frames, at different points: a step at an edge may differ.
    assert (chroma == aligned.chroma.argmax(axis=1)).mean() > 0.98


def test_each_codec_step_has_the_pitch_class_of_the_melody(piece: Piece) -> None:
    steps = piece.audio.frames // 640
    classes = melody_classes(piece.score, steps)
    assert classes.shape == (steps,) and classes.max() <= REST
    lead = piece.score.lead
    per_beat = 60 / piece.score.tempo_bpm * 50
    for start, length, pitch in zip(
        lead.starts_beats, lead.lengths_beats, lead.pitches, strict=True
    ):
        assert classes[int((start + length / 2) * per_beat)] == pitch % 12


def test_each_codec_step_has_its_beat_phase(piece: Piece) -> None:
    steps = piece.audio.frames // 640
    phases = beat_phases(piece.score, steps)
    assert phases.shape == (steps,) and phases[0] == 0
    beats = [Fraction(2 * n + 1, 2) * piece.score.tempo_bpm / 3000 for n in range(steps)]
    assert phases.tolist() == [int(beat % 1 * BEAT_PHASES) for beat in beats]
    beat_starts = np.flatnonzero(np.diff(phases.astype(int)) < 0) + 1
    lines = np.arange(1, len(beat_starts) + 1) * 60 / piece.score.tempo_bpm * 50
    assert np.array_equal(beat_starts, np.round(lines))


def test_left_and_right_are_interleaved_codebook_by_codebook(piece: Piece) -> None:
    torch.manual_seed(0)
    codec: Any = EncodecModel(codec_config())
    for layer in codec.quantizer.layers:
        torch.nn.init.normal_(layer.codebook.embed, std=0.05)
    codes = encode(codec, piece.audio)
    steps = piece.audio.frames // 640
    assert codes.shape == (8, steps) and codes.dtype == np.uint16
    for channel in (0, 1):
        sound = torch.from_numpy(piece.audio.samples[: steps * 640, channel].copy())
        with torch.inference_mode():
            alone = codec.encode(sound[None, None]).audio_codes[0, 0].numpy()
        assert np.mean(codes[channel::2] == alone) > 0.99
    assert not np.array_equal(codes[::2], codes[1::2])


def test_a_shard_is_read_once_and_cut_into_its_pieces(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    steps = [5, 9, 3]
    codes = rng.integers(512, size=(2, 8, sum(steps))).astype(np.uint16)
    classes = rng.integers(13, size=sum(steps)).astype(np.uint8)
    beats = rng.integers(BEAT_PHASES, size=sum(steps)).astype(np.uint8)
    chroma = rng.integers(12, size=(3, 2, 235)).astype(np.uint8)
    np.savez(
        tmp_path / "0000.npz",
        codes=codes,
        steps=np.array(steps),
        chroma=chroma,
        classes=classes,
        beats=beats,
        prompts=json.dumps([["flute", "flute, drums"], ["bells", "bells"], ["piano", "a"]]),
    )
    (tmp_path / "0001.part").write_bytes(b"half a shard")
    known: set[str] = set()
    examples = read(tmp_path, known)
    assert known == {"0000.npz"}
    prompts = [example.prompts for example in examples]
    assert prompts == [("flute", "flute, drums"), ("bells", "bells"), ("piano", "a")]
    assert np.array_equal(np.concatenate([e.codes for e in examples], axis=-1), codes)
    assert np.array_equal(examples[1].classes, classes[5:14])
    assert np.array_equal(examples[1].beats, beats[5:14])
    assert np.array_equal(examples[2].chroma, chroma[2])
    assert read(tmp_path, known) == []
