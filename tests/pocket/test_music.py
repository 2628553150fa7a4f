"""The training music: reproducible, varied, stereo, and led by its melody."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform, power_to_db
from bridge.chroma import HOP, note_pitch_classes, pitch_classes, similarity
from bridge.clip.onsets import find_onsets
from bridge.pocket.corpus import HELD_OUT_SEEDS, Piece, render, render_many
from bridge.pocket.music import Score, compose
from bridge.pocket.music.drums import KITS, drum_track
from bridge.pocket.music.mix import balanced
from bridge.pocket.music.score import CHORD_VOICES, LEADS, STEP_FRAMES, onset_frame
from bridge.pocket.music.synth import VOICES, tone
from bridge.pocket.text import FILLER, PROMPT_WORDS, build_tokenizer
from bridge.timing import Note
from bridge.tools.measures import percussive_share, side_over_mid_db, tempo_of

SEED = 1234
SECONDS = 6.0


@pytest.fixture(scope="module")
def pieces() -> list[Piece]:
    return [render(number, seed=SEED, seconds=SECONDS) for number in range(16)]


@pytest.fixture(scope="module")
def scores() -> list[Score]:
    return [compose(np.random.default_rng((SEED, n)), seconds=12.0) for n in range(800)]


def melody_of(score: Score, steps: int) -> NDArray[np.int64]:
    """The pitch class of the score's melody at each step of 128 ms, −1 at rests."""
    lead = score.lead
    notes = [
        Note(Fraction(start), Fraction(length), int(pitch))
        for start, length, pitch in zip(
            lead.starts_beats.tolist(), lead.lengths_beats.tolist(), lead.pitches, strict=True
        )
    ]
    return note_pitch_classes(notes, Fraction(score.tempo_bpm), steps)


def line_of(score: Score) -> tuple[object, ...]:
    """A melody without its key: the start times of its notes, and the intervals between them."""
    lead = score.lead
    return (*np.round(lead.starts_beats, 3).tolist(), *np.diff(lead.pitches).tolist())


def test_the_same_seed_gives_the_same_samples(pieces: list[Piece]) -> None:
    again = render(3, seed=SEED, seconds=SECONDS)
    assert np.array_equal(again.audio.samples, pieces[3].audio.samples)
    assert np.array_equal(again.melody.samples, pieces[3].melody.samples)
    assert again.score.prompt == pieces[3].score.prompt
    assert len({piece.audio.samples.tobytes() for piece in pieces}) == len(pieces)


def test_other_processes_render_the_same_pieces(pieces: list[Piece]) -> None:
    made = list(render_many(3, seed=SEED, seconds=SECONDS, first=2))
    assert [m.audio.samples.tobytes() for m in made] == [
        piece.audio.samples.tobytes() for piece in pieces[2:5]
    ]


def test_a_piece_has_the_length_of_its_bars_and_never_clips(pieces: list[Piece]) -> None:
    for piece in pieces:
        score, audio = piece.score, piece.audio
        frames = round(score.seconds * MODEL_SAMPLE_RATE)
        assert audio.frames == piece.other.frames == piece.melody.frames == frames
        assert (audio.channels, piece.other.channels, piece.melody.channels) == (2, 2, 1)
        for sound in (audio, piece.other):
            assert 0.1 < np.abs(sound.samples).max() <= 0.95 + 1e-6


def test_the_other_version_differs_only_in_its_drums_and_its_prompt_says_so(
    pieces: list[Piece],
) -> None:
    for piece in pieces:
        score, other = piece.score, piece.other_score
        assert (score.kit is None) != (other.kit is None)
        assert np.array_equal(score.lead.pitches, other.lead.pitches)
        for each, sound in ((score, piece.audio), (other, piece.other)):
            drums = each.kit or "no drums"
            assert drums in each.prompt or each is score
            share = percussive_share(sound)
            assert share > 0.01 if each.kit else share < 0.005
        rest = {"no drums", score.kit, other.kit}
        assert set(score.prompt.split(", ")) - rest == set(other.prompt.split(", ")) - rest


def test_every_onset_begins_a_codec_step() -> None:
    for tempo_bpm in range(70, 171):
        frames = np.array([onset_frame(beats / 4, tempo_bpm) for beats in range(64)])
        written = np.arange(64) / 4 * 60 / tempo_bpm * MODEL_SAMPLE_RATE
        assert not (frames % STEP_FRAMES).any()
        assert np.abs(frames - written).max() <= STEP_FRAMES / 2


@pytest.mark.parametrize("kit", [*KITS])
def test_a_hit_is_always_the_same_sound(kit: str, scores: list[Score]) -> None:
    """So it always has the same codes. Every bar here begins with the kick and the hat."""
    openings = {
        drum_track(score, np.random.default_rng(n), frames=16 * STEP_FRAMES)[:3200].tobytes()
        for n, score in enumerate([score for score in scores if score.kit == kit][:6])
    }
    assert len(openings) == 1


def test_no_melody_of_the_evaluation_is_in_the_corpus(scores: list[Score]) -> None:
    held_out = {
        line_of(compose(np.random.default_rng((seed, n)), seconds=16.0))
        for seed in HELD_OUT_SEEDS
        for n in range(40)
    }
    assert len(held_out) == 80
    assert not held_out & {line_of(score) for score in scores}


