"""Each part of a clip's score on sounds whose fault is known."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import note_pitch_classes
from bridge.clip import ScoreParts, finish
from bridge.clip.loudness import loudness_lufs
from bridge.clip.onsets import find_onsets
from bridge.clip.score import clipped_share, score_clip, seam_jump_db
from bridge.timing import Meter, Note
from tests.clip.material import RATE, drums, pad, plucks, scattered, stereo

TEMPO = Fraction(120)
BEAT = RATE // 2
TUNE = (60, 62, 64, 67, 65, 64, 62, 60)
CLASSES = note_pitch_classes(
    [Note(Fraction(i), Fraction(1), TUNE[i % 8]) for i in range(16)], TEMPO, 63
)


def loop(*parts: NDArray[np.float64]) -> Waveform:
    """Four bars at 120 bpm, from the second bar of the parts."""
    return part_of(stereo(*parts), 4 * BEAT, 20 * BEAT)


def part_of(waveform: Waveform, first: int, end: int) -> Waveform:
    return Waveform(waveform.samples[first:end].copy(), waveform.sample_rate)


def rolled(clip: Waveform, beats: float) -> Waveform:
    return Waveform(np.roll(clip.samples, round(beats * BEAT), axis=0), RATE)


def score(
    clip: Waveform,
    *,
    generated: Waveform | None = None,
    clicks: int = 0,
    classes: NDArray[np.int64] | None = None,
) -> ScoreParts:
    return score_clip(
        clip,
        find_onsets(clip, loops=True),
        generated or clip,
        clicks=clicks,
        loudness_lufs=loudness_lufs(clip),
        tempo_bpm=TEMPO,
        meter=Meter(),
        melody_classes=classes,
    )


def part(parts: ScoreParts, name: str) -> float:
    """A part that a clip of bars always has."""
    value = parts.as_json()[name]
    assert value is not None
    return value


BAND = loop(drums(120, 12), plucks(120, 12, TUNE, step_beats=1.0))


@pytest.mark.parametrize(
    "played",
    [
        drums(120, 12),
        drums(120, 12, swing=1 / 3),
        drums(120, 12) + plucks(120, 12, TUNE, step_beats=1.0),
        pad(12),
    ],
    ids=["drums", "swung drums", "drums and plucks", "pad"],
)
def test_a_finished_clip_without_faults_has_1_in_every_part_but_the_melody(
    played: NDArray[np.float64],
) -> None:
    clip = finish(stereo(played), bars=4, tempo_bpm=TEMPO, meter=Meter(), sample_rate=44_100)
    # Drums alone have peaks so high that they stay below the loudness of other clips.
    assert part(clip.score, "loudness") > 0.7
    assert replace(clip.score, loudness=1.0) == ScoreParts(None, *[1.0] * 7)


def test_melody_is_the_share_of_its_steps_that_are_followed() -> None:
    follows, half, other = (
        loop(plucks(120, 12, pitches, step_beats=1.0))
        for pitches in (
            TUNE,
            (60, 62, 64, 67, 66, 66, 66, 66),
            tuple(pitch + 1 for pitch in TUNE),
        )
    )
    # The loop begins on the second bar: four notes in.
    classes = np.roll(CLASSES, -round(2.0 / 0.128))
    values = [score(clip, classes=classes).melody or 0.0 for clip in (follows, half, other)]
    assert values[0] > 0.7 and values[2] < 0.2
    assert values[0] > values[1] > values[2]


def test_there_is_no_melody_part_without_a_melody_or_with_rests_alone() -> None:
    assert score(BAND).melody is None
    assert score(BAND, classes=np.full(63, -1, np.int64)).melody is None
    after_the_end = np.append(np.full(63, -1, np.int64), 0)
    assert score(BAND, classes=after_the_end).melody is None


def test_tempo_falls_where_onsets_are_off_the_grid() -> None:
    assert score(BAND).tempo == 1.0
    assert part(score(rolled(BAND, 0.12)), "tempo") < 0.5
    by_chance = [part(score(loop(scattered(12, seed=seed))), "tempo") for seed in range(8)]
    assert 0.2 < np.mean(by_chance) < 0.8
    # Played 4 % too slowly, and not stretched.
    assert part(score(loop(drums(115.2, 12))), "tempo") < 0.7


def test_downbeat_falls_where_another_beat_is_on_frame_0() -> None:
    assert score(BAND, classes=np.roll(CLASSES, -16)).downbeat == 1.0
    for beats in (1.0, 0.5, 3.0):
        moved = score(rolled(BAND, beats), classes=np.roll(CLASSES, -16))
        assert part(moved, "downbeat") < 0.7, beats


def test_a_pad_has_no_downbeat_that_could_be_wrong() -> None:
    assert score(loop(pad(12))).downbeat == 1.0


def test_loudness_falls_below_the_loudness_of_clips() -> None:
    loudness = loudness_lufs(BAND)
    assert loudness is not None
    values = []
    for lufs in (-14.0, -15.9, -21.0, -27.0):
        gain = np.float32(10 ** ((lufs - loudness) / 20))
        values.append(score(Waveform(BAND.samples * gain, RATE)).loudness)
    assert values == [1.0, 1.0, pytest.approx(0.5, abs=0.01), 0.0]


def test_silence_throughout_is_at_fault_and_nothing_fails() -> None:
    silent = score(Waveform(np.zeros((16 * BEAT, 2), np.float32), RATE), classes=CLASSES)
    assert (silent.melody, silent.loudness, silent.silence) == (0.0, 0.0, 0.0)
    assert all(0 <= (value or 0) <= 1 for value in silent.as_json().values())


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_clipping_falls_where_tops_are_flat(share: float) -> None:
    peak = float(np.abs(BAND.samples).max())
    flat = Waveform(np.clip(BAND.samples, -share * peak, share * peak), RATE)
    assert clipped_share(BAND) == 0.0
    assert score(BAND, generated=flat).clipping < 0.5
    one_sided = Waveform(np.minimum(BAND.samples, np.float32(share * peak)), RATE)
    assert clipped_share(one_sided) > 1e-4


def test_a_low_sine_and_16_bits_are_not_clipped() -> None:
    seconds = np.arange(4 * RATE) / RATE
    sine = np.sin(2 * np.pi * 41 * seconds)
    sixteen_bits = np.round(sine * 30_000) / 32_768
    for tone in (sine, sixteen_bits):
        assert clipped_share(Waveform(tone.astype(np.float32)[:, None], RATE)) < 1e-5


@pytest.mark.parametrize(("beats", "part"), [(1.5, 1.0), (3.0, 0.5), (4.0, 0.0), (6.0, 0.0)])
@pytest.mark.parametrize("first_beat", [5.0, 14.0])
def test_silence_is_judged_by_the_longest_also_around_the_seam(
    first_beat: float, beats: float, part: float
) -> None:
    """The silence is put into the middle, or across the end into the start."""
    held = loop(pad(12))
    samples = np.roll(held.samples, -round(first_beat * BEAT), axis=0)
    samples[: round(beats * BEAT)] = 0
    clip = rolled(Waveform(samples, RATE), first_beat)
    assert score(clip).silence == pytest.approx(part, abs=0.06)


def test_the_seam_falls_at_a_jump_and_not_at_an_attack() -> None:
    # 97 and 31 Hz do not fit into the clip's length.
    seconds = np.arange(16 * BEAT - 217) / RATE
    tone = 0.3 * (np.sin(2 * np.pi * 97 * seconds + 1) + np.sin(2 * np.pi * 31 * seconds + 1))
    assert score(Waveform(tone.astype(np.float32)[:, None].repeat(2, 1), RATE)).seam == 0.0
    for sound in (BAND, loop(drums(120, 12)), rolled(BAND, 0.3)):
        assert score(sound).seam == 1.0, seam_jump_db(sound)


def test_each_click_costs_a_tenth() -> None:
    assert [score(BAND, clicks=clicks).clicks for clicks in (0, 1, 10, 20)] == [1.0, 0.9, 0.0, 0.0]


@pytest.mark.parametrize("meter", ["1/16", "7/8", "5/16", "12/8"])
@pytest.mark.parametrize("tempo", [20, 999])
def test_every_meter_and_tempo_has_a_score(meter: str, tempo: int) -> None:
    clip = finish(
        BAND, bars=1, tempo_bpm=Fraction(tempo), meter=Meter.parse(meter), sample_rate=44_100
    )
    assert all(0 <= (value or 0) <= 1 for value in clip.score.as_json().values())
