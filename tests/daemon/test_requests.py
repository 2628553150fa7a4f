"""The requests: each is done once, ends once, and is replayed when it is sent again."""

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


def requests() -> tuple[RequestRegistry, list[Event]]:
    events: list[Event] = []
    return RequestRegistry(events.append), events


def clip(id: str, index: int) -> ClipReady:
    return ClipReady(id, index, 2, f"/clips/{index}.wav", 4, 120.0, 7, 0.9, 4, 4, 44_100, "clip")


def test_a_request_that_is_sent_again_is_done_once_and_answered_with_its_last_state() -> None:
    book, events = requests()
    assert book.begin("me-1", "generate")
    assert events == [RequestBegun("me-1", "generate")]
    book.publish(Progress("me-1", 0.25, 3.0))
    book.publish(Progress("me-1", 0.5, 2.0))
    events.clear()
    assert not book.begin("me-1", "generate")
    assert events == [Progress("me-1", 0.5, 2.0)]


def test_one_that_has_ended_is_answered_with_its_clips_and_its_end() -> None:
    book, events = requests()
    book.begin("me-1", "generate")
    events_sent: list[Any] = [clip("me-1", 0), clip("me-1", 1), Done("me-1", 2)]
    for event in events_sent:
        book.publish(event)
    events.clear()
    assert not book.begin("me-1", "generate")
    assert events == events_sent


@pytest.mark.parametrize("first", [Done("me-1", 0), Failed("me-1", "cancelled", "by its client")])
def test_a_request_ends_once_and_nothing_is_told_after_its_end(first: Done | Failed) -> None:
    book, events = requests()
    book.begin("me-1", "capture")
    book.publish(first)
    book.publish(Failed("me-1", "engine-died", "late"))
    book.publish(Done("me-1", 0))
    book.publish(CaptureChanged("me-1", "recording", 1.0, -6.0))
    assert events == [RequestBegun("me-1", "capture"), first]
    assert not book.is_open("me-1")


def test_an_id_belongs_to_one_kind_of_request() -> None:
    book, _ = requests()
    book.begin("me-1", "capture")
    with pytest.raises(BadArgument, match=r"me-1.*capture"):
        book.begin("me-1", "generate")


def test_an_unknown_request_has_nothing_to_tell() -> None:
    book, events = requests()
    with pytest.raises(UnknownId, match="me-1"):
        book.replay("me-1")
    book.begin("me-1", "capture")
    book.publish(Done("me-1", 0))
    book.replay("me-1")
    assert events[1:] == [Done("me-1", 0)] * 2


def test_too_many_at_a_time_are_refused_until_one_ends() -> None:
    book, _ = requests()
    for number in range(MOST_OPEN):
        book.begin(f"me-{number}", "generate")
    with pytest.raises(QueueFull, match=str(MOST_OPEN)):
        book.begin("me-last", "generate")
    book.publish(Done("me-0", 1))
    assert book.begin("me-last", "generate")


def test_old_requests_are_forgotten_and_those_under_way_never() -> None:
    book, _ = requests()
    book.begin("me-open", "generate")
    for number in range(REMEMBERED + 5):
        book.begin(f"me-{number}", "capture")
        book.publish(Done(f"me-{number}", 0))
    assert book.is_open("me-open")
    assert book.begin("me-0", "capture"), "the oldest is new again"
    assert not book.begin(f"me-{REMEMBERED + 4}", "capture")
