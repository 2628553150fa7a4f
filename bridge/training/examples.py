"""Codes, chroma and captions of audio files, encoded once and kept on disk."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.chroma import WINDOW_SECONDS, WINDOW_STEPS, audio_chroma, one_hot
from bridge.engine import Engine, Request
from bridge.engine.weights import Checkpoint
from bridge.errors import BridgeError, CheckpointUnusable, Unsupported
from bridge.melody.audio_file import read_audio
from bridge.training.chroma_stems import ChromaStems
from bridge.training.sources import Source

log = logging.getLogger(__name__)

SEGMENT_SECONDS = 10.0
"""Files are cut into pieces of this length: a step of training takes less memory than with 30 s."""
SHORTEST_SECONDS = 1.0
"""A shorter piece at the end of a file is left out, and so is a file of this length."""


@dataclass(frozen=True, eq=False)
class Example:
    """One piece of audio as training data.

    Attributes:
        codes: uint16 `[K, S]`, channels interleaved as the decoder has them.
        chroma: uint8 `[chroma_length]`, the pitch class of each step, tiled to the window.
        caption: its description.
        source: the file's name.
    """

    codes: NDArray[np.uint16]
    chroma: NDArray[np.uint8]
    caption: str
    source: str


@dataclass(frozen=True)
class Skipped:
    """A file that is not trained on, and why."""

    path: Path
    reason: str


def encode_sources(
    sources: Iterable[Source],
    checkpoint: Checkpoint,
    cache: Path,
    stems: ChromaStems,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[list[Example], list[Skipped]]:
    """Encode every file, or take what an earlier run encoded of it.

    Args:
        cache: a folder for the codes; a changed file, other stems, or another codec is encoded
            anew.
        stems: finds the melody of each piece.
        progress: receives the share of the files that is done.
    """
    sources = list(sources)
    cache.mkdir(parents=True, exist_ok=True)
    codec_key = _codec_key(checkpoint)
    examples: list[Example] = []
    skipped: list[Skipped] = []
    for number, source in enumerate(sources):
        try:
            pieces = _pieces(source, checkpoint, cache, codec_key, stems)
        except (Unsupported, CheckpointUnusable):
            # Demucs is missing, for every file.
            raise
        except BridgeError as error:
            skipped.append(Skipped(source.path, str(error)))
            pieces = []
        else:
            if not pieces:
                skipped.append(Skipped(source.path, f"shorter than {SHORTEST_SECONDS:g} s"))
        examples += [
            Example(codes, chroma, source.caption, source.path.name) for codes, chroma in pieces
        ]
        progress((number + 1) / len(sources))
    return examples, skipped


def held_out(names: Iterable[str], share: float) -> set[str]:
    """The files whose pieces are for evaluation alone: a share of them, at least one.

    Their names' hashes decide, so that the choice is the same in every run.
    """
    ordered = sorted(set(names), key=lambda name: hashlib.sha256(name.encode()).digest())
    return set(ordered[: max(1, round(share * len(ordered)))])


def made_by_base(
    engine: Engine,
    wanted: Sequence[tuple[str, NDArray[np.uint8]]],
    seconds: float,
    seed: int,
    file: Path,
    progress: Callable[[float], None],
) -> list[Example]:
    """Clips that an engine makes of prompts and melodies, as training data.

    Args:
        wanted: prompt and chroma `[chroma_length]` of each.
        file: keeps the codes, so that they are made once.
    """
    if file.exists():
        with np.load(file) as kept:
            codes = kept["codes"]
    else:
        made = []
        for number, (prompt, chroma) in enumerate(wanted):
            melody = one_hot(chroma.astype(np.int64))
            request = Request(prompt=prompt, melody=melody, seconds=seconds, seed=seed + number)
            with engine.stream(request) as stream:
                made.append(np.concatenate([chunk.codes[0] for chunk in stream], axis=-1))
            progress((number + 1) / len(wanted))
        codes = np.stack(made).astype(np.uint16)
        part = file.with_suffix(".part")
        with part.open("wb") as opened:
            np.savez(opened, codes=codes)
        part.replace(file)
    return [
        Example(own, chroma, prompt, "made by the base")
        for own, (prompt, chroma) in zip(codes, wanted, strict=True)
    ]


def prompt_without_key(prompt: str, tempo_bpm: int) -> str:
    """A preset's prompt with a tempo and no key: the melody has its own."""
    return re.sub(r",? *\{key\}", "", prompt).replace("{tempo}", str(tempo_bpm))


