"""From generated audio to the clip: exact, in time, looping, at one loudness."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.audio import Waveform
from bridge.chroma import note_pitch_classes
from bridge.clip import beat_offset_ms, finish, surplus_seconds
from bridge.clip.onsets import find_onsets
from bridge.errors import BadArgument
from bridge.timing import Meter, Note, bars_to_frames, bars_to_seconds
from tests.clip import material
from tests.clip.material import RATE, drums, pad, plucks, stereo
from tests.clip.measures import attacks, flux, seam_flux


@pytest.mark.parametrize("faster", [1.04, 0.96])
@pytest.mark.parametrize(
    ("tempo", "meter", "bars", "sample_rate"),
    [(120, "4/4", 4, 44_100), (93.75, "3/4", 4, 48_000), (140, "7/8", 4, 96_000)],
)
def test_audio_off_tempo_and_100_ms_late_becomes_a_clip_on_the_grid(
    tempo: float, meter: str, bars: int, sample_rate: int, faster: float
) -> None:
    """Every kick and snare of the finished clip is measured, not only the median."""
    tempo_bpm, signature = Fraction(tempo), Meter.parse(meter)
    clip_seconds = float(bars_to_seconds(bars, signature, tempo_bpm))
    seconds = clip_seconds + surplus_seconds(bars, tempo_bpm, signature)
    waveform = stereo(drums(tempo * faster, seconds, meter=meter, first_bar_seconds=0.1))
    clip = finish(
        waveform, bars=bars, tempo_bpm=tempo_bpm, meter=signature, sample_rate=sample_rate
    )
    assert clip.fitted
    assert clip.stretch_ratio == pytest.approx(faster, abs=0.001)
    assert clip.source_offset_seconds == pytest.approx(0.1, abs=0.003)
    assert clip.beat_offset_ms is not None
    assert clip.beat_offset_ms < 5
    beat_seconds = 60 / tempo
    in_bar = sorted(material.KICK_SNARE[meter][0] + material.KICK_SNARE[meter][1])
    lines = np.array(
        [
            (bar * float(signature.beats_per_bar) + beat) * beat_seconds
            for bar in range(bars)
            for beat in in_bar
        ]
    )
    away = np.abs(np.array(attacks(clip.waveform, lines, 0.04)) - lines)
    assert away.max() < 0.015, away


def test_only_the_seam_and_the_level_of_a_pad_change() -> None:
    waveform = stereo(pad(11))
    clip = finish(waveform, bars=4, tempo_bpm=Fraction(120), meter=Meter(), sample_rate=RATE)
    assert not clip.fitted
    assert (clip.stretch_ratio, clip.source_offset_seconds) == (1.0, 0.0)
    assert any("no steady pulse" in line for line in clip.remarks)
    after = slice(RATE // 4, None)
    gain = np.abs(clip.waveform.samples[after]).max() / np.abs(waveform.samples[: 8 * RATE]).max()
    played = waveform.samples[: 8 * RATE][after] * gain
    assert np.allclose(clip.waveform.samples[after], played, atol=2e-3)
    assert seam_flux(clip.waveform) <= np.percentile(flux(clip.waveform.samples), 95)


def test_silence_before_a_late_first_drum_is_cut() -> None:
    """60 ms of silence before the first drum are gone; frame 0 is the drum."""
    late = np.concatenate([np.zeros(round(0.06 * RATE)), drums(120, 10)])
    clip = finish(stereo(late), bars=4, tempo_bpm=Fraction(120), meter=Meter(), sample_rate=44_100)
    assert clip.source_offset_seconds == pytest.approx(0.06, abs=0.003)
    assert np.abs(clip.waveform.samples[: 44_100 // 50]).max() > 0.1


@pytest.mark.parametrize("rest_steps", [None, 0, 3])
def test_silence_before_a_late_pad_is_cut(rest_steps: int | None) -> None:
    """A rest at the start of its melody is kept."""
    sound = pad(11)
    sound[: round(0.6 * RATE)] = 0
    classes = None
    if rest_steps is not None:
        classes = np.where(np.arange(63) < rest_steps, -1, 0)
    clip = finish(
        stereo(sound),
        bars=4,
        tempo_bpm=Fraction(120),
        meter=Meter(),
        sample_rate=RATE,
        melody_classes=classes,
    )
    rest = 0.128 * (rest_steps or 0)
    assert not clip.fitted
    assert clip.source_offset_seconds == pytest.approx(0.6 - rest, abs=0.005)
    assert any("nothing sounded" in line for line in clip.remarks)
    level = np.abs(clip.waveform.samples).max(axis=1)
    after = round((rest + 0.02) * RATE)
    assert level[after : after + RATE // 20].max() > 0.1 * level.max()


def test_audio_too_short_to_be_stretched_leaves_no_hole_at_the_end() -> None:
    """Of 16 bars at 128 bpm only their 30 s were made: 1 % slow, they would end 0.3 s early."""
    played = stereo(drums(128 * 0.99, 30), pad(30))
    clip = finish(played, bars=16, tempo_bpm=Fraction(128), meter=Meter(), sample_rate=RATE)
    assert (clip.fitted, clip.stretch_ratio) == (False, 1.0)
    assert any("too little was made past the clip" in line for line in clip.remarks)
    end = clip.waveform.samples[-RATE // 10 : -RATE // 100]
    assert np.square(end).mean() > 0.05 * np.square(clip.waveform.samples).mean()


def test_a_melody_that_opens_with_a_rest_keeps_it() -> None:
    """After half a bar of rest comes the tune: the clip still begins with the rest."""
    pitches = (60, 64, 67, 72)
    tune = plucks(120, 11, (0, 0, 0, 0, *pitches))
    notes = [
        Note(bar * 4 + 2 + Fraction(index, 2), Fraction(1, 2), pitch)
        for bar in range(4)
        for index, pitch in enumerate(pitches)
    ]
    clip = finish(
        stereo(tune),
        bars=4,
        tempo_bpm=Fraction(120),
        meter=Meter(),
        sample_rate=RATE,
        melody_classes=note_pitch_classes(notes, Fraction(120), 63),
    )
    assert clip.source_offset_seconds == pytest.approx(0.0, abs=0.005)
    level = np.abs(clip.waveform.samples).max(axis=1)
    assert level[RATE : RATE + RATE // 10].max() > 5 * level[RATE // 2 : RATE * 9 // 10].max()


def test_mono_becomes_stereo() -> None:
    mono = Waveform(stereo(drums(120, 4)).samples[:, :1], RATE)
    clip = finish(mono, bars=1, tempo_bpm=Fraction(120), meter=Meter(), sample_rate=44_100)
    assert clip.waveform.channels == 2
    assert np.array_equal(clip.waveform.samples[:, 0], clip.waveform.samples[:, 1])


def test_silence_is_finished_as_silence() -> None:
    silence = Waveform(np.zeros((3 * RATE, 2), np.float32), RATE)
    clip = finish(silence, bars=1, tempo_bpm=Fraction(120), meter=Meter(), sample_rate=44_100)
    assert not clip.waveform.samples.any()
    assert (clip.beat_offset_ms, clip.loudness_lufs, clip.true_peak_dbtp) == (None, None, -np.inf)


def test_the_same_audio_gives_the_same_clip() -> None:
    waveform = stereo(drums(124, 5), pad(5))
    first, second = (
        finish(waveform, bars=2, tempo_bpm=Fraction(120), meter=Meter(), sample_rate=44_100)
        for _ in range(2)
    )
    assert np.array_equal(first.waveform.samples, second.waveform.samples)


@pytest.mark.parametrize(("bars", "sample_rate"), [(0, 44_100), (-1, 44_100), (1, 0), (1, 7999)])
def test_a_clip_of_nothing_is_refused(bars: int, sample_rate: int) -> None:
    waveform = Waveform(np.zeros((RATE, 2), np.float32), RATE)
    with pytest.raises(BadArgument):
        finish(waveform, bars=bars, tempo_bpm=Fraction(120), meter=Meter(), sample_rate=sample_rate)


def test_beat_offset_is_the_median_distance_to_the_sixteenths() -> None:
    out = np.zeros(4 * RATE)
    for beat in range(8):
        material.add(out, material.kick(), 0.1 + beat * 0.5 + 0.02)
    # 20 ms after a line that is 0.1 s after a beat: 125 ms apart, the nearest is 5 ms away.
    offset = beat_offset_ms(find_onsets(stereo(out), loops=True).times, Fraction(120))
    assert offset == pytest.approx(5, abs=1.5)
    assert beat_offset_ms(np.zeros(0), Fraction(120)) is None


@settings(max_examples=20, deadline=None)
@given(
    tempo_bpm=st.fractions(60, 999, max_denominator=1000),
    numerator=st.integers(1, 13),
    denominator=st.sampled_from([2, 4, 8, 16]),
    bars=st.integers(1, 4),
    sample_rate=st.sampled_from([44_100, 48_000, 96_000]),
    share=st.floats(0.05, 1.6),
    seed=st.integers(0, 1000),
)
def test_any_request_gives_exact_finite_stereo_frames(
    tempo_bpm: Fraction,
    numerator: int,
    denominator: int,
    bars: int,
    sample_rate: int,
    share: float,
    seed: int,
) -> None:
    """Whatever the model played, and even if there is much too little of it."""
    meter = Meter(numerator, denominator)
    clip_seconds = float(bars_to_seconds(bars, meter, tempo_bpm))
    if clip_seconds > 3:
        bars, clip_seconds = 1, float(bars_to_seconds(1, meter, tempo_bpm))
    rng = np.random.default_rng(seed)
    frames = max(1, int(min(clip_seconds, 5) * share * RATE))
    hits = rng.random((frames, 1)) < 10 / RATE
    noise = rng.standard_normal((frames, 2)) * (0.01 + hits)
    clip = finish(
        Waveform(noise.astype(np.float32), RATE),
        bars=bars,
        tempo_bpm=tempo_bpm,
        meter=meter,
        sample_rate=sample_rate,
    )
    exact = bars_to_frames(bars, meter, tempo_bpm, sample_rate)
    assert clip.waveform.samples.shape == (exact, 2)
    assert clip.waveform.sample_rate == sample_rate
    assert clip.true_peak_dbtp <= -1
    assert np.abs(clip.waveform.samples).max() <= 10 ** (-1 / 20)


@pytest.mark.parametrize("tempo", [20, 999])
def test_the_slowest_and_the_fastest_tempo_are_exact(tempo: int) -> None:
    meter = Meter(1, 16) if tempo == 999 else Meter(4, 4)
    clip_seconds = float(bars_to_seconds(1, meter, Fraction(tempo)))
    waveform = stereo(drums(80, clip_seconds + 3))
    clip = finish(waveform, bars=1, tempo_bpm=Fraction(tempo), meter=meter, sample_rate=44_100)
    assert clip.waveform.frames == bars_to_frames(1, meter, Fraction(tempo), 44_100)
    assert np.abs(clip.waveform.samples).max() > 0.1
