"""The metronome's clicks in the mixer: exact frames, and the same samples in any blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.soundcard.clicks import Click, SetClicks, Tick
from bridge.soundcard.mixer import Mixer, Silence, Start
from tests.soundcard.clip_material import CLIPS, RATE, clip_memory, noise, render

CLICK_FRAMES = round(0.04 * RATE)


def begins(samples: NDArray[np.float32]) -> list[int]:
    """The frames at which a click begins."""
    loud = np.flatnonzero(samples[:, 0])
    frames: list[int] = loud[np.flatnonzero(np.diff(loud, prepend=-CLICK_FRAMES) > 100)].tolist()
    return frames


def test_clicks_begin_on_their_frames_with_their_level() -> None:
    mixer = Mixer(RATE, 2, CLIPS)
    mixer.give(SetClicks((Click(700, True), Click(5000, False)), 0.25))
    out = render(mixer, 10_000)
    assert begins(out) == [700, 5000]
    assert np.abs(out[:5000]).max() == pytest.approx(0.25)
    assert np.abs(out[5000:]).max() == pytest.approx(0.25)
    accent, plain = out[700:1700], out[5000:6000]
    assert not np.allclose(accent, plain), "an accent sounds otherwise"


def test_the_samples_do_not_depend_on_the_blocks() -> None:
    def out(blocks: Sequence[int]) -> NDArray[np.float32]:
        mixer = Mixer(RATE, 2, CLIPS)
        # The first two overlap.
        mixer.give(SetClicks((Click(100, True), Click(900, False), Click(7000, False)), 0.4))
        return render(mixer, 10_000, blocks)

    expected = out([512])
    for blocks in ([1], [64], [128, 1024, 7], [5000], [10_000]):
        assert (out(blocks) == expected).all(), blocks


def test_a_clip_sounds_under_the_clicks() -> None:
    with clip_memory(0.2 * noise(20_000)) as clip:
        mixer = Mixer(RATE, 2, CLIPS)
        mixer.give(Start(0, clip.number, 0))
        mixer.give(SetClicks((Click(3000, False),), 0.2))
        out = render(mixer, 10_000)
        alone = Mixer(RATE, 2, CLIPS)
        alone.give(SetClicks((Click(3000, False),), 0.2))
        clicks = render(alone, 10_000)
        assert np.allclose(out[1000:] - clicks[1000:], clip.samples[1000:10_000], atol=1e-6)


def test_new_clicks_replace_those_that_have_not_begun_and_none_is_played_late() -> None:
    mixer = Mixer(RATE, 2, CLIPS)
    mixer.give(SetClicks((Click(500, False), Click(4000, False)), 0.2))
    first = render(mixer, 1024)
    # The click at 500 sounds; one at 600 would be late.
    mixer.give(SetClicks((Click(600, False), Click(4100, False)), 0.2))
    out = np.concatenate([first, render(mixer, 8192, first=1024)])
    assert begins(out) == [500, 4100]
    whole = Mixer(RATE, 2, CLIPS)
    whole.give(SetClicks((Click(500, False), Click(4100, False)), 0.2))
    assert (out == render(whole, 9216)).all()


def test_silence_ends_them_all() -> None:
    mixer = Mixer(RATE, 2, CLIPS)
    mixer.give(SetClicks((Click(500, False), Click(4000, False)), 0.2))
    render(mixer, 1024)
    mixer.give(Silence())
    assert not render(mixer, 8192, first=1024)[512:].any()


def test_a_tick_sounds_at_once_also_in_silence_and_among_other_clicks() -> None:
    mixer = Mixer(RATE, 2, CLIPS)
    mixer.give(SetClicks((Click(4000, False),), 0.2))
    first = render(mixer, 512)
    mixer.give(Silence())
    mixer.give(Tick(True, 0.3))
    out = np.concatenate([first, render(mixer, 4096, first=512)])
    assert begins(out) == [1024], "in the block after the silence"
    mixer.give(SetClicks((Click(9000, False),), 0.2))
    mixer.give(Tick(False, 0.3))
    out = np.concatenate([out, render(mixer, 8192, first=4608)])
    assert begins(out) == [1024, 4608, 9000]
