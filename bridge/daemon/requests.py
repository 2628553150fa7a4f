"""The requests of all clients: each runs once, ends once, and is replayed when it is sent again.

UDP loses messages, so a client sends a request again when it receives no event. The registry knows
the request by its id, and replays what was published of it so far.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from bridge.commands import ClipSettings, Command, value_text
from bridge.daemon.bounded import Bounded
from bridge.errors import BadArgument, QueueFull, UnknownId
from bridge.events import (
    CaptureChanged,
    ClipMarked,
    ClipReady,
    Done,
    Event,
    Failed,
    PresetListed,
    Progress,
    Remark,
    RequestBegun,
)

MOST_ENDED = 1000
"""Ended requests that can still be replayed."""
MOST_REMARKS = 32
"""Remarks of one request that are published; nobody reads more."""
MOST_OPEN = 64
"""Requests under way at a time, including those that wait for their melody."""
LONGEST_SHOWN = 60
"""Characters of an argument that an error message quotes."""
DEFECT = "this is a defect of melody-bridge: its log says more"
"""The message of a request that ends with an unexpected exception."""

RequestEvent = CaptureChanged | ClipReady | Done | Failed | PresetListed | Progress | Remark
"""Events of one request."""


@dataclass(eq=False)
class Entry:
    """One request.

    Attributes:
        kind: the kind of request, such as `"generate"`.
        command: what was asked for; None: it cannot be compared with what is sent again.
        state: the newest progress or capture event.
        items: the clips or presets that were published.
        remarks: the remarks that were published.
        ending: the event that ended the request; None: it is under way.
        ended_seconds: when it ended, on the registry's clock.
    """

    id: str
    kind: str
    command: Command | None = None
    state: CaptureChanged | Progress | None = None
    items: list[ClipReady | PresetListed] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    ending: Done | Failed | None = None
    ended_seconds: float = 0.0


class RequestRegistry:
    """All requests by id.

    Args:
        publish: sends an event to every client.
        answer: sends an event to the client whose command is being carried out; None: `publish`.
        clock: returns seconds.
    """

    def __init__(
        self,
        publish: Callable[[Event], None],
        *,
        answer: Callable[[Event], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._send, self._answer, self._clock = publish, answer or publish, clock
        self._open: dict[str, Entry] = {}
        self._ended: Bounded[str, Entry] = Bounded(MOST_ENDED)

    def begin(self, id: str, kind: str, command: Command | None = None) -> bool:
        """Enter a request. Return False when it is known; its state is then replayed.

        Args:
            command: what is asked for; None: any request of that kind counts as sent again.

        Raises:
            BadArgument: the id belongs to a request of another kind, or with other arguments.
            QueueFull: too many requests are under way.
        """
        if self.replay_known(id, kind, command):
            return False
        if len(self._open) >= MOST_OPEN:
            raise QueueFull(f"{len(self._open)} requests are under way: wait, or cancel some")
        self._open[id] = Entry(id, kind, command)
        self._send(RequestBegun(id, kind))
        return True

    def replay_known(self, id: str, kind: str, command: Command | None = None) -> bool:
        """Replay a request that is known. Return whether it is.

        Raises:
            BadArgument: the id belongs to a request of another kind, or with other arguments.
        """
        entry = self._find(id)
        if entry is None:
            return False
        if entry.kind != kind:
            raise BadArgument(f"id {id!r} is taken by a {entry.kind}: use another for a {kind}")
        if command is not None and entry.command is not None and command != entry.command:
            raise BadArgument(
                f"id {id!r} was sent with {_difference(entry.command, command)}: "
                "use a new id for each request"
            )
        self._replay(entry)
        return True

    def recent(self, kind: str, seconds: float) -> str | None:
        """The id of the newest request of a kind that is open, or was done in the last seconds."""
        for entry in reversed(self._open.values()):
            if entry.kind == kind:
                return entry.id
        earliest = self._clock() - seconds
        for entry in reversed(self._ended.values()):
            if entry.ended_seconds < earliest:
                return None
            if entry.kind == kind and isinstance(entry.ending, Done):
                return entry.id
        return None

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
            case Remark():
                if event in entry.remarks or len(entry.remarks) >= MOST_REMARKS:
                    return
                entry.remarks.append(event)
            case Done() | Failed():
                entry.ending, entry.ended_seconds = event, self._clock()
                self._ended[event.id] = self._open.pop(event.id)
        self._send(event)

    def reply(self, event: Event) -> None:
        """Send an event about a request that has ended, and remember nothing of it."""
        self._send(event)

    def amend(self, change: ClipReady | ClipMarked) -> None:
        """Change a clip in what is replayed of a request; ignore a clip that is not known."""
        entry = self._find(change.id)
        if entry is None:
            return
        for place, item in enumerate(entry.items):
            if isinstance(item, ClipReady) and item.index == change.index:
                if isinstance(change, ClipMarked):
                    item = replace(item, mark=change.mark)
                entry.items[place] = item if isinstance(change, ClipMarked) else change

    def _find(self, id: str) -> Entry | None:
        return self._open.get(id) or self._ended.get(id)

    def _replay(self, entry: Entry) -> None:
        for event in (*entry.remarks, *entry.items):
            self._answer(event)
        last = entry.ending or entry.state
        if last is not None:
            self._answer(last)


def _difference(first: Command, second: Command) -> str:
    """The arguments in which two commands differ, such as `"bars 4, and now with bars 2"`."""
    before, after = _arguments(first), _arguments(second)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return f"{_text(before, names)}, and now with {_text(after, names)}"


def _text(arguments: Mapping[str, Any], names: list[str]) -> str:
    given = [f"{name} {_shown(arguments[name])}" for name in names if name in arguments]
    return " ".join(given) or f"no {' '.join(names)}"


def _shown(value: Any) -> str:
    text = value_text(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _arguments(command: Command) -> dict[str, Any]:
    """A command's arguments by name, those that were given."""
    values = {"command": type(command).__name__}
    for each in fields(command):
        value = getattr(command, each.name)
        if isinstance(value, ClipSettings):
            values |= value.values
        elif value is not None:
            values[each.name] = value
    return values
