"""The envelope of delays: the offset of packets without delay."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.clock.lateness import LatenessEnvelope, low_envelope


def envelope_of_drifting_scale(
    offset_per_second: float, seconds: float = 150.0
) -> LatenessEnvelope:
    """Five packets a second, up to 30 ms late, on a scale that drifts by that much per second."""
    envelope = LatenessEnvelope()
    random = np.random.default_rng(4)
    for at in np.arange(0, seconds, 0.2):
        envelope.add(float(at), float(at * offset_per_second + random.uniform(0, 0.03)))
    return envelope


def test_packets_without_jitter_give_their_exact_offset() -> None:
    assert low_envelope([0.25] * 40) == 0.25
    assert low_envelope([0.25]) == 0.25


def test_of_two_packets_one_may_be_late_and_the_other_is_not_early() -> None:
    assert -0.02 < low_envelope([0.0, 0.06]) < 0.01


def test_one_outlier_among_many_changes_little() -> None:
    delays = list(np.random.default_rng(5).uniform(0, 0.03, 40))
    assert abs(low_envelope(delays)) < 0.004
    assert abs(low_envelope([*delays, -0.2])) < 0.004
    assert abs(low_envelope([*delays, 5.0])) < 0.004


def test_drifting_clocks_are_followed_over_the_whole_history() -> None:
    """100 ppm, which is a bad crystal: 15 ms in 150 s."""
    envelope = envelope_of_drifting_scale(1e-4)
    for at in range(5, 146, 5):
        assert envelope.offset_at(at) == pytest.approx(at * 1e-4, abs=0.005)


def test_a_scale_that_moved_up_is_followed_within_four_seconds() -> None:
    envelope = envelope_of_drifting_scale(0.0, seconds=20)
    random = np.random.default_rng(6)
    for at in np.arange(20, 24, 0.2):
        envelope.add(float(at), 0.05 + float(random.uniform(0, 0.03)))
    assert envelope.offset_at(24) == pytest.approx(0.05, abs=0.01)


def test_the_offset_does_not_depend_on_earlier_queries() -> None:
    queried, fresh = LatenessEnvelope(), LatenessEnvelope()
    random = np.random.default_rng(7)
    for at in np.arange(0, 40, 0.2):
        late = float(random.uniform(0, 0.03))
        for envelope in (queried, fresh):
            envelope.add(float(at), late)
        for back in range(0, int(at), 3):
            queried.offset_at(back + 0.5)
    for at in np.arange(0, 41, 0.7):
        assert queried.offset_at(float(at)) == fresh.offset_at(float(at))


def test_forgetting_does_not_change_what_is_left() -> None:
    envelope = envelope_of_drifting_scale(1e-4)
    before = envelope.offset_at(140)
    envelope.forget(120)
    assert len(envelope) < 200
    assert envelope.offset_at(140) == before
    envelope.forget(1000)
    assert len(envelope) == 1


def test_a_flood_is_thinned() -> None:
    envelope = LatenessEnvelope()
    for at in np.arange(0, 1, 0.0001):
        envelope.add(float(at), 0.01 if round(at * 10_000) % 7 else 0.0)
    assert len(envelope) <= 201
    assert envelope.offset_at(0.5) == pytest.approx(0.0, abs=0.001)