def test_pieces_end_on_a_bar_line_within_the_given_time(scores: list[Score]) -> None:
    for score in scores:
        bars = score.seconds * score.tempo_bpm / 60 / float(score.meter.beats_per_bar)
        assert bars == pytest.approx(round(bars)) and round(bars) >= 1
        assert score.seconds <= 12.0
        assert score.lead.starts_beats.max() < bars * float(score.meter.beats_per_bar)


def test_all_tempos_meters_keys_and_voices_occur(scores: list[Score]) -> None:
    tempos = {score.tempo_bpm for score in scores}
    assert (min(tempos), max(tempos)) == (70, 170)
    assert {str(score.meter) for score in scores} == {"4/4", "3/4"}
    assert len({score.key for score in scores}) == 24
    assert {score.lead.voice for score in scores} == set(LEADS)
    assert {score.kit for score in scores} == {None, *KITS}
    assert {part.voice for score in scores for part in score.backing} >= set(CHORD_VOICES)


def test_the_tokenizer_knows_every_word_of_a_prompt(scores: list[Score]) -> None:
    tokenizer = build_tokenizer()
    for score in scores:
        words = re.findall(r"[^ ,]+", score.prompt.lower())
        read = tokenizer.tokenize(score.prompt)
        assert [word for word in read if word != FILLER] == words
        assert len(read) == PROMPT_WORDS


def test_a_prompt_says_whether_there_are_drums(scores: list[Score]) -> None:
    for score in scores:
        if score.kit is None:
            assert "drums" not in score.prompt or "no drums" in score.prompt
        else:
            assert score.kit in score.prompt and "no drums" not in score.prompt


def test_the_melody_is_at_least_6_db_above_the_chords() -> None:
    chord_parts = 0
    for number in range(24):
        rng = np.random.default_rng((SEED, number))
        score = compose(rng, seconds=SECONDS)
        lead, *backing = balanced(score, rng, frames=round(score.seconds * MODEL_SAMPLE_RATE))
        for part, sound in zip(score.backing, backing, strict=True):
            if part.voice in CHORD_VOICES:
                chord_parts += 1
                assert power_to_db((lead**2).mean() / (sound**2).mean()) >= 6.0
    assert chord_parts >= 12


def test_the_mix_is_led_by_its_melody(pieces: list[Piece]) -> None:
    led = [
        similarity(pitch_classes(p.audio), melody_of(p.score, 1 + p.audio.frames // HOP))
        for p in pieces
    ]
    assert np.mean(led) >= 0.9 and min(led) >= 0.75


def test_the_melody_alone_has_the_pitch_classes_of_its_notes(pieces: list[Piece]) -> None:
    led = [
        similarity(pitch_classes(p.melody), melody_of(p.score, 1 + p.melody.frames // HOP))
        for p in pieces
    ]
    assert np.mean(led) >= 0.95 and min(led) >= 0.85


def test_the_melody_alone_does_not_sound_like_the_mix(pieces: list[Piece]) -> None:
    """Otherwise a model could copy the sound, and would not follow other sounds."""
    for piece in pieces:
        spectra = [
            np.abs(np.fft.rfft(sound.mono().samples[:, 0].astype(np.float64)))
            for sound in (piece.audio, piece.melody)
        ]
        assert np.corrcoef(spectra[0], spectra[1])[0, 1] < 0.9


def test_the_stereo_image_is_neither_mono_nor_hollow(pieces: list[Piece]) -> None:
    assert all(-30 < side_over_mid_db(piece.audio) < -6 for piece in pieces)


def test_the_tempo_finder_works_on_the_corpus() -> None:
    """On 95 % of it: otherwise `eval` could not measure whether a model keeps a tempo."""
    found = []
    for number in range(20):
        piece = render(number, seed=SEED, seconds=9.0)
        score = piece.score
        onsets = find_onsets(piece.audio if score.kit else piece.other)
        beats = float(score.meter.beats_per_bar)
        ratio = tempo_of(onsets.strength, onsets.step_seconds, beats) / score.tempo_bpm
        found.append(any(abs(ratio / k - 1) <= 0.03 for k in (0.5, 1.0, 2.0)))
    assert np.mean(found) >= 0.95


@pytest.mark.parametrize("voice", [*VOICES])
def test_a_voice_has_the_pitch_class_of_its_note(voice: str) -> None:
    sound = tone(VOICES[voice], 220.0, 1.0, np.random.default_rng(0))
    assert 0.3 < np.abs(sound).max() <= 1.0
    classes = pitch_classes(Waveform(sound[:, None], MODEL_SAMPLE_RATE))
    assert set(classes[classes >= 0]) == {9}


@pytest.mark.parametrize("kit", [*KITS])
def test_a_kit_plays_on_the_first_beat(kit: str, scores: list[Score]) -> None:
    score = next(score for score in scores if score.kit == kit)
    frames = round(score.seconds * MODEL_SAMPLE_RATE)
    sound = drum_track(score, np.random.default_rng(0), frames=frames)
    assert np.abs(sound[:640]).max() > 0.3 * np.abs(sound).max()
    assert percussive_share(Waveform(sound, MODEL_SAMPLE_RATE)) > 0.01
