"""Floods of valid messages: the daemon still answers pings, and does not flood its subscribers."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.peers.daemon import Client, DaemonProcess, running
from tests.peers.floods import FLOOD_A_SECOND, PONG_SECONDS, Audience, flood, floods
from tests.peers.wait import until

SECONDS = 2.0
PATIENCE = 5
"""Times the bound on a pong's delay: other programs may keep the machine busy."""
ATTEMPTS = 3
"""A load of ten delays single pongs; a daemon that a flood drowns answers late each time."""
NAMES = tuple(floods(0, ""))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    with running(tmp_path_factory.mktemp("clips")) as daemon:
        yield daemon.ready()


@pytest.mark.exclusive
@pytest.mark.skipif(sys.platform == "win32", reason="its timers are too coarse for the rate")
@pytest.mark.parametrize("name", NAMES)
def test_pings_are_answered_in_a_flood(daemon: DaemonProcess, name: str) -> None:
    with Client(daemon.port, "known") as client:
        # Again and again: what is left of the flood before may crowd a message out.
        until(lambda: _is_answered(client, "known-1"), "known-1 is answered")
    with Audience(daemon.port) as audience:
        packets = floods(audience.ports[0], "known-1")[name]
        for _ in range(ATTEMPTS):
            flooded = flood(daemon.port, audience, packets, SECONDS)
            print(
                f"{name}: pongs after {1000 * flooded.p99_seconds:.1f} ms (p99), "
                f"{flooded.received / SECONDS:.0f} datagrams a second sent to subscribers"
            )
            if flooded.p99_seconds < PATIENCE * PONG_SECONDS:
                break
    assert flooded.p99_seconds < PATIENCE * PONG_SECONDS
    # Twenty subscribers: with every answer to each of them it would be twenty times as many.
    assert flooded.received < SECONDS * FLOOD_A_SECOND * 10


def _is_answered(client: Client, id: str) -> bool:
    client.send("/bridge/presets", id)
    client.sync()
    return any(event.address == "/bridge/done" for event in client.of(id))


def test_a_request_that_is_sent_again_is_answered_to_its_client_alone(
    daemon: DaemonProcess,
) -> None:
    with Client(daemon.port, "one") as one, Client(daemon.port, "two") as two:
        one.send("/bridge/capture/notes", "one-1", 1, 0.0, 60, 1.0)
        one.send("/bridge/capture/stop", "one-1")
        for client in (one, two):
            assert client.ended("one-1").address == "/bridge/done"
        before = len(one.events), len(two.events)
        one.send("/bridge/capture/notes", "one-1", 1, 0.0, 60, 1.0)
        one.wait("/bridge/done", "one-1", after=before[0])
        two.sync()
        assert [event for event in two.events[before[1] :] if event.arguments[0] == "one-1"] == []
