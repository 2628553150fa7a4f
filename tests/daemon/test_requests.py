"""The requests: each runs once, ends once, and is replayed when it is sent again."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from bridge.commands import CaptureFile, ClipSettings, Generate
from bridge.daemon.requests import MOST_ENDED, MOST_OPEN, MOST_REMARKS, RequestRegistry
from bridge.errors import BadArgument, QueueFull, UnknownId
from bridge.events import (
    CaptureChanged,
    ClipReady,
    Done,
    Event,
    Failed,
    Progress,
    Remark,
    RequestBegun,
)


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
    for number in range(MOST_ENDED + 5):
        requests.begin(f"me-{number}", "capture")
        requests.publish(Done(f"me-{number}", 0))
    assert requests.is_open("me-open")
    assert requests.begin("me-0", "capture"), "the oldest was forgotten"
    assert not requests.begin(f"me-{MOST_ENDED + 4}", "capture")


def test_an_id_that_is_used_again_with_other_arguments_is_refused_and_both_are_named() -> None:
    requests, events = new_registry()
    first = Generate("me-1", ClipSettings(bars=4, tempo_bpm=Fraction("93.7"), seed=7))
    assert requests.begin("me-1", "generate", first)
    requests.publish(Done("me-1", 1))
    assert not requests.begin("me-1", "generate", first)
    events.clear()
    second = Generate("me-1", ClipSettings(bars=4, tempo_bpm=Fraction(120)), "me-0")
    with pytest.raises(
        BadArgument,
        match=r"'me-1' was sent with tempo_bpm 93\.7 seed 7, and now with tempo_bpm 120 melody me",
    ):
        requests.begin("me-1", "generate", second)
    assert events == []
    requests.begin("me-2", "capture", CaptureFile("me-2", "/a.wav"))
    with pytest.raises(BadArgument, match=r"path /a\.wav, and now with path /b\.wav"):
        requests.begin("me-2", "capture", CaptureFile("me-2", "/b.wav"))
    with pytest.raises(BadArgument, match="command CaptureFile"):
        requests.begin("me-2", "capture", second)


def test_remarks_are_published_once_replayed_and_bounded() -> None:
    requests, events = new_registry()
    requests.begin("me-1", "generate")
    requests.publish(Remark("me-1", "cut"))
    requests.publish(Remark("me-1", "cut"))
    requests.publish(Done("me-1", 0))
    requests.publish(Remark("me-1", "late"))
    assert events[1:] == [Remark("me-1", "cut"), Done("me-1", 0)]
    requests.replay("me-1")
    assert events[3:] == events[1:3]
    requests.begin("me-2", "generate")
    events.clear()
    for number in range(MOST_REMARKS + 5):
        requests.publish(Remark("me-2", str(number)))
    assert len(events) == MOST_REMARKS


def test_a_recent_request_of_a_kind_is_open_or_was_done_lately() -> None:
    seconds = 100.0
    events: list[Event] = []
    requests = RequestRegistry(events.append, clock=lambda: seconds)
    requests.begin("me-1", "capture")
    assert requests.recent("capture", 60) == "me-1"
    requests.publish(Done("me-1", 0))
    requests.begin("me-2", "capture")
    requests.publish(Failed("me-2", "silent-melody", "nothing"))
    requests.begin("me-3", "generate")
    seconds = 160.0
    assert requests.recent("capture", 60) == "me-1"
    seconds = 160.1
    assert requests.recent("capture", 60) is None
