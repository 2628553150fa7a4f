"""Clips of minutes: as exact as short ones, with memory and time at most proportional to length."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.clip import finish, surplus_seconds
from bridge.clip.harmony import harmonic_change
from bridge.clip.limiter import frame_peaks, limited
from bridge.clip.loudness import true_peak_dbtp
from bridge.clip.onsets import Onsets, find_onsets
from bridge.clip.pulse import find_pulse
from bridge.timing import Meter
from tests.clip.material import RATE, drums, stereo
from tests.clip.measures import attacks

TEMPO = Fraction(120)


def test_sixteen_bars_played_slow_are_on_the_grid_to_their_last_beat() -> None:
    seconds = 32 + surplus_seconds(16, TEMPO, Meter())
    played = stereo(drums(120 * 0.97, seconds))
    clip = finish(played, bars=16, tempo_bpm=TEMPO, meter=Meter(), sample_rate=44_100)
    assert clip.waveform.frames == 32 * 44_100
    assert clip.fitted
    assert clip.stretch_ratio == pytest.approx(0.97, abs=0.0005)
    lines = np.array([30.0, 30.5, 31.0, 31.5])
    away = np.abs(np.array(attacks(clip.waveform, lines, 0.04)) - lines)
    assert away.max() < 0.015, away


@pytest.mark.parametrize(
    ("measure", "share"),
    [
        (find_onsets, 15),
        (lambda waveform: harmonic_change(waveform, np.arange(0, 60, 0.125), 0.5), 15),
        (true_peak_dbtp, 3),
        (lambda waveform: limited(waveform, frame_peaks(waveform), 0.2), 10),
    ],
    ids=["onsets", "harmony", "true peak", "limiter"],
)
def test_overlapping_windows_and_oversampled_audio_are_never_all_in_memory(
    measure: Callable[[Waveform], object], share: float
) -> None:
    """The limit is `share` times the bytes of a minute; all at once it would be 12 to 30 times."""
    noise = np.random.default_rng(0).normal(0, 0.1, (60 * RATE, 2)).astype(np.float32)
    tracemalloc.start()
    try:
        measure(Waveform(noise, RATE))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # In addition there are blocks of a fixed size, and the given samples.
    assert peak < share * noise.nbytes


def test_the_time_to_find_a_pulse_does_not_grow_with_the_square_of_the_length() -> None:
    """Twice the length takes twice the processor time; with the square it would be four times."""
    onsets = {seconds: slow_beats(seconds) for seconds in (300, 600)}
    spent_seconds: dict[int, list[float]] = {300: [], 600: []}
    for _ in range(3):
        for seconds, spent in spent_seconds.items():
            start = time.process_time()
            pulse = find_pulse(onsets[seconds], TEMPO, Meter())
            spent.append(time.process_time() - start)
            assert pulse is not None
            assert pulse.ratio == pytest.approx(1 / 1.01, abs=1e-5)
    assert min(spent_seconds[600]) < 3 * min(spent_seconds[300]), spent_seconds


def slow_beats(seconds: int) -> Onsets:
    """An onset every half second at 1.01 times the length, and strength at every step between."""
    rng = np.random.default_rng(0)
    times = np.arange(0, seconds, 0.5) * 1.01
    times = times[times < seconds]
    strength = np.abs(rng.normal(0, 0.3, round(seconds / 0.005)))
    strength[np.rint(times / 0.005).astype(int)] = 5.0
    return Onsets(strength, strength, strength, 0.005, times, np.full(times.size, 5.0))
