"""Stretching moves every attack to its right time, and happens only where it is needed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.clip.fit import fit_surplus_seconds, fit_to_grid, stretched
from bridge.timing import Meter
from tests.clip import material
from tests.clip.material import drums, pad, stereo


@pytest.mark.parametrize("ratio", [0.92, 0.96, 1.0003, 1.04, 1.08])
def test_the_latency_of_the_stretch_is_compensated(ratio: float) -> None:
    """python-stretch's own delay, and its edges, must not move or swallow an attack."""
    out = np.zeros(4 * material.RATE)
    times = np.arange(0, 4, 0.37)
    for time in times:
        material.add(out, material.pluck(76), float(time))
    waveform = stereo(out)
    longer = stretched(waveform, ratio)
    assert longer.frames == round(waveform.frames * ratio)
    before, after = np.abs(waveform.samples[:, 0]), np.abs(longer.samples[:, 0])
    for time in times:
        was, now = round(time * material.RATE), round(time * ratio * material.RATE)
        level = before[was : was + 640].max()
        early = after[max(0, now - 480) : max(0, now - 96)].max(initial=0.0)
        assert after[max(0, now - 32) : now + 640].max() > 0.75 * level
        assert early < 0.5 * level


@pytest.mark.parametrize("ratio", [0.93, 1.04])
def test_the_first_attack_is_as_strong_as_the_others(ratio: float) -> None:
    """Without padding, the edge has half a window only: a hat on frame 0 would lose 8 %."""
    out = np.zeros(2 * material.RATE)
    times = np.arange(0, 2, 0.4)
    sound = material.hat(np.random.default_rng(0))
    for time in times:
        material.add(out, sound, float(time))
    longer = stretched(stereo(out), ratio).samples[:, 0]
    begins = np.round(times * ratio * material.RATE).astype(int)
    level = [float(np.sqrt(np.square(longer[begin : begin + 960]).sum())) for begin in begins]
    assert level[0] == pytest.approx(np.mean(level[1:]), rel=0.03)


def test_pitch_stays_when_time_is_stretched() -> None:
    t = np.arange(4 * material.RATE) / material.RATE
    waveform = stereo(np.sin(2 * np.pi * 440 * t))
    longer = stretched(waveform, 1.07).samples[:, 0]
    spectrum = np.abs(np.fft.rfft(longer * np.hanning(longer.size)))
    assert spectrum.argmax() * material.RATE / longer.size == pytest.approx(440, abs=0.5)


@pytest.mark.parametrize("frames", [0, 1, 7, 500])
def test_a_snippet_can_be_stretched(frames: int) -> None:
    snippet = Waveform(np.full((frames, 2), 0.1, np.float32), 32_000)
    assert stretched(snippet, 1.05).frames == round(frames * 1.05)


def test_audio_in_time_is_not_stretched() -> None:
    waveform = stereo(drums(120.03, 11))
    fitted = fit_to_grid(waveform, bars=4, tempo_bpm=Fraction(120), meter=Meter())
    assert fitted.fitted
    assert fitted.waveform is waveform
    assert (fitted.stretch_ratio, fitted.start_seconds, fitted.remarks) == (1.0, 0.0, ())


def test_a_pad_is_unchanged_and_a_remark_says_so() -> None:
    waveform = stereo(pad(11))
    fitted = fit_to_grid(waveform, bars=4, tempo_bpm=Fraction(120), meter=Meter())
    assert not fitted.fitted
    assert fitted.waveform is waveform
    assert fitted.start_seconds == 0.0
    assert "no steady pulse near 120 bpm" in fitted.remarks[0]
    assert "another seed, or drums in the prompt" in fitted.remarks[0]


def test_remarks_name_every_change() -> None:
    waveform = stereo(drums(96, 14, first_bar_seconds=0.25))
    fitted = fit_to_grid(waveform, bars=4, tempo_bpm=Fraction(100), meter=Meter())
    assert "played at 96.0" in fitted.remarks[0]
    assert "250 ms" in fitted.remarks[1]
    assert fitted.stretch_ratio == pytest.approx(0.96, abs=0.0005)
    assert fitted.source_offset_seconds == pytest.approx(0.25, abs=0.003)
    assert fitted.start_seconds == pytest.approx(0.24, abs=0.003)


def test_the_same_audio_is_fitted_to_the_same_samples() -> None:
    waveform = stereo(drums(124, 11), pad(11))
    first, second = (
        fit_to_grid(waveform, bars=4, tempo_bpm=Fraction(120), meter=Meter()).waveform.samples
        for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_the_surplus_covers_slow_playing_and_a_bar_of_search() -> None:
    surplus = fit_surplus_seconds(4, Fraction(120), Meter())
    assert surplus == pytest.approx(8 / 0.92 - 8 + 2)
    # The search in a long bar covers only 2 s: nobody waits for a bar of 12 s.
    assert fit_surplus_seconds(1, Fraction(20), Meter()) == pytest.approx(12 / 0.92 - 12 + 2)
