"""Tap tempo."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import pytest

from bridge.clock.tap import TapTempo


def tempo_of(taps: Iterable[float]) -> Fraction | None:
    tempo = TapTempo()
    found = None
    for seconds in taps:
        found = tempo.tap(seconds)
    return found


def test_one_tap_is_no_tempo_and_two_are() -> None:
    assert tempo_of([5.0]) is None
    assert tempo_of([5.0, 5.5]) == 120


def test_the_tempo_is_the_median_of_the_newest_intervals() -> None:
    assert tempo_of([0, 0.5, 1.0, 1.9, 2.4, 2.9]) == 120
    assert tempo_of([0, 0.5, 1.0, 1.5, 1.75, 2.0, 2.25, 2.5]) == 240


def test_uneven_taps_are_right_to_three_per_cent() -> None:
    random = np.random.default_rng(1)
    for _ in range(50):
        taps = np.arange(6) * 0.6 + random.uniform(-0.01, 0.01, 6)
        assert float(tempo_of(taps.tolist()) or 0) == pytest.approx(100, rel=0.03)


def test_two_seconds_later_a_new_tempo_begins() -> None:
    assert tempo_of([0, 0.5, 1.0, 3.1]) is None
    assert tempo_of([0, 0.5, 1.0, 3.1, 4.1]) == 60


def test_a_bounce_is_no_tap_and_a_flood_stays_in_range() -> None:
    assert tempo_of([0, 0.02, 0.5, 0.53, 1.0]) == 120
    tempo = TapTempo()
    for index in range(10_000):
        found = tempo.tap(index * 0.013)
        assert found is None or 20 <= found <= 999
    assert tempo_of([0, 2.0]) == 30
