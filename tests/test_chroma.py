"""Chroma against the official extractor's own output, and the rules that are ours.

`golden/chroma.npz` was made with `MusicgenMelodyFeatureExtractor` of transformers 5.23 beside
torchaudio: `NAME_audio` is int16 at 32 kHz, `NAME_chroma` its strongest class at each step.
"""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import (
    STEP_SECONDS,
    WINDOW_STEPS,
    audio_chroma,
    chroma_filter_bank,
    melody_chroma,
    note_chroma,
    note_pitch_classes,
    one_hot,
    pitch_classes,
    similarity,
)
from bridge.timing import Note

GOLDEN = np.load(Path(__file__).parent / "golden" / "chroma.npz")
NAMES = sorted(key.removesuffix("_audio") for key in GOLDEN if key.endswith("_audio"))
C, D, E, F, G, A, B = 0, 2, 4, 5, 7, 9, 11


def golden(name: str) -> Waveform:
    return Waveform(GOLDEN[f"{name}_audio"].astype(np.float32)[:, None] / 32768, 32000)


def tones(
    *parts: tuple[float | None, float], sample_rate: int = 32000, level: float = 0.3
) -> Waveform:
    """One sine after another: (Hz or None for silence, seconds)."""
    pieces = []
    for hz, seconds in parts:
        frames = np.arange(round(seconds * sample_rate)) / sample_rate
        pieces.append(level * np.sin(2 * np.pi * hz * frames) if hz else np.zeros(len(frames)))
    return Waveform(np.concatenate(pieces).astype(np.float32)[:, None], sample_rate)


def hz(pitch: float) -> float:
    return float(440 * 2 ** ((pitch - 69) / 12))


def classes_of(chroma: NDArray[np.float32]) -> list[int]:
    assert chroma.dtype == np.float32
    assert chroma.shape[1] == 12
    assert (np.sort(chroma, axis=1) == one_hot(np.full(len(chroma), 11))).all(), "not one-hot"
    return [int(index) for index in chroma.argmax(axis=1)]


@pytest.mark.parametrize("name", NAMES)
def test_strict_is_the_official_extractor_at_every_step(name: str) -> None:
    assert len(NAMES) == 7
    expected = [int(index) for index in GOLDEN[f"{name}_chroma"]]
    assert classes_of(audio_chroma(golden(name), strict=True)) == expected


def test_strict_reads_thirty_seconds_like_the_official_extractor() -> None:
    low, high = tones((hz(60), 30.0)), tones((hz(67), 10.0))
    joined = Waveform(np.concatenate([low.samples, high.samples]), 32000)
    assert classes_of(audio_chroma(joined, strict=True)) == [C] * WINDOW_STEPS
    assert len(audio_chroma(joined)) == 1 + 40 * 32000 // 4096


def test_the_filter_bank_is_that_of_transformers() -> None:
    audio_utils = pytest.importorskip("transformers.audio_utils")
    expected = audio_utils.chroma_filter_bank(
        sampling_rate=32000, num_frequency_bins=16384, tuning=0, num_chroma=12
    )
    assert chroma_filter_bank().shape == expected.shape == (12, 8193)
    assert np.abs(chroma_filter_bank() - expected).max() < 1e-12


@pytest.mark.parametrize("pitch", range(45, 93, 5))
@pytest.mark.parametrize("sample_rate", [22050, 44100, 48000])
def test_a_tone_has_its_pitch_class_at_any_rate_and_in_stereo(pitch: int, sample_rate: int) -> None:
    mono = tones((hz(pitch), 0.7), sample_rate=sample_rate)
    stereo = Waveform(np.repeat(mono.samples, 2, axis=1), sample_rate)
    assert set(classes_of(audio_chroma(stereo))) == {pitch % 12}
    assert set(pitch_classes(stereo)) == {pitch % 12}


def test_step_k_is_centred_on_its_own_time() -> None:
    change = 20 * STEP_SECONDS
    chroma = classes_of(audio_chroma(tones((hz(60), change - 0.02), (hz(64), 2.0))))
    assert chroma[:20] == [C] * 20
    assert set(chroma[20:]) == {E}


