"""A client is waited for as long as it takes enough of what is ready."""

from __future__ import annotations

import pytest

from bridge.serving.patience import LEAST_BYTES_PER_SECOND, STALLED_SECONDS, Patience

MESSAGE_BYTES = 2**20


@pytest.mark.parametrize("bytes_per_second", [1.05 * LEAST_BYTES_PER_SECOND, 1e5, 1e7])
def test_a_client_that_is_slow_and_steady_is_never_given_up(bytes_per_second: float) -> None:
    patience = Patience()
    for _ in range(1000):
        seconds = MESSAGE_BYTES / bytes_per_second
        assert seconds < patience.seconds <= STALLED_SECONDS
        patience.took(MESSAGE_BYTES)
        patience.waited(seconds)


@pytest.mark.parametrize("size", [0, 1, MESSAGE_BYTES])
def test_a_client_that_takes_too_little_is_given_up(size: int) -> None:
    patience = Patience()
    seconds = 1.1 * size / LEAST_BYTES_PER_SECOND + 0.1
    for _ in range(1000):
        if patience.seconds <= seconds:
            return
        patience.took(size)
        patience.waited(seconds)
    pytest.fail("it is waited for without end")


def test_what_is_taken_between_two_waits_counts() -> None:
    patience = Patience()
    patience.waited(STALLED_SECONDS / 2)
    patience.took(10 * MESSAGE_BYTES)
    patience.renew()
    assert patience.seconds == STALLED_SECONDS
