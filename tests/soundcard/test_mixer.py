"""The mixer, offline: exact frames, fades without clicks, and the same samples in any blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.commands import LAYERS
from bridge.errors import BadArgument
from bridge.soundcard.clip_memory import LONGEST_SECONDS, ClipMemory
from bridge.soundcard.fades import FADE_SECONDS, GAIN_SECONDS, KNEE, START_SECONDS
from bridge.soundcard.mixer import (
    Anchor,
    Mixer,
    MixerCommand,
    SetGain,
    Silence,
    Start,
    Stop,
)
from tests.soundcard.clip_material import (
    CLIPS,
    RATE,
    clip_memory,
    noise,
    render,
    spectral_flux,
    tone,
)

FADE = round(FADE_SECONDS * RATE)
START = round(START_SECONDS * RATE)
GAIN = round(GAIN_SECONDS * RATE)


def given(*commands: MixerCommand) -> Mixer:
    mixer = Mixer(RATE, 2, CLIPS)
    for command in commands:
        mixer.give(command)
    return mixer


def test_nothing_is_silence() -> None:
    assert not render(given(), 1000).any()


def test_a_clip_starts_and_repeats_on_the_exact_frame() -> None:
    samples = noise(3000)
    with clip_memory(samples) as clip:
        out = render(given(Start(2, clip.number, 777)), 10_000)
    assert not out[:777].any() and out[777].all()
    expected = np.resize(samples, (10_000 - 777, 2))
    assert (out[777 + START :] == expected[START:]).all()


def test_the_samples_do_not_depend_on_the_blocks() -> None:
    with clip_memory(noise(3000)) as one, clip_memory(noise(4410, seed=6)) as two:

        def out(blocks: Sequence[int]) -> NDArray[np.float32]:
            return render(
                given(
                    Start(0, one.number, 100),
                    Start(1, two.number, 250, position=37),
                    SetGain(1, 3.0, 5000),
                    Anchor(0, one.number, 5555, 99),
                    SetGain(0, 6.0, 5100),
                    Stop(1, 9001),
                ),
                12_000,
                blocks,
            )

        expected = out([512])
        for blocks in ([1], [64], [128, 1024, 7], [5000], [12_000]):
            assert (out(blocks) == expected).all(), blocks


def test_a_swap_to_another_clip_keeps_the_power() -> None:
    with clip_memory(noise(30_000)) as one, clip_memory(noise(30_000, seed=6)) as two:
        mixer = given(Start(0, one.number, 0))
        before = render(mixer, 512)
        mixer.give(Start(0, two.number, 9999))
        out = np.concatenate([before, render(mixer, 30_000, first=512)])
        begin = 9999 - FADE
        assert (out[START:begin] == one.samples[START:begin]).all()
        assert (out[9999:20_000] == two.samples[: 20_000 - 9999]).all()
        assert mixer.playing(0) == (two.number, 9999)
    powers = [float(np.square(out[first : first + FADE]).mean()) for first in (5000, begin, 15_000)]
    assert max(powers) < 1.25 * min(powers)


@pytest.mark.parametrize("blocks", [[512], [1], [64, 7]])
def test_a_swap_to_a_clip_that_is_being_made_is_complete_on_its_frame(blocks: list[int]) -> None:
    with clip_memory(noise(30_000)) as one, clip_memory(noise(30_000, seed=6), 20_000) as two:
        mixer = given(Start(0, one.number, 0))
        before = render(mixer, 512)
        mixer.give(Start(0, two.number, 9999))
        out = np.concatenate([before, render(mixer, 20_000, blocks, first=512)])
        begin = 9999 - FADE
        assert mixer.playing(0) == (two.number, 9999) and mixer.dry == mixer.late == 0
        falling = out[begin:9999] / one.samples[begin:9999]
        assert (out[START:begin] == one.samples[START:begin]).all()
        # One clip has faded out on the frame on which the other begins, as after silence.
        assert (np.diff(falling[:, 0]) < 0).all() and 0 < falling[-1, 0] < 0.02
        rising = out[9999 : 9999 + START] / two.samples[:START]
        assert (np.diff(rising[:, 0]) > 0).all() and 0 < rising[0, 0] < 0.02
        assert (out[9999 + START : 20_000] == two.samples[START : 20_000 - 9999]).all()


def test_a_swap_to_a_clip_that_is_being_made_may_be_late_or_stopped_before_it_begins() -> None:
    with clip_memory(noise(30_000)) as one, clip_memory(noise(30_000, seed=6), 20_000) as two:
        mixer = given(Start(0, one.number, 0))
        render(mixer, 10_240)
        mixer.give(Start(0, two.number, 9999))
        out = render(mixer, 5000, first=10_240)
        assert mixer.late == 1
        assert (out[FADE:] == two.samples[10_240 - 9999 + FADE :][: 5000 - FADE]).all()
        mixer = given(Start(0, one.number, 0))
        render(mixer, 512)
        mixer.give(Start(0, two.number, 9999))
        render(mixer, 9900 - 512, first=512)
        mixer.give(Stop(0))
        assert not render(mixer, 2000, first=9900)[99 + FADE :].any()


def test_a_new_anchor_fades_linearly_within_the_clip() -> None:
    """A sound that correlates with itself gets neither louder nor softer."""
    with clip_memory(np.full((30_000, 2), 0.25, np.float32)) as clip:
        out = render(given(Start(0, clip.number, 0), Anchor(0, clip.number, 5000, 17)), 10_000)
        assert np.abs(out[START:] - 0.25).max() < 1e-6
    with clip_memory(noise(30_000)) as clip:
        out = render(given(Start(0, clip.number, 0), Anchor(0, clip.number, 5000, 17)), 10_000)
        assert (out[START : 5000 - FADE] == clip.samples[START : 5000 - FADE]).all()
        assert (out[5000:] == clip.samples[17 : 17 + 5000]).all()


def test_a_stop_is_silent_from_its_frame_on() -> None:
    with clip_memory(noise(30_000)) as clip:
        mixer = given(Start(0, clip.number, 0))
        before = render(mixer, 512)
        mixer.give(Stop(0, 5000))
        out = np.concatenate([before, render(mixer, 10_000, first=512)])
        assert (out[START : 5000 - FADE] == clip.samples[START : 5000 - FADE]).all()
        assert out[:4999].any(axis=1).all() and not out[5000:].any()


def test_a_loop_that_is_on_time_has_no_fade_at_its_seam() -> None:
    samples = noise(3000)
    with clip_memory(samples) as clip:
        out = render(given(Start(0, clip.number, 0), Anchor(0, clip.number, 6000, 0)), 9000)
    assert (out[START:] == np.tile(samples, (3, 1))[START:]).all()


def test_an_anchor_for_a_clip_that_no_longer_plays_is_ignored() -> None:
    with clip_memory(noise(30_000)) as one, clip_memory(noise(30_000, seed=6)) as two:
        out = render(
            given(Start(0, two.number, 0), Anchor(0, one.number, 5000, 17)),
            10_000,
        )
        assert (out[START:] == two.samples[START:10_000]).all()


def test_a_late_start_is_as_far_as_one_in_time_and_is_counted() -> None:
    with clip_memory(noise(30_000)) as clip:
        mixer = given(Start(0, clip.number, 1000))
        out = render(mixer, 4000, first=3000)
        assert (out[START:] == clip.samples[2000 + START : 6000]).all()
        assert mixer.late == 1


def test_a_clip_can_start_at_once() -> None:
    with clip_memory(noise(30_000)) as clip:
        mixer = given(Start(0, clip.number))
        out = render(mixer, 4000, first=3000)
        assert (out[START:] == clip.samples[START:4000]).all()
        assert (mixer.late, mixer.playing(0), mixer.playing(1)) == (0, (clip.number, 3000), (0, 0))


def test_a_later_start_replaces_one_that_waits() -> None:
    with clip_memory(noise(9000)) as one, clip_memory(noise(9000, seed=6)) as two:
        mixer = given(Start(0, one.number, 5000), Start(0, two.number, 6000))
        out = render(mixer, 9000)
        assert not out[:6000].any()
        assert (out[6000 + START :] == two.samples[START:3000]).all()
        assert mixer.uses(two.number) and not mixer.uses(one.number)


@pytest.mark.parametrize("block", [32, 64, 512, 6000])
def test_panic_is_silent_within_one_block_without_a_click(block: int) -> None:
    with clip_memory(tone(44_100, 220)) as clip:
        mixer = given(*(Start(layer, clip.number, 0) for layer in range(3)))
        before = render(mixer, 12_000, [block])
        mixer.give(Start(0, clip.number, 13_000))
        mixer.give(Silence())
        after = render(mixer, 12_000, [block], first=12_000)
    assert after[: min(block, FADE) - 8].any(axis=1).mean() > 0.5
    assert not after[block:].any() and not after[FADE:].any()
    steps = np.abs(np.diff(np.concatenate([before, after])[11_000:], axis=0)).max()
    assert steps < 3 * 0.2 * (2 * np.pi * 220 / 44_100 + 3 / min(block, FADE))


def test_a_start_that_follows_a_panic_is_heard() -> None:
    with clip_memory(noise(9000)) as clip:
        mixer = given(Start(0, clip.number, 0))
        render(mixer, 512)
        for command in (Silence(), Start(0, clip.number)):
            mixer.give(command)
        assert not render(mixer, 512, first=512)[FADE:].any()
        assert (render(mixer, 512, first=1024)[START:] == clip.samples[START:512]).all()


def test_stop_swap_and_gain_have_no_click() -> None:
    """Above the tones, the spectrum grows at them no more than in the clips themselves."""
    one = tone(44_100, 330) + noise(44_100, 0.01)
    two = tone(44_100, 442) + noise(44_100, 0.01, seed=8)
    with clip_memory(one) as first, clip_memory(two) as second:
        mixer = given(Start(0, first.number, 0), SetGain(0, 0.5, 20_000))
        out = [render(mixer, 30_000)]
        mixer.give(SetGain(0, 1.0, 40_000))
        mixer.give(Start(0, second.number, 50_123))
        out.append(render(mixer, 40_000, first=30_000))
        mixer.give(Anchor(0, second.number, 75_000, 1000))
        mixer.give(Stop(0, 90_001))
        out.append(render(mixer, 30_000, first=70_000))
    played, own = np.concatenate(out)[1000:], np.concatenate([one, two[44_000:], two])

    def most(samples: NDArray[np.float32]) -> float:
        return float(spectral_flux(samples, lowest_hz=2000).max())

    assert most(played) < 1.2 * most(own)
    hard = played.copy()
    peak = 60_000 + int(np.abs(hard[60_000:60_200, 0]).argmax())
    hard[peak:] *= -1
    assert most(hard) > 1.5 * most(own)


def test_a_gain_changes_along_a_ramp() -> None:
    with clip_memory(np.full((30_000, 2), 0.25, np.float32)) as clip:
        mixer = given(Start(0, clip.number, 0), SetGain(0, 0.0, 10_000))
        out = render(mixer, 20_000)[:, 0] / 0.25
        assert (out[START:10_000] == 1).all() and (out[10_000 + GAIN :] == 0).all()
        assert np.abs(np.diff(out[START:])).max() < 1.01 / GAIN
        mixer.give(SetGain(0, 1.0, 20_000))
        render(mixer, GAIN // 2, first=20_000)
        mixer.give(SetGain(0, 0.0, 20_000 + GAIN // 2))
        back = render(mixer, 2 * GAIN, first=20_000 + GAIN // 2)[:, 0] / 0.25
    assert back[0] == pytest.approx(0.5, abs=0.01) and back[-1] == 0


def test_a_sum_up_to_the_knee_is_unchanged_and_a_louder_one_is_limited() -> None:
    with clip_memory(np.full((3000, 2), KNEE / 2, np.float32)) as clip:
        both = render(given(Start(0, clip.number, 0), Start(1, clip.number, 0)), 2000)
        assert (both[START:] == np.float32(KNEE)).all()
        all_layers = render(given(*(Start(layer, clip.number, 0) for layer in range(LAYERS))), 2000)
        assert 0.99 < all_layers.max() <= 1
    with clip_memory(tone(4410, 44, 0.6)) as clip:
        mixer = given(Start(0, clip.number, 0), Start(1, clip.number, 0))
        out = render(mixer, 4410)[START:, 0]
        assert np.abs(out).max() <= 1 and np.abs(np.diff(out, 2)).max() < 0.02


def test_a_clip_that_runs_dry_fades_and_comes_back_in_time() -> None:
    samples = tone(20_000, 200)
    with clip_memory(samples, written=5000) as clip:
        mixer = given(Start(0, clip.number, 0))
        out = [render(mixer, 8192)]
        assert mixer.dry == 1
        clip.append(samples[5000:])
        out.append(render(mixer, 20_000, first=8192))
        assert mixer.dry == 1
    played = np.concatenate(out)
    assert (played[START : 5000 - FADE] == samples[START : 5000 - FADE]).all()
    assert not played[5000:8192].any()
    assert (played[8192 + FADE : 20_000] == samples[8192 + FADE :]).all()
    assert np.abs(np.diff(played, axis=0)).max() < 1.5 * 0.2 * 2 * np.pi * 200 / 20_000


def test_a_clip_whose_chunks_come_in_time_plays_as_if_it_were_whole() -> None:
    samples = noise(20_000)
    with clip_memory(samples, written=3000) as clip:
        mixer = given(Start(0, clip.number, 0))
        out = np.empty((30_000, 2), np.float32)
        for first in range(0, 30_000, 500):
            if clip.frames_written < clip.frames:
                clip.append(samples[clip.frames_written :][:1000])
            mixer.render(out[first : first + 500], first)
        assert mixer.dry == 0
    assert (out[START:20_000] == samples[START:]).all()
    assert (out[20_000:] == samples[:10_000]).all()


def test_skipped_frames_are_skipped_in_the_clip_too() -> None:
    with clip_memory(noise(30_000)) as clip:
        mixer = given(Start(0, clip.number, 0))
        render(mixer, 5120)
        out = render(mixer, 5120, first=7168)
        assert (out == clip.samples[7168 : 7168 + 5120]).all()


def test_a_clip_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadArgument, match=r"301.0 s: the output plays clips of up to 300 s"):
        ClipMemory.create(1, 301 * RATE, 2, RATE)
    assert LONGEST_SECONDS == 300