def encode_audio(codec: Any, audio: Waveform, channels: int) -> NDArray[np.uint16]:
    """Codes `[K, S]` of audio at 32 kHz, each channel encoded by itself and interleaved.

    Args:
        codec: an `EncodecModel` for one channel.
        audio: mono audio becomes as many equal channels as the decoder has; more become their mean.
        channels: of the decoder, 1 or 2.
    """
    samples = audio.samples
    if channels == 1 or samples.shape[1] > channels:
        samples = samples.mean(axis=1, keepdims=True)
    samples = np.repeat(samples, channels, axis=1) if samples.shape[1] == 1 else samples
    hop = codec.config.hop_length
    steps = len(samples) // hop
    batch = torch.from_numpy(np.ascontiguousarray(samples[: steps * hop].T))[:, None]
    with torch.inference_mode():
        bandwidth = codec.config.target_bandwidths[-1]
        encoded = codec.encode(batch.to(codec.device), bandwidth=bandwidth).audio_codes
    codes = encoded[0].cpu().numpy()  # [channels, K / channels, S]
    return np.ascontiguousarray(codes.transpose(1, 0, 2).reshape(-1, steps)).astype(np.uint16)


def window_chroma(melody: Waveform, length: int = WINDOW_STEPS) -> NDArray[np.uint8]:
    """Pitch class `[length]` of a melody that is repeated to fill the model's window."""
    frames = WINDOW_SECONDS * melody.sample_rate
    times = -(-frames // melody.frames)
    tiled = np.tile(melody.samples, (times, 1))[:frames]
    classes = audio_chroma(Waveform(tiled, melody.sample_rate)).argmax(axis=1)
    return np.resize(classes[:length], length).astype(np.uint8)


def _pieces(
    source: Source, checkpoint: Checkpoint, cache: Path, codec_key: str, stems: ChromaStems
) -> list[tuple[NDArray[np.uint16], NDArray[np.uint8]]]:
    stat = source.path.stat()
    name = f"{source.path.resolve()} {stat.st_size} {stat.st_mtime_ns} {codec_key}"

    def cached() -> Path:
        return cache / f"{hashlib.sha256((name + stems.key).encode()).hexdigest()[:32]}.npz"

    if cached().exists():
        with np.load(cached()) as kept:
            count = int(kept["count"])
            stems.separated += int(kept["separated"]) if "separated" in kept else 0
            return [(kept[f"codes{n}"], kept[f"chroma{n}"]) for n in range(count)]
    pieces = []
    before = stems.separated
    audio = read_audio(source.path).resampled(MODEL_SAMPLE_RATE)
    frames = round(SEGMENT_SECONDS * MODEL_SAMPLE_RATE)
    for start in range(0, audio.frames, frames):
        piece = Waveform(audio.samples[start : start + frames], MODEL_SAMPLE_RATE)
        if piece.frames < SHORTEST_SECONDS * MODEL_SAMPLE_RATE:
            break
        codes = encode_audio(checkpoint.model.audio_encoder, piece, checkpoint.audio_channels)
        melody = stems.melody_of(piece)
        pieces.append((codes, window_chroma(melody, checkpoint.chroma_length)))
    # Not earlier: where Demucs turned out to be missing, this is what no stems give.
    file = cached()
    part = file.with_suffix(".part")
    separated = stems.separated - before
    arrays: dict[str, Any] = {"count": np.array(len(pieces)), "separated": np.array(separated)}
    for number, (codes, chroma) in enumerate(pieces):
        arrays |= {f"codes{number}": codes, f"chroma{number}": chroma}
    with part.open("wb") as opened:
        np.savez(opened, **arrays)
    part.replace(file)
    return pieces


def _codec_key(checkpoint: Checkpoint) -> str:
    """Changes with the codec's weights and with the number of channels."""
    digest = hashlib.sha256(str(checkpoint.audio_channels).encode())
    for weight in checkpoint.model.audio_encoder.state_dict().values():
        digest.update(weight.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