def test_audio_shorter_than_a_window_keeps_its_time() -> None:
    assert classes_of(audio_chroma(tones((hz(62), 0.3)))) == [D, D, D]
    assert classes_of(audio_chroma(Waveform(np.zeros((0, 1), dtype=np.float32), 32000))) == [C]


def test_silence_holds_the_last_pitch_class_and_leading_silence_takes_the_first() -> None:
    melody = tones((None, 2.0), (hz(64), 1.0), (None, 2.0), (hz(67), 1.0), (None, 2.0))
    chroma = classes_of(audio_chroma(melody))
    change = chroma.index(G)
    assert set(chroma[:change]) == {E}
    assert set(chroma[change:]) == {G}
    assert abs(change * STEP_SECONDS - 5.0) < 0.3
    strict = classes_of(audio_chroma(melody, strict=True))
    assert strict[4] == C, "the official extractor calls digital silence C"


def test_noise_far_below_the_melody_is_silence_too() -> None:
    melody = tones((hz(69), 2.0), (None, 3.0))
    noise = np.random.default_rng(1).normal(0, 0.3 * 10 ** (-50 / 20), melody.samples.shape)
    noisy = Waveform(melody.samples + noise.astype(np.float32), 32000)
    assert set(classes_of(audio_chroma(noisy))) == {A}
    assert set(pitch_classes(noisy)[21:]) == {-1}


def test_a_quiet_recording_sounds_and_what_is_below_70_dbfs_does_not() -> None:
    assert set(pitch_classes(tones((hz(69), 1.0), level=0.002))) == {A}
    assert set(pitch_classes(tones((hz(69), 1.0), level=0.0002))) == {-1}
    assert set(classes_of(audio_chroma(tones((None, 1.0))))) == {C}


def test_rests_are_found_and_only_the_band_counts() -> None:
    rumble = tones((50.0, 3.0), level=0.9).samples + tones((3520.0, 3.0), level=0.9).samples
    hum = tones((hz(57), 1.0), (None, 1.0), (hz(59), 1.0)).samples
    classes = pitch_classes(Waveform((rumble + hum).astype(np.float32), 32000))
    assert set(classes[:7]) == {A}
    assert set(classes[11:13]) == {-1}
    assert set(classes[-7:]) == {B}


def test_time_scale_moves_the_steps_and_not_the_pitch() -> None:
    melody = tones((hz(60), 4.0), (hz(65), 4.0))
    halved = tones((hz(60), 2.0), (hz(65), 2.0))
    assert classes_of(audio_chroma(melody, time_scale=2)) == classes_of(audio_chroma(halved))
    stretched = classes_of(audio_chroma(halved, time_scale=Fraction(1, 2)))
    original = classes_of(audio_chroma(melody))
    assert len(stretched) == len(original)
    assert sum(a != b for a, b in zip(stretched, original, strict=True)) <= 1


@pytest.mark.parametrize("time_scale", [1, Fraction(3, 2)])
@pytest.mark.parametrize("name", NAMES)
def test_one_spectrogram_gives_both_chroma_and_pitch_classes(
    name: str, time_scale: Fraction | int
) -> None:
    hum = golden(name)
    chroma, classes = melody_chroma(hum, time_scale=time_scale)
    assert np.array_equal(chroma, audio_chroma(hum, time_scale=time_scale))
    assert np.array_equal(classes, pitch_classes(hum, time_scale=time_scale))


def test_the_time_grows_no_faster_than_the_length() -> None:
    """Twice the length takes twice the processor time; with the square it would be four times."""
    noise = np.random.default_rng(0).normal(0, 0.1, (60 * 44100, 2)).astype(np.float32)
    spent_seconds: dict[int, list[float]] = {30: [], 60: []}
    for _ in range(3):
        for seconds, spent in spent_seconds.items():
            start = time.process_time()
            steps = len(audio_chroma(Waveform(noise[: seconds * 44100], 44100)))
            spent.append(time.process_time() - start)
            assert steps == 1 + int(seconds / STEP_SECONDS)
    assert min(spent_seconds[60]) < 3 * min(spent_seconds[30]), spent_seconds


