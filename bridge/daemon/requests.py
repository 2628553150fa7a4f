"""The requests of all clients: each runs once, ends once, and is replayed when it is sent again.

UDP loses messages, so a client sends a request again when it receives no event. The registry knows
the request by its id, and replays what was published of it so far.
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
from bridge.daemon.bounded import Bounded
from bridge.errors import BadArgument, QueueFull, UnknownId

MOST_ENDED = 1000
"""Ended requests that can still be replayed."""
MOST_OPEN = 64
"""Requests under way at a time, including those that wait for their melody."""
DEFECT = "this is a defect of melody-bridge: its log says more"
"""The message of a request that ends with an unexpected exception."""

RequestEvent = CaptureChanged | ClipReady | Done | Failed | PresetListed | Progress
"""Events of one request."""


@dataclass(eq=False)
class Entry:
    """One request.

    Attributes:
        kind: the kind of request, such as `"generate"`.
        state: the newest progress or capture event.
        items: the clips or presets that were published.
        ending: the event that ended the request; None: it is under way.
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
        answer: sends an event to the client whose command is being carried out; None: `publish`.
    """

    def __init__(
        self,
        publish: Callable[[Event], None],
        *,
        answer: Callable[[Event], None] | None = None,
    ) -> None:
        self._send, self._answer = publish, answer or publish
        self._open: dict[str, Entry] = {}
        self._ended: Bounded[str, Entry] = Bounded(MOST_ENDED)

    def begin(self, id: str, kind: str) -> bool:
        """Enter a request. Return False when it is known; its state is then replayed.

        Raises:
            BadArgument: the id belongs to a request of another kind.
            QueueFull: too many requests are under way.
        """
        entry = self._find(id)
        if entry is not None:
            if entry.kind != kind:
                raise BadArgument(f"id {id!r} is taken by a {entry.kind}: use another for a {kind}")
            self._replay(entry)
            return False
        if len(self._open) >= MOST_OPEN:
            raise QueueFull(f"{len(self._open)} requests are under way: wait, or cancel some")
        self._open[id] = Entry(id, kind)
        self._send(RequestBegun(id, kind))
        return True

    def is_open(self, id: str) -> bool:
        """Whether that request is known and has not ended."""
        return id in self._open

    def kind(self, id: str) -> str | None:
        """The kind of the request with that id; None when none is known."""
        entry = self._find(id)
        return None if entry is None else entry.kind

    def open_ids(self) -> list[str]:
        """The ids of the requests under way, in the order they came."""
        return list(self._open)

    def replay(self, id: str) -> None:
        """Answer with what was published of a request so far.

        Raises:
            UnknownId: no request has that id.
        """
        entry = self._find(id)
        if entry is None:
            raise UnknownId(f"no request has the id {id!r}: it may have been another daemon's")
        self._replay(entry)

    def publish(self, event: RequestEvent) -> None:
        """Send an event of a request, and remember it; drop it when the request has ended."""
        entry = self._open.get(event.id)
        if entry is None:
            return
        match event:
            case Progress() | CaptureChanged():
                entry.state = event
            case ClipReady() | PresetListed():
                entry.items.append(event)
            case Done() | Failed():
                entry.ending = event
                self._ended[event.id] = self._open.pop(event.id)
        self._send(event)

    def _find(self, id: str) -> Entry | None:
        return self._open.get(id) or self._ended.get(id)

    def _replay(self, entry: Entry) -> None:
        for item in entry.items:
            self._answer(item)
        last = entry.ending or entry.state
        if last is not None:
            self._answer(last)
