"""The rate at which messages arrive: the network's, whatever the engine's pace."""

from __future__ import annotations

import pytest

from bridge.engine.process.network_figures import LEAST_BYTES, NetworkFigures, TransferMeter


def test_the_time_between_messages_does_not_count() -> None:
    meter = TransferMeter()
    now = 0.0
    for _ in range(4):
        # The engine makes it.
        now += 10.0
        meter.received(1000, now)
        for _ in range(4):
            now += 0.01
            meter.received(LEAST_BYTES // 4, now)
        meter.message_ended()
    assert meter.bytes_per_second == pytest.approx(LEAST_BYTES / 0.04)
    assert meter.bytes_received == 4 * (1000 + LEAST_BYTES)


def test_small_messages_have_no_rate() -> None:
    meter = TransferMeter()
    for second in range(1000):
        meter.received(100, float(second))
        meter.message_ended()
    assert meter.bytes_per_second is None
    event = NetworkFigures(0.01234, meter.bytes_per_second).as_event()
    assert (event.round_trip_ms, event.megabytes_per_second) == (12.3, 0.0)
    assert event.text() == "12.3 ms away and back"
