"""A clip loops without a click, a gap or a smeared downbeat, and has its exact frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.audio import Waveform
from bridge.clip.loop import close_loop
from tests.clip import material
from tests.clip.material import RATE, drums, pad, plucks, stereo
from tests.clip.measures import flux, flux_peaks, seam_flux

CLIP = 4 * RATE


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("chord_seconds", [None, 1.6])
def test_a_pads_seam_is_within_its_own_flux(seed: int, chord_seconds: float | None) -> None:
    """Or at most that of the same point played through, if the music happens to be lively there."""
    source = stereo(pad(5, seed=seed, chord_seconds=chord_seconds))
    clip = close_loop(source, start_frame=0, frames=CLIP, on_beat=False).waveform
    played_through = seam_flux(clip, follows=source.samples[CLIP:])
    assert seam_flux(clip) <= max(np.percentile(flux(clip.samples), 95), 1.05 * played_through)


def test_without_the_cross_fade_the_pads_seam_would_click() -> None:
    """This shows that the measure of the test above finds a click."""
    cut = Waveform(stereo(pad(5)).samples[:CLIP], RATE)
    assert seam_flux(cut) > 2 * np.percentile(flux(cut.samples), 95)


@pytest.mark.parametrize("with_pad", [False, True])
@pytest.mark.parametrize("late", [0.0, 0.1])
def test_a_drums_seam_is_within_the_flux_of_its_own_beats(late: float, with_pad: bool) -> None:
    """And no more than the same beat had where it was played through.

    A kick on frame 0 is among the strongest onsets there are: the 95th percentile is that of the
    places where something begins, not of all, most of which are the quiet between.
    """
    parts = (drums(120, 6, first_bar_seconds=late), (0.5 if with_pad else 0) * pad(6))
    source = stereo(*parts)
    start = round(late * RATE)
    clip = close_loop(source, start_frame=start, frames=CLIP, on_beat=True).waveform
    played_through = seam_flux(clip, follows=source.samples[start + CLIP :])
    assert seam_flux(clip) <= min(np.percentile(flux_peaks(clip), 95), 1.1 * played_through)


@pytest.mark.parametrize("late", [0.0, 0.1])
def test_the_first_drum_keeps_its_attack(late: float) -> None:
    source = stereo(drums(120, 6, first_bar_seconds=late))
    start = round(late * RATE)
    clip = close_loop(source, start_frame=start, frames=CLIP, on_beat=True).waveform.samples
    played = source.samples[start : start + CLIP]
    # From 2 ms on nothing changes; before that the level equals that of the source.
    assert np.array_equal(clip[64:], played[64:])
    attack = slice(0, RATE // 50)
    assert np.abs(clip[attack]).max() == pytest.approx(np.abs(played[attack]).max(), rel=0.15)


def test_the_loop_begins_with_its_first_pluck_and_not_with_the_note_past_the_end() -> None:
    """The fifth second begins with another note; after 60 ms only the first note sounds."""
    source = stereo(plucks(120, 6, (60, 64, 67, 72, 71, 67, 65, 62, 61), step_beats=1.0))
    clip = close_loop(source, start_frame=0, frames=CLIP, on_beat=True).waveform.samples
    begin = round(0.06 * RATE)
    assert np.array_equal(clip[begin:], source.samples[begin:CLIP])


def test_the_loop_continues_like_the_music() -> None:
    """Frame 0 is what followed the last frame, so nothing jumps."""
    source = stereo(pad(6, seed=3))
    clip = close_loop(source, start_frame=0, frames=CLIP, on_beat=False).waveform.samples
    follows = source.samples[CLIP : CLIP + 160]
    assert np.abs(clip[:160] - follows).max() < 0.02 * np.abs(follows).max()


def test_the_cross_fade_keeps_the_level() -> None:
    """Whether the two sides are alike (a held tone) or not (noise)."""
    rng = np.random.default_rng(0)
    tone = np.sin(2 * np.pi * 220 * np.arange(6 * RATE) / RATE)
    for sound in (tone, 0.3 * rng.standard_normal(6 * RATE)):
        source = stereo(sound)
        clip = close_loop(source, start_frame=0, frames=CLIP, on_beat=False).waveform.samples
        middle = np.square(clip[RATE // 16 : 3 * RATE // 16]).mean()
        assert middle == pytest.approx(np.square(clip[RATE:]).mean(), rel=0.15)


def test_without_surplus_the_ends_are_faded_and_a_remark_says_so() -> None:
    source = Waveform(stereo(pad(4)).samples[:CLIP], RATE)
    loop = close_loop(source, start_frame=0, frames=CLIP, on_beat=False)
    assert loop.waveform.frames == CLIP
    assert np.abs(loop.waveform.samples[[0, -1]]).max() < 0.01
    assert "nothing was generated past the end" in loop.remarks[0]
    middle = slice(RATE // 100, -RATE // 100)
    assert np.array_equal(loop.waveform.samples[middle], source.samples[middle])


def test_silence_follows_audio_that_ends_early_and_a_remark_says_so() -> None:
    source = Waveform(stereo(pad(3)).samples, RATE)
    loop = close_loop(source, start_frame=0, frames=CLIP, on_beat=False)
    assert loop.waveform.frames == CLIP
    assert not loop.waveform.samples[3 * RATE :].any()
    assert np.abs(loop.waveform.samples[3 * RATE - 1]).max() < 0.01
    assert "1.00 s short" in loop.remarks[0]


def test_audio_past_the_end_fills_a_late_start() -> None:
    """The model began 40 ms late: the loop has no hole there."""
    sound = pad(6, seed=1)
    sound[: round(0.04 * RATE)] = 0
    source = stereo(sound)
    for start in (0, -round(0.02 * RATE)):
        clip = close_loop(source, start_frame=start, frames=CLIP, on_beat=False).waveform.samples
        assert np.square(clip[: RATE // 50]).mean() > 0.2 * np.square(clip).mean()


def test_a_rest_at_the_start_stays_a_rest() -> None:
    sound = np.concatenate([np.zeros(RATE), plucks(120, 5, (60, 64))])
    clip = close_loop(stereo(sound), start_frame=0, frames=CLIP, on_beat=True).waveform.samples
    assert np.abs(clip[RATE // 4 : RATE]).max() < 1e-6


@settings(max_examples=60, deadline=None)
@given(
    frames=st.integers(1, 4000),
    start=st.integers(-600, 600),
    length=st.integers(1, 9000),
    channels=st.sampled_from([1, 2]),
    on_beat=st.booleans(),
)
def test_any_cut_has_its_exact_frames_and_is_finite(
    frames: int, start: int, length: int, channels: int, on_beat: bool
) -> None:
    rng = np.random.default_rng(length)
    samples = rng.uniform(-1, 1, (length, channels)).astype(np.float32)
    before = samples.copy()
    loop = close_loop(Waveform(samples, RATE), start_frame=start, frames=frames, on_beat=on_beat)
    assert loop.waveform.samples.shape == (frames, channels)
    assert np.abs(loop.waveform.samples).max() <= 3
    assert np.array_equal(samples, before), "the source is not written to"


def test_drums_at_any_sixteenth_are_cut_where_asked() -> None:
    """Frames after the fade equal the source's, sample by sample."""
    source = stereo(drums(120, 6), material.pad(6))
    for start in range(0, RATE, RATE // 8):
        clip = close_loop(source, start_frame=start, frames=CLIP, on_beat=True).waveform
        tail = slice(RATE, CLIP)
        assert np.array_equal(clip.samples[tail], source.samples[start + RATE : start + CLIP])
