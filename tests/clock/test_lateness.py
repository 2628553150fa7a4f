"""The envelope of delays: where packets would lie if none were late."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.clock.lateness import LatenessEnvelope, low_envelope


def heard(offset_per_second: float, seconds: float = 150.0) -> LatenessEnvelope:
    """Five packets a second, up to 30 ms late, on a scale that runs away by so much."""
    arrivals = LatenessEnvelope()
    random = np.random.default_rng(4)
    for at in np.arange(0, seconds, 0.2):
        arrivals.add(float(at), float(at * offset_per_second + random.uniform(0, 0.03)))
    return arrivals


def test_packets_without_jitter_are_believed_to_the_letter() -> None:
    assert low_envelope([0.25] * 40) == 0.25
    assert low_envelope([0.25]) == 0.25


def test_of_two_packets_one_may_be_late_and_the_other_is_not_early() -> None:
    assert -0.02 < low_envelope([0.0, 0.06]) < 0.01


def test_one_freak_decides_nothing_among_many() -> None:
    delays = list(np.random.default_rng(5).uniform(0, 0.03, 40))
    assert abs(low_envelope(delays)) < 0.004
    assert abs(low_envelope([*delays, -0.2])) < 0.004
    assert abs(low_envelope([*delays, 5.0])) < 0.004


def test_clocks_that_drift_apart_are_followed_all_the_way_back() -> None:
    """100 ppm, which is a bad crystal: 15 ms in 150 s."""
    arrivals = heard(1e-4)
    for at in range(5, 146, 5):
        assert arrivals.offset_at(at) == pytest.approx(at * 1e-4, abs=0.005)


def test_a_scale_that_moved_up_is_followed_within_four_seconds() -> None:
    arrivals = heard(0.0, seconds=20)
    random = np.random.default_rng(6)
    for at in np.arange(20, 24, 0.2):
        arrivals.add(float(at), 0.05 + float(random.uniform(0, 0.03)))
    assert arrivals.offset_at(24) == pytest.approx(0.05, abs=0.01)


def test_what_is_told_does_not_hang_on_when_it_is_asked() -> None:
    asked, fresh = LatenessEnvelope(), LatenessEnvelope()
    random = np.random.default_rng(7)
    for at in np.arange(0, 40, 0.2):
        late = float(random.uniform(0, 0.03))
        for arrivals in (asked, fresh):
            arrivals.add(float(at), late)
        for back in range(0, int(at), 3):
            asked.offset_at(back + 0.5)
    for at in np.arange(0, 41, 0.7):
        assert asked.offset_at(float(at)) == fresh.offset_at(float(at))


def test_what_is_forgotten_leaves_the_rest_as_it_was() -> None:
    arrivals = heard(1e-4)
    before = arrivals.offset_at(140)
    arrivals.forget(120)
    assert len(arrivals) < 200
    assert arrivals.offset_at(140) == before
    arrivals.forget(1000)
    assert len(arrivals) == 1


def test_a_flood_is_thinned() -> None:
    arrivals = LatenessEnvelope()
    for at in np.arange(0, 1, 0.0001):
        arrivals.add(float(at), 0.01 if round(at * 10_000) % 7 else 0.0)
    assert len(arrivals) <= 201
    assert arrivals.offset_at(0.5) == pytest.approx(0.0, abs=0.001)
