"""The screen's line: what a daemon no longer names is dropped, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from bridge.control.addresses import event_message
from bridge.control.client import OscClient
from bridge.control.packets import write_message
from bridge.events import Event, Hello, RequestBegun
from bridge.screens.sketch.link import Link

HELLO = Hello("0.1.0", 1, "ready", "pocket", "me", "/takes")


@pytest.fixture
def link() -> Iterator[Link]:
    """A line to nobody."""
    with closing(OscClient(9, "me")) as client:
        yield Link(client, lambda event: None)


def arrive(link: Link, *events: Event) -> None:
    """Let each event arrive in a datagram of its own."""
    for event in events:
        link.datagram_received(write_message(*event_message(event)), ("127.0.0.1", 9))


def test_a_recording_is_known_between_a_hello_and_the_state_after_it(link: Link) -> None:
    arrive(link, HELLO, RequestBegun("me-1", "capture"))
    for _ in range(3):
        arrive(link, HELLO)
        assert "me-1" in link.snapshot.requests
        arrive(link, RequestBegun("me-1", "capture"))


def test_a_request_that_a_new_daemon_does_not_name_is_dropped(link: Link) -> None:
    arrive(link, HELLO, RequestBegun("me-1", "capture"), RequestBegun("me-2", "generate"))
    arrive(link, HELLO, RequestBegun("me-2", "generate"))
    arrive(link, HELLO)
    assert list(link.snapshot.requests) == ["me-2"]
    arrive(link, HELLO)
    assert not link.snapshot.requests
