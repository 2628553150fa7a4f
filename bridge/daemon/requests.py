"""The requests: each is done once, ends once, and is replayed to whoever asks again.

UDP loses messages, so a client sends a request again when it hears nothing. The registry knows the
request by its id, and replays what was published of it so far.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.commands import (
    CaptureChanged,
    ClipReady,
    Done,
    Event,
    Failed,
    PresetListed,
    Progress,
    RequestBegun,
)
from bridge.errors import BadArgument, QueueFull, UnknownId

REMEMBERED = 1000
"""Ended requests that can still be replayed."""
MOST_OPEN = 64
"""Requests under way at a time, including those that wait for their melody."""

RequestEvent = CaptureChanged | ClipReady | Done | Failed | PresetListed | Progress
"""Events of one request."""


@dataclass(eq=False)
class Entry:
    """One request.

    Attributes:
        kind: what was asked, such as `"generate"`.
        state: the newest progress or capture event.
        items: the clips or presets that were published.
        ending: how the request ended; None: it has not.
    """

    id: str
    kind: str
    state: CaptureChanged | Progress | None = None
    items: list[ClipReady | PresetListed] = field(default_factory=list)
    ending: Done | Failed | None = None


class RequestRegistry:
    """All requests by id.

    Args:
        publish: sends an event to every client.
    """

    def __init__(self, publish: Callable[[Event], None]) -> None:
        self._send = publish
        self._entries: dict[str, Entry] = {}

    def begin(self, id: str, kind: str) -> bool:
        """Enter a request. Return False when it is known; its state is then replayed.

        Raises:
            BadArgument: the id belongs to a request of another kind.
            QueueFull: too many are under way.
        """
        entry = self._entries.get(id)
        if entry is not None:
            if entry.kind != kind:
                raise BadArgument(f"id {id!r} is taken by a {entry.kind}: use another for a {kind}")
            self._replay(entry)
            return False
        under_way = sum(one.ending is None for one in self._entries.values())
        if under_way >= MOST_OPEN:
            raise QueueFull(f"{under_way} requests are under way: wait, or cancel some")
        self._entries[id] = Entry(id, kind)
        self._send(RequestBegun(id, kind))
        self._forget_oldest()
        return True

    def is_open(self, id: str) -> bool:
        """Whether that request is known and has not ended."""
        entry = self._entries.get(id)
        return entry is not None and entry.ending is None

    def kind(self, id: str) -> str | None:
        """The kind of the request with that id; None when none is known."""
        entry = self._entries.get(id)
        return None if entry is None else entry.kind

    def open_ids(self) -> list[str]:
        """Requests under way, in the order they came."""
        return [entry.id for entry in self._entries.values() if entry.ending is None]

    def replay(self, id: str) -> None:
        """Publish again what was published of a request so far.

        Raises:
            UnknownId: there is none of that id.
        """
        entry = self._entries.get(id)
        if entry is None:
            raise UnknownId(f"no request has the id {id!r}: it may have been another daemon's")
        self._replay(entry)

    def publish(self, event: RequestEvent) -> None:
        """Send an event of a request, and remember it; drop it when the request has ended."""
        entry = self._entries.get(event.id)
        if entry is None or entry.ending is not None:
            return
        match event:
            case Progress() | CaptureChanged():
                entry.state = event
            case ClipReady() | PresetListed():
                entry.items.append(event)
            case Done() | Failed():
                entry.ending = event
        self._send(event)

    def _replay(self, entry: Entry) -> None:
        for item in entry.items:
            self._send(item)
        last = entry.ending or entry.state
        if last is not None:
            self._send(last)

    def _forget_oldest(self) -> None:
        ended = [entry.id for entry in self._entries.values() if entry.ending is not None]
        for id in ended[: max(len(ended) - REMEMBERED, 0)]:
            del self._entries[id]
