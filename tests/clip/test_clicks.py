"""A burst in one channel is a click, and is repaired; what music does is left alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.clip import finish
from bridge.clip.clicks import find_clicks, repaired, without_clicks
from bridge.timing import Meter
from tests.clip.material import RATE, drums, pad, plucks, stereo

AT_SECONDS = 1.7


def with_burst(
    waveform: Waveform,
    *,
    channels: tuple[int, ...],
    peak: float,
    at_seconds: float = AT_SECONDS,
) -> Waveform:
    """One codec step of noise that dies away, as a snare's code decodes to, added at a time."""
    samples = waveform.samples.copy()
    t = np.arange(round(0.02 * RATE)) / RATE
    burst = np.random.default_rng(0).uniform(-peak, peak, t.size) * np.exp(-t / 0.008)
    first = round(at_seconds * RATE)
    for channel in channels:
        samples[first : first + t.size, channel] += burst.astype(np.float32)
    return Waveform(samples, RATE)


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("peak", [0.2, 0.8])
def test_a_burst_in_one_channel_is_found(channel: int, peak: float) -> None:
    (click,) = find_clicks(with_burst(stereo(pad(4), level=0.25), channels=(channel,), peak=peak))
    assert click.channel == channel
    assert click.first_frame <= AT_SECONDS * RATE < click.end_frame
    assert click.end_frame - click.first_frame < 0.06 * RATE


def test_what_music_does_is_no_click() -> None:
    for waveform in (
        stereo(pad(4)),
        stereo(plucks(120, 4, (60, 64, 67))),
        stereo(drums(120, 4)),
        with_burst(stereo(pad(4), level=0.25), channels=(0, 1), peak=0.8),
        with_burst(stereo(drums(120, 4)), channels=(0,), peak=0.15),
        Waveform(np.zeros((RATE, 2), np.float32), RATE),
        Waveform(np.zeros((10, 2), np.float32), RATE),
        Waveform(pad(1).astype(np.float32)[:, None], RATE),
    ):
        assert find_clicks(waveform) == ()


def test_a_weak_click_that_a_loud_one_hides_is_repaired_too() -> None:
    weak = with_burst(
        stereo(pad(4), level=0.25), channels=(1,), peak=0.03, at_seconds=AT_SECONDS + 1
    )
    both = with_burst(weak, channels=(0,), peak=8.0)
    assert len(find_clicks(weak)) == len(find_clicks(both)) == 1
    mended, count = without_clicks(both)
    assert count == 2
    assert find_clicks(mended) == ()


@pytest.mark.parametrize("other_gain", [1.0, 0.5, 0.0])
def test_a_repaired_click_is_gone_and_the_rest_is_untouched(other_gain: float) -> None:
    """With nothing in the other channel, the sound around the click takes its place."""
    clean = stereo(pad(4), level=0.25)
    clean.samples[:, 1] *= other_gain
    clicking = with_burst(clean, channels=(0,), peak=0.8)
    clicks = find_clicks(clicking)
    mended = repaired(clicking, clicks)
    assert find_clicks(mended) == ()
    around = slice(round((AT_SECONDS - 0.06) * RATE), round((AT_SECONDS + 0.08) * RATE))
    assert np.abs(mended.samples[around, 0]).max() < 1.5 * np.abs(clean.samples[:, 0]).max()
    assert np.array_equal(mended.samples[:, 1], clean.samples[:, 1])
    assert np.array_equal(mended.samples[: around.start], clean.samples[: around.start])
    assert np.array_equal(mended.samples[around.stop :], clean.samples[around.stop :])
    # No step where the repair begins or ends.
    assert np.abs(np.diff(mended.samples[around, 0])).max() < 0.1


@pytest.mark.parametrize("at", [0, 4 * RATE - 300])
def test_a_click_at_either_end_is_repaired(at: int) -> None:
    waveform = stereo(pad(4), level=0.25)
    waveform.samples[at : at + 300, 1] += np.random.default_rng(1).uniform(-0.8, 0.8, 300)
    clicks = find_clicks(waveform)
    assert clicks
    assert find_clicks(repaired(waveform, clicks)) == ()


def test_a_finished_clip_counts_its_clicks_and_is_no_quieter_for_them() -> None:
    clean = stereo(pad(6), level=0.25)

    clips = [
        finish(waveform, bars=2, tempo_bpm=Fraction(120), meter=Meter(), sample_rate=44_100)
        for waveform in (clean, with_burst(clean, channels=(0,), peak=0.8))
    ]
    assert [clip.clicks for clip in clips] == [0, 1]
    assert "1 click in one channel: repaired with the other" in clips[1].remarks
    assert find_clicks(clips[1].waveform) == ()
    assert clips[1].true_peak_dbtp == pytest.approx(clips[0].true_peak_dbtp, abs=1.5)
