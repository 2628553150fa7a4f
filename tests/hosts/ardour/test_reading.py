"""What Ardour makes of a clip's name and length, against its own rules written out again."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.delivery import clip_name
from bridge.hosts.ardour.reading import is_looped, is_read, readable_name, tempo_in, tiles
from bridge.timing import Meter, bars_to_frames

RATE = 44_100


def ardours_tempo(name_tempo_bpm: float, frames: int) -> float:
    """`estimate_audio_tempo_source` of Ardour 9.8 (libs/ardour/utils.cc), after the name."""
    minutes = frames / RATE / 60
    beats = math.floor(minutes * name_tempo_bpm + 0.5)
    bars = math.floor(beats / 4 + 0.5)
    if bars <= 18:
        bars = next((2**power for power in range(5) if bars <= 2**power), bars)
    return bars * 4 / minutes


@given(
    bars=st.integers(1, 32),
    meter=st.builds(Meter, st.integers(1, 13), st.sampled_from([2, 4, 8, 16])),
    tempo_bpm=st.decimals(60, 140, places=1).map(Fraction),
)
def test_ardour_reads_the_tempo_of_every_tiled_clip(
    bars: int, meter: Meter, tempo_bpm: Fraction
) -> None:
    number = tiles(bars, meter)
    frames = bars_to_frames(bars, meter, tempo_bpm, RATE) * number
    # A frame has half a sample more or less than it should, each time that it is repeated.
    assert ardours_tempo(float(tempo_bpm), frames) == pytest.approx(float(tempo_bpm), rel=2e-4)


@pytest.mark.parametrize(
    ("bars", "meter", "number"),
    [
        (4, Meter(4, 4), 1),
        (16, Meter(4, 4), 1),
        (3, Meter(4, 4), 6),
        (5, Meter(4, 4), 4),
        (4, Meter(3, 4), 6),
        (4, Meter(7, 8), 6),
        (17, Meter(4, 4), 1),
    ],
)
def test_a_clip_is_repeated_as_seldom_as_may_be(bars: int, meter: Meter, number: int) -> None:
    assert tiles(bars, meter) == number


def test_without_repeating_ardour_misreads_three_bars() -> None:
    frames = bars_to_frames(3, Meter(4, 4), Fraction(96), RATE)
    assert ardours_tempo(96, frames) == pytest.approx(128)


@pytest.mark.parametrize(
    ("name", "tempo_bpm"),
    [
        ("2026-11-22 lofi-keys 120bpm 4bars seed7", 120.0),
        ("2026-11-22 lofi-keys 93.7bpm 4bars", 93.7),
        ("keys 93,7bpm", 93.0),
        ("keys 90 bpm and 120bpm", 90.0),
        ("keys_100 BPM", 100.0),
        ("loop of 100 x bpm", 100.0),
        ("keys-bpm", None),
        ("120bpm keys", None),
        ("keys", None),
        ("bpm", None),
    ],
)
def test_ardour_finds_the_tempo_in_front_of_the_first_bpm(
    name: str, tempo_bpm: float | None
) -> None:
    assert tempo_in(name) == tempo_bpm


@given(
    title=st.text(max_size=30),
    tempo_bpm=st.decimals(20, 999, places=3).map(Fraction),
)
def test_a_readable_name_is_read(title: str, tempo_bpm: Fraction) -> None:
    name = clip_name(title, tempo_bpm=tempo_bpm, bars=4, seed=7)
    assert is_read(readable_name(name, tempo_bpm), tempo_bpm)


def test_a_name_with_another_tempo_in_its_title_is_not_read() -> None:
    name = clip_name("frere-hum-112bpm", tempo_bpm=Fraction(96), bars=4, seed=7)
    assert not is_read(name, Fraction(96))
    assert "112" not in readable_name(name, Fraction(96))


def test_ardour_loops_no_clip_below_60_or_above_140_bpm() -> None:
    assert [bpm for bpm in (59, 60, 140, 141) if is_looped(Fraction(bpm))] == [60, 140]
