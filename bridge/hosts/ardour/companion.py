"""The companion: a client of the daemon that puts its clips into Ardour, and launches them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bridge.control.addresses import read_event
from bridge.control.client import LOST_SECONDS, RENEW_SECONDS, OscClient, ReceivedEvent
from bridge.delivery import KnownClip
from bridge.errors import BridgeError
from bridge.events import ClipMarked, ClipReady, RequestBegun
from bridge.hosts.ardour.inbox import Inbox, Order, inbox_path
from bridge.hosts.ardour.reading import FASTEST_LOOP_BPM, SLOWEST_LOOP_BPM, is_looped
from bridge.hosts.ardour.slot_file import remove_orphans, slot_file
from bridge.hosts.ardour.surface import EMPTY, SHOWN_COLUMNS, Surface
from bridge.timing import Meter, parse_tempo

CLIENT = "ardour"
TRACK = "Melody Bridge"
"""The track of the clips in Ardour; the script makes it beside the selected one."""
SLOTS = "ABCDEFGH"
"""Ardour's names of the slots that it reports."""
ANSWER = "/ardour/answer"
"""The script's answer: an order's number, the track's column on the Cue page, and an error."""
POLL_SECONDS = 0.05
ANSWER_SECONDS = 60.0
"""How long the script may take from reading an order to its answer: a long file is converted."""
SURFACE_SECONDS = 5.0
"""How long a clip that is to be launched waits for Ardour's report on its slots."""
LOADED_SECONDS = 10.0
"""How long a slot may take to load what was imported."""
MOST_WAITING = 64
"""Orders that wait while Ardour does not run; the oldest are dropped."""
MOST_KNOWN = 1000
GENERATE = "generate"
"""The kind of request whose clips are new."""

Place = Literal["slot", "region"]
State = Literal["connected", "lost", "placed", "launched", "removed", "failed"]


@dataclass(frozen=True)
class Report:
    """What the companion has done or could not do.

    Attributes:
        clip: the clip's name; empty: the report is about none.
        detail: a sentence for people.
    """

    state: State
    clip: str
    detail: str


@dataclass
class _Clip:
    """A clip on its way into Ardour.

    Attributes:
        name: the clip's.
        known: None: its regions are to be removed.
        order: what the script is asked; None: nothing yet.
        begun_seconds: when its turn came, on `time.monotonic`.
        is_ordered: whether the order is in the inbox.
        columns: the cue slots before the script reads it; None: Ardour reports none.
        read_seconds: when the script had read it, on `time.monotonic`.
        column: the track's on the Cue page, once the script has answered.
        answered_seconds: when it did.
    """

    name: str
    known: KnownClip | None
    order: Order | None = None
    begun_seconds: float = 0.0
    is_ordered: bool = False
    columns: dict[int, Sequence[int]] | None = None
    read_seconds: float | None = None
    column: int = -1
    answered_seconds: float | None = None


