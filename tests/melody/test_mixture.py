"""Mixes are distinguished from melodies that sound alone; perfect stems lead better than a mix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform, db_to_amplitude
from bridge.chroma import audio_chroma, pitch_classes, similarity
from bridge.melody import MIX_DB, low_share_db, read_melody
from bridge.pocket.music import compose, melody_alone
from bridge.pocket.music.drums import drum_track
from bridge.pocket.music.synth import VOICES, play

SEED = 77
SECONDS = 6.0
FRAMES = round(SECONDS * MODEL_SAMPLE_RATE)
MIXES = 10


def levelled(sound: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    return (sound * (level / max(float(np.sqrt((sound**2).mean())), 1e-9))).astype(np.float32)


def hum_and_mix(number: int, over_db: float) -> tuple[Waveform, Waveform] | None:
    """A hum, and the same with drums and bass that are louder by `over_db`; None: it has none."""
    rng = np.random.default_rng((SEED, number))
    score = compose(rng, seconds=SECONDS)
    basses = [part for part in score.backing if "bass" in part.voice]
    if score.kit is None or not basses:
        return None
    hum = melody_alone(score.lead, rng, tempo_bpm=score.tempo_bpm, frames=FRAMES)
    bass = play(
        basses[0], VOICES[basses[0].voice], rng, tempo_bpm=score.tempo_bpm, frames=FRAMES
    ).mean(axis=1)
    drums = drum_track(score, rng, frames=FRAMES).mean(axis=1)
    level = float(np.sqrt((hum.samples**2).mean())) * db_to_amplitude(over_db)
    mixed = hum.samples[:, 0] + levelled(bass, level) + levelled(drums, level)
    return hum, Waveform(mixed.astype(np.float32)[:, None], MODEL_SAMPLE_RATE)


def made_mixes(over_db: float) -> list[tuple[Waveform, Waveform]]:
    found = [each for number in range(60) if (each := hum_and_mix(number, over_db)) is not None]
    return found[:MIXES]


@pytest.fixture(scope="module")
def mixes() -> list[tuple[Waveform, Waveform]]:
    mixes = made_mixes(over_db=0.0)
    assert len(mixes) == MIXES
    return mixes


def test_hums_sound_alone_and_mixes_do_not(
    mixes: list[tuple[Waveform, Waveform]], melodies: Path
) -> None:
    assert max(low_share_db(hum) for hum, _ in mixes) < MIX_DB - 10
    assert min(low_share_db(mix) for _, mix in mixes) > MIX_DB + 10
    for file in melodies.glob("*.wav"):
        source = read_melody(file).source
        assert isinstance(source, Waveform) and low_share_db(source) < MIX_DB - 10, file.name


def test_silence_and_a_high_sound_are_no_mix() -> None:
    assert low_share_db(Waveform(np.zeros((100, 1), np.float32), 32_000)) == -120
    tone = np.sin(2 * np.pi * 440 * np.arange(640_001) / 32_000).astype(np.float32)[:, None]
    assert low_share_db(Waveform(tone, 32_000)) < -60


def test_perfect_stems_lead_better_than_a_mix() -> None:
    """By the chroma that conditions the model, with drums and bass 12 dB over the hum."""
    raw, stems = [], []
    for hum, mix in made_mixes(over_db=12.0):
        played = pitch_classes(hum)
        raw.append(similarity(audio_chroma(mix).argmax(axis=1), played))
        stems.append(similarity(audio_chroma(hum).argmax(axis=1), played))
    margin = float(np.mean(stems) - np.mean(raw))
    print(f"melody similarity: mix {np.mean(raw):.2f}, stems {np.mean(stems):.2f}, +{margin:.2f}")
    assert margin > 0.1
