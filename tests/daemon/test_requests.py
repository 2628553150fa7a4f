"""The requests: each runs once, ends once, and is replayed when it is sent again."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.commands import (
    CaptureChanged,
    ClipReady,
    Done,
    Event,
    Failed,
    Progress,
    RequestBegun,
)
from bridge.daemon.requests import MOST_OPEN, REMEMBERED, RequestRegistry
from bridge.errors import BadArgument, QueueFull, UnknownId


def new_registry() -> tuple[RequestRegistry, list[Event]]:
    events: list[Event] = []
    return RequestRegistry(events.append), events


def clip(id: str, index: int) -> ClipReady:
    return ClipReady(id, index, 2, f"/clips/{index}.wav", 4, 120.0, 7, 0.9, 4, 4, 44_100, "clip")


def test_a_request_that_is_sent_again_runs_once_and_replays_its_last_state() -> None:
    requests, events = new_registry()
    assert requests.begin("me-1", "generate")
    assert events == [RequestBegun("me-1", "generate")]
    requests.publish(Progress("me-1", 0.25, 3.0))
    requests.publish(Progress("me-1", 0.5, 2.0))
    events.clear()
    assert not requests.begin("me-1", "generate")
    assert events == [Progress("me-1", 0.5, 2.0)]


def test_a_request_that_has_ended_replays_its_clips_and_its_end() -> None:
    requests, events = new_registry()
    requests.begin("me-1", "generate")
    published: list[Any] = [clip("me-1", 0), clip("me-1", 1), Done("me-1", 2)]
    for event in published:
        requests.publish(event)
    events.clear()
    assert not requests.begin("me-1", "generate")
    assert events == published


@pytest.mark.parametrize("first", [Done("me-1", 0), Failed("me-1", "cancelled", "by its client")])
def test_a_request_ends_once_and_publishes_nothing_after_its_end(first: Done | Failed) -> None:
    requests, events = new_registry()
    requests.begin("me-1", "capture")
    requests.publish(first)
    requests.publish(Failed("me-1", "engine-died", "late"))
    requests.publish(Done("me-1", 0))
    requests.publish(CaptureChanged("me-1", "recording", 1.0, -6.0))
    assert events == [RequestBegun("me-1", "capture"), first]
    assert not requests.is_open("me-1")


def test_an_id_belongs_to_one_kind_of_request() -> None:
    requests, _ = new_registry()
    requests.begin("me-1", "capture")
    with pytest.raises(BadArgument, match=r"me-1.*capture"):
        requests.begin("me-1", "generate")


def test_an_unknown_request_cannot_be_replayed() -> None:
    requests, events = new_registry()
    with pytest.raises(UnknownId, match="me-1"):
        requests.replay("me-1")
    requests.begin("me-1", "capture")
    requests.publish(Done("me-1", 0))
    requests.replay("me-1")
    assert events[1:] == [Done("me-1", 0)] * 2


def test_too_many_open_requests_are_refused_until_one_ends() -> None:
    requests, _ = new_registry()
    for number in range(MOST_OPEN):
        requests.begin(f"me-{number}", "generate")
    with pytest.raises(QueueFull, match=str(MOST_OPEN)):
        requests.begin("me-last", "generate")
    requests.publish(Done("me-0", 1))
    assert requests.begin("me-last", "generate")


def test_old_requests_are_forgotten_but_open_ones_never() -> None:
    requests, _ = new_registry()
    requests.begin("me-open", "generate")
    for number in range(REMEMBERED + 5):
        requests.begin(f"me-{number}", "capture")
        requests.publish(Done(f"me-{number}", 0))
    assert requests.is_open("me-open")
    assert requests.begin("me-0", "capture"), "the oldest was forgotten"
    assert not requests.begin(f"me-{REMEMBERED + 4}", "capture")