class Companion:
    """Follows the daemon's events and gives Ardour's script one order after the other."""

    def __init__(
        self,
        *,
        ardour_port: int,
        place: Place,
        launches: bool,
        report: Callable[[Report], None],
        inbox: Path | None = None,
    ) -> None:
        """Args:
        ardour_port: of Ardour's OSC surface.
        place: into the next free cue slot, or on the timeline at the next bar line.
        launches: whether a clip in a cue slot is launched at once.
        report: called with what has been done.
        inbox: the file that the script reads; None: that of the installed scripts.
        """
        self._place, self._launches, self._report = place, launches, report
        self._surface = Surface(ardour_port)
        self._inbox = Inbox(inbox or inbox_path())
        self._inbox.clear()
        self._begun: deque[str] = deque(maxlen=MOST_KNOWN)
        self._placed: deque[tuple[str, int]] = deque(maxlen=MOST_KNOWN)
        self._regions: dict[str, str] = {}
        self._waiting: deque[_Clip] = deque()
        self._current: _Clip | None = None
        self._number = 0
        self._swept: set[Path] = set()

    def close(self) -> None:
        """Leave Ardour; an order that it has not read yet is taken back."""
        self._inbox.clear()
        self._surface.close()

    def receive(self, received: ReceivedEvent) -> None:
        """Take an event of the daemon's."""
        match read_event(received.address, received.arguments):
            case RequestBegun(id, kind) if kind == GENERATE and id not in self._begun:
                self._begun.append(id)
            # A list of clips and a restored clip come under other ids, or again.
            case ClipReady(id=id, index=index) as clip if (
                id in self._begun and (id, index) not in self._placed
            ):
                self._placed.append((id, index))
                self._wait(_Clip(clip.name, _known(clip)))
            case ClipMarked(mark="discarded", path=path) if path in self._regions:
                self._wait(_Clip(self._regions.pop(path), None))

    def poll(self) -> None:
        """Go on with the orders."""
        for message in self._surface.poll():
            if message.address == ANSWER:
                self._answered(message)
        if self._current is None and self._waiting and self._inbox.is_empty:
            self._begin(self._waiting.popleft())
        elif self._current is not None:
            self._go_on(self._current)

    def _wait(self, clip: _Clip) -> None:
        if len(self._waiting) == MOST_WAITING:
            self._end(self._waiting.popleft(), "failed", "Ardour has read no order for too long")
        self._waiting.append(clip)

    def _begin(self, clip: _Clip) -> None:
        """Make the next order."""
        try:
            self._number += 1
            clip.order = self._order(clip)
        except BridgeError as error:
            self._end(clip, "failed", str(error))
        else:
            self._current, clip.begun_seconds = clip, time.monotonic()

    def _order(self, clip: _Clip) -> Order:
        """Raises: BridgeError: the clip cannot be placed."""
        if clip.known is None:
            return Order("remove", self._number, TRACK, clip.name)
        if self._place == "region":
            return Order("region", self._number, TRACK, str(clip.known.path))
        folder = clip.known.path.parent
        if folder not in self._swept:
            self._swept.add(folder)
            remove_orphans(folder)
        return Order("slot", self._number, TRACK, str(slot_file(clip.known)))

    def _answered(self, message: ReceivedEvent) -> None:
        """Take the script's answer to the current order."""
        clip = self._current
        if clip is None or clip.order is None or message.arguments[:1] != (clip.order.number,):
            return
        _, column, error = message.arguments
        if error:
            self._end(clip, "failed", f"Ardour: {error}")
        elif clip.order.kind == "slot":
            clip.column, clip.answered_seconds = int(str(column)), time.monotonic()
        elif clip.known is not None:
            self._regions[clip.known.path.as_posix()] = Path(clip.order.subject).stem
            self._end(clip, "placed", f"on the timeline of {TRACK!r}")
        else:
            self._end(clip, "removed", f"from the timeline of {TRACK!r}")

    def _go_on(self, clip: _Clip) -> None:
        """Wait for the surface, the script and the slot, and launch it."""
        now = time.monotonic()
        if clip.answered_seconds is not None:
            self._find_slot(clip, now - clip.answered_seconds)
        elif clip.order is not None and not clip.is_ordered:
            self._put(clip, clip.order, now - clip.begun_seconds)
        elif clip.read_seconds is None:
            columns = self._surface.columns
            if self._inbox.is_empty:
                clip.read_seconds = now
            elif columns is not None:
                clip.columns = dict(columns)
        elif now - clip.read_seconds > ANSWER_SECONDS:
            # Not again: what it did before it stopped is unknown.
            self._end(clip, "failed", "Ardour's script took the clip and gives no answer")

    def _put(self, clip: _Clip, order: Order, seconds: float) -> None:
        """Write the order, once the slots are known in which it is to be launched."""
        columns = self._surface.columns
        is_launched = self._launches and order.kind == "slot"
        if columns is None and is_launched and seconds < SURFACE_SECONDS:
            return
        clip.columns = None if columns is None else dict(columns)
        try:
            self._inbox.put(order.line(self._surface.port))
        except BridgeError as error:
            self._end(clip, "failed", str(error))
        else:
            clip.is_ordered = True

    def _find_slot(self, clip: _Clip, seconds: float) -> None:
        """Look for the slot that has been filled since the order, and launch it."""
        columns = self._surface.columns
        if columns is None and clip.columns is not None and seconds < LOADED_SECONDS:
            return
        if columns is None or clip.columns is None:
            off = " Switch on Ardour's Open Sound Control to have it launched." * self._launches
            self._end(clip, "placed", f"in the next free cue slot of {TRACK!r}.{off}{_once(clip)}")
            return
        if clip.column not in range(SHOWN_COLUMNS):
            self._end(
                clip,
                "placed",
                f"in {TRACK!r}; Ardour reports {SHOWN_COLUMNS} columns of the Cue page, and this "
                "is not one of them: move the track to the left to have its clips launched",
            )
            return
        before = clip.columns.get(clip.column, ())
        if before and EMPTY not in before:
            self._end(
                clip,
                "placed",
                f"in {TRACK!r}, in the first free slot below {SLOTS[-1]} if there is one; Ardour "
                f"reports slots {SLOTS[0]} to {SLOTS[-1]} only: clear one to have clips launched",
            )
            return
        for slot, state in enumerate(columns.get(clip.column, ())):
            was_empty = slot >= len(before) or before[slot] == EMPTY
            if was_empty and state != EMPTY:
                place = f"in slot {SLOTS[slot]} of {TRACK!r}.{_once(clip)}"
                if self._launches:
                    self._surface.launch(clip.column, slot)
                self._end(clip, "launched" if self._launches else "placed", place)
                return
        if seconds > LOADED_SECONDS:
            self._end(clip, "failed", f"Ardour reports no new clip in the slots of {TRACK!r}")

    def _end(self, clip: _Clip, state: State, detail: str) -> None:
        if clip is self._current:
            self._current = None
        self._report(Report(state, clip.name, detail))


