"""The data set: codes, chroma and prompts of the corpus, in shards on disk.

Each piece is encoded once. Its melody is rendered twice with other sounds. The chroma of each
rendering is computed as `render` does it: the melody is tiled to the window first, silence held.
"""

from __future__ import annotations

import json
import logging
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import EncodecModel

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.chroma import WINDOW_STEPS, audio_chroma
from bridge.pocket.corpus import render
from bridge.pocket.music import Score, melody_alone
from bridge.pocket.music.score import STEP_FRAMES, STEPS_A_MINUTE

log = logging.getLogger(__name__)

MELODIES = 2
"""Renderings of each melody."""
WINDOW_FRAMES = 30 * MODEL_SAMPLE_RATE
SHARD_PIECES = 120
LONG_EVERY = 6
"""Every sixth piece is up to 30 s long, the others up to 10 s."""
SHORT_SECONDS, LONG_SECONDS = 10.0, 30.0
REST = 12
"""Class of a step with a rest of the melody."""
BEAT_PHASES = 48
"""Classes of the beat phase: 7 to 18 ms each at 170 to 70 bpm, finer than a step."""


@dataclass(frozen=True, eq=False)
class Example:
    """One piece as training data of the decoder.

    Attributes:
        codes: uint16 `[2, 2 * CODEBOOKS, S]`, left and right interleaved: L0 R0 L1 R1 …; once with
            drums and once without.
        chroma: uint8 `[MELODIES, 235]`, the pitch class of each step.
        classes: uint8 `[S]`, the melody's pitch class at each codec step, `REST` where none.
        beats: uint8 `[S]`, the beat phase of each codec step, below `BEAT_PHASES`.
        prompts: their descriptions, in the order of the codes.
    """

    codes: NDArray[np.uint16]
    chroma: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    beats: NDArray[np.uint8]
    prompts: tuple[str, str]


def build(
    folder: Path, codec_folder: Path, *, shards: int, seed: int, shard_pieces: int = SHARD_PIECES
) -> None:
    """Write the missing shards, with one process per core."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [n for n in range(shards) if not (folder / f"{n:04}.npz").exists()]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = [
            pool.submit(_write_shard, folder, codec_folder, n, seed, shard_pieces) for n in missing
        ]
        for done, job in enumerate(as_completed(jobs), 1):
            log.info("shard %s written, %d of %d", job.result(), done, len(missing))


def read(folder: Path, known: set[str]) -> list[Example]:
    """Read the shards in `folder` whose names are not in `known`, and add their names to it."""
    examples = []
    for path in sorted(folder.glob("*.npz")):
        if path.name in known:
            continue
        known.add(path.name)
        with np.load(path) as shard:
            prompts = json.loads(str(shard["prompts"]))
            bounds = np.concatenate([[0], np.cumsum(shard["steps"])])
            codes, chroma = shard["codes"], shard["chroma"]
            classes, beats = shard["classes"], shard["beats"]
        for index, (prompt, other) in enumerate(prompts):
            span = slice(bounds[index], bounds[index + 1])
            examples.append(
                Example(
                    codes[..., span], chroma[index], classes[span], beats[span], (prompt, other)
                )
            )
    return examples


def encode(model: EncodecModel, audio: Waveform) -> NDArray[np.uint16]:
    """Codes `[2 * CODEBOOKS, S]` of a stereo waveform at 32 kHz, channels interleaved."""
    steps = audio.frames // STEP_FRAMES
    samples = torch.from_numpy(audio.samples[: steps * STEP_FRAMES].T.copy())[:, None]
    with torch.inference_mode():
        codes = model.quantizer.encode(model.encoder(samples), model.config.target_bandwidths[-1])
    codebooks = codes.shape[0]  # [K, 2, S]
    return codes.reshape(codebooks * 2, steps).numpy().astype(np.uint16)


def melody_classes(score: Score, steps: int) -> NDArray[np.uint8]:
    """The melody's pitch class at each codec step, `REST` where it rests."""
    classes = np.full(steps, REST, dtype=np.uint8)
    per_beat = _steps_a_beat(score)
    for start, length, pitch in zip(
        score.lead.starts_beats, score.lead.lengths_beats, score.lead.pitches, strict=True
    ):
        classes[round(start * per_beat) : round((start + length) * per_beat)] = pitch % 12
    return classes


def beat_phases(score: Score, steps: int) -> NDArray[np.uint8]:
    """The beat phase of each codec step, `0 … BEAT_PHASES - 1`; a piece begins on a beat.

    Half a step is added, so that rounding never puts a beat's first step into the beat before.
    """
    half_steps = 2 * np.arange(steps) + 1
    phases = half_steps * score.tempo_bpm * BEAT_PHASES // (2 * STEPS_A_MINUTE)
    return np.asarray(phases % BEAT_PHASES, dtype=np.uint8)


def _steps_a_beat(score: Score) -> float:
    return STEPS_A_MINUTE / score.tempo_bpm


def window_chroma(melody: Waveform) -> NDArray[np.uint8]:
    """Pitch class `[235]` of a melody tiled to the 30 s window."""
    times = -(-WINDOW_FRAMES // melody.frames)
    tiled = np.tile(melody.samples, (times, 1))[:WINDOW_FRAMES]
    chroma = audio_chroma(Waveform(tiled, melody.sample_rate))
    return np.asarray(chroma.argmax(axis=1)[:WINDOW_STEPS], dtype=np.uint8)


def _write_shard(folder: Path, codec_folder: Path, shard: int, seed: int, pieces: int) -> str:
    torch.set_num_threads(1)
    codec = EncodecModel.from_pretrained(codec_folder)
    examples = []
    for number in range(shard * pieces, (shard + 1) * pieces):
        seconds = LONG_SECONDS if number % LONG_EVERY == 0 else SHORT_SECONDS
        piece = render(number, seed=seed, seconds=seconds)
        again = melody_alone(
            piece.score.lead,
            np.random.default_rng((seed, number, 1)),
            tempo_bpm=piece.score.tempo_bpm,
            frames=piece.audio.frames,
        )
        codes = np.stack([encode(codec, sound) for sound in (piece.audio, piece.other)])
        chroma = np.stack([window_chroma(melody) for melody in (piece.melody, again)])
        classes = melody_classes(piece.score, codes.shape[-1])
        beats = beat_phases(piece.score, codes.shape[-1])
        prompts = (piece.score.prompt, piece.other_score.prompt)
        examples.append(Example(codes, chroma, classes, beats, prompts))
    path = folder / f"{shard:04}.npz"
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(
            file,
            codes=np.concatenate([e.codes for e in examples], axis=-1),
            steps=np.array([e.codes.shape[-1] for e in examples]),
            chroma=np.stack([e.chroma for e in examples]),
            classes=np.concatenate([e.classes for e in examples]),
            beats=np.concatenate([e.beats for e in examples]),
            prompts=json.dumps([e.prompts for e in examples]),
        )
    part.replace(path)
    return path.name