def note(start: float, length: float, pitch: int) -> Note:
    return Note(Fraction(start), Fraction(length), pitch)


def test_notes_give_the_chroma_of_their_own_sound() -> None:
    pitches = [60, 62, 64, 65, 67, 69, 71, 72]
    notes = [note(i, 1, pitch) for i, pitch in enumerate(pitches)]
    audio = tones(*((hz(pitch), 0.6) for pitch in pitches))
    written = note_chroma(notes, Fraction(100), 38)
    from_audio = audio_chroma(audio)
    assert len(from_audio) == 38
    assert (
        sum(a != b for a, b in zip(classes_of(written), classes_of(from_audio), strict=True)) <= 3
    )


def test_the_highest_of_several_notes_is_the_melody() -> None:
    notes = [note(0, 4, 72), note(0, 8, 64), note(0, 8, 67), note(4, 2, 60)]
    classes = note_pitch_classes(notes, Fraction(120), 32)
    assert set(classes[:15]) == {C}
    assert set(classes[17:]) == {G}


def test_the_lead_is_an_option() -> None:
    """A loud C for two beats, a soft G over it, and an E that begins last and ends first."""
    notes = [
        Note(Fraction(0), Fraction(4), 60, 120),
        Note(Fraction(0), Fraction(8), 67, 60),
        Note(Fraction(1), Fraction(1), 64, 100),
    ]
    last = note_pitch_classes(notes, Fraction(60), 64, "last")
    assert (last[4], last[12], last[24], last[50]) == (G, E, G, G)
    loudest = note_pitch_classes(notes, Fraction(60), 64, "loudest")
    assert (loudest[4], loudest[12], loudest[24], loudest[50]) == (C, C, C, G)


def test_rests_between_notes_are_found_and_held() -> None:
    notes = [note(2, 1, 64), note(6, 1, 67)]
    classes = note_pitch_classes(notes, Fraction(120), 40)
    assert set(classes[:7]) == {-1}
    assert set(classes[9:11]) == {E}
    assert set(classes[13:23]) == {-1}
    chroma = classes_of(note_chroma(notes, Fraction(120), 40))
    assert set(chroma[:23]) == {E}
    assert set(chroma[24:]) == {G}


def test_a_staccato_note_between_two_steps_is_not_missed() -> None:
    short = note(0.55 * STEP_SECONDS * 2, 0.1, 62)
    assert note_pitch_classes([short], Fraction(120), 4).tolist() == [-1, D, -1, -1]


def test_no_notes_and_no_steps_are_no_error() -> None:
    assert note_pitch_classes([], Fraction(120), 3).tolist() == [-1, -1, -1]
    assert classes_of(note_chroma([], Fraction(120), 3)) == [C, C, C]
    assert len(note_pitch_classes([note(0, 1, 60)], Fraction(120), 0)) == 0


def test_similarity_is_the_share_of_sounding_steps_that_agree() -> None:
    melody = np.array([-1, 0, 0, 4, 7, -1])
    assert similarity(melody, melody) == 1.0
    assert similarity(np.array([3, 0, 2, 4, -1, 5]), melody) == 0.5
    assert similarity(np.array([3, 0, 2]), melody) == 0.5
    assert np.isnan(similarity(melody, np.array([-1, -1])))


@pytest.mark.parametrize("name", ["twinkle", "frere", "saints", "scarborough"])
def test_each_tune_is_similar_to_itself_and_not_to_the_others(name: str) -> None:
    tune = pitch_classes(golden(name))
    noisy = golden(name).samples + np.random.default_rng(2).normal(
        0, 0.01, golden(name).samples.shape
    )
    assert similarity(pitch_classes(Waveform(noisy.astype(np.float32), 32000)), tune) > 0.95
    others = {"twinkle", "frere", "saints", "scarborough"} - {name}
    assert all(similarity(pitch_classes(golden(other)), tune) < 0.4 for other in others)