def follow(
    companion: Companion, port: int, stop: threading.Event, report: Callable[[Report], None]
) -> None:
    """Follow the daemon until `stop` is set; wait for it where it does not run.

    Args:
        port: the daemon's.
        stop: may be set by another thread.
        report: called with each begin and end of the connection.
    """
    with closing(companion), closing(OscClient(port, CLIENT)) as client:
        heard_seconds: float | None = None
        renewed_seconds = -RENEW_SECONDS
        while not stop.is_set():
            now = time.monotonic()
            if now - renewed_seconds >= RENEW_SECONDS:
                renewed_seconds = now
                client.renew()
            for event in client.events(now + POLL_SECONDS):
                if heard_seconds is None:
                    report(Report("connected", "", f"the daemon answers on port {port}"))
                heard_seconds = time.monotonic()
                companion.receive(event)
            if heard_seconds is not None and now - heard_seconds > LOST_SECONDS:
                heard_seconds = None
                report(Report("lost", "", f"no daemon answers on port {port} any more"))
            companion.poll()


def _known(clip: ClipReady) -> KnownClip:
    """Raises: BadArgument: the event has no usable tempo or meter."""
    return KnownClip(
        path=Path(clip.path),
        request=clip.id,
        index=clip.index,
        bars=clip.bars,
        tempo_bpm=parse_tempo(clip.tempo_bpm),
        meter=Meter(clip.numerator, clip.denominator),
        seed=clip.seed,
        sample_rate=clip.sample_rate,
        melody_similarity=None,
    )


def _once(clip: _Clip) -> str:
    """What a person must know of a clip that Ardour takes for a one-shot; empty for others."""
    if clip.known is None or is_looped(clip.known.tempo_bpm):
        return ""
    return (
        f" Ardour plays a clip once below {SLOWEST_LOOP_BPM} and above {FASTEST_LOOP_BPM} bpm: "
        "choose Again as its follow action"
    )
