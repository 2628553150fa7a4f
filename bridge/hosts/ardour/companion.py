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

from bridge.commands import LOOP_PREFIX
from bridge.control.addresses import read_event
from bridge.control.client import LOST_SECONDS, RENEW_SECONDS, OscClient, ReceivedEvent
from bridge.delivery import KnownClip
from bridge.errors import BridgeError
from bridge.events import ClipMarked, ClipReady, Done, Failed, RequestBegun
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
"""The script's answer: an order's number, the track's column on the Cue page, an error, and whether
it has only made the track: then the order comes again."""
POLL_SECONDS = 0.05
ANSWER_SECONDS = 60.0
"""How long the script may take from reading an order to its answer: a long file is converted."""
SURFACE_SECONDS = 5.0
"""How long a clip that is to be launched waits for Ardour's report on its slots."""
LOADED_SECONDS = 10.0
"""How long a slot may take to load what was imported, and a report on a new track to come."""
LOADING_SECONDS = 1.0
"""How long the next order waits where no report shows that a slot is loaded: Ardour takes a slot
that still loads for a free one."""
UNREAD_SECONDS = 10.0
"""How long an order may wait for a script before somebody should know."""
LATE_SECONDS = 30.0
"""A clip that has waited longer for Ardour to start is launched no more: it would surprise."""
UNREAD = (
    "for Ardour, whose script reads no order: start Ardour, or add the hook Melody Bridge in its "
    "Script Manager (docs/hosts.md#ardour)"
)
MOST_WAITING = 64
"""Orders that wait while Ardour does not run; the oldest are dropped."""
MOST_KNOWN = 1000
GENERATE = "generate"
"""The kind of request whose clips are new."""

Place = Literal["slot", "region"]
State = Literal["connected", "lost", "waiting", "placed", "launched", "removed", "failed"]


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
    """A clip on its way into Ardour. The times are on the companion's clock.

    Attributes:
        name: the clip's.
        known: None: its regions are to be removed.
        received_seconds: when the daemon published it.
        is_late: it has waited too long to be launched.
        order: what the script is asked; None: nothing yet.
        begun_seconds: when its turn came.
        ordered_seconds: since when the order is in the inbox; None: it is not yet.
        columns: the cue slots before the script reads it; None: Ardour reports none.
        read_seconds: when the script had read it.
        made_seconds: when the script had made the track for it.
        column: the track's on the Cue page, once the script has answered.
        answered_seconds: when it did.
    """

    name: str
    known: KnownClip | None
    received_seconds: float
    is_late: bool = False
    order: Order | None = None
    begun_seconds: float = 0.0
    ordered_seconds: float | None = None
    columns: dict[int, Sequence[int]] | None = None
    read_seconds: float | None = None
    made_seconds: float | None = None
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
        now_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        ardour_port: of Ardour's OSC surface.
        place: into the next free cue slot, or on the timeline at the next bar line.
        launches: whether a clip in a cue slot is launched at once.
        report: called with what has been done.
        inbox: the file that the script reads; None: that of the installed scripts.
        now_seconds: the time.
        """
        self._place, self._launches, self._report = place, launches, report
        self._now_seconds = now_seconds
        self._surface = Surface(ardour_port, now_seconds)
        self._inbox = Inbox(inbox or inbox_path())
        self._inbox.clear()
        # Of each request that has not ended: the paths of its clips.
        self._begun: dict[str, set[str]] = {}
        self._regions: dict[str, str] = {}
        self._waiting: deque[_Clip] = deque()
        self._current: _Clip | None = None
        self._number = 0
        self._held_until_seconds = now_seconds()
        self._has_reported_unread = False
        self._swept: set[Path] = set()

    def close(self) -> None:
        """Leave Ardour; an order that it has not read yet is taken back."""
        self._inbox.clear()
        self._surface.close()

    def receive(self, received: ReceivedEvent) -> None:
        """Take an event of the daemon's."""
        match read_event(received.address, received.arguments):
            # The clips of live loops play by themselves.
            case RequestBegun(id, kind) if kind == GENERATE and not id.startswith(LOOP_PREFIX):
                # It comes again with each subscription.
                self._begun.setdefault(id, set())
                if len(self._begun) > MOST_KNOWN:
                    del self._begun[next(iter(self._begun))]
            # A list of clips and a restored clip come under other ids, or again. A daemon that is
            # started anew uses ids again, for other files.
            case ClipReady(id=id, path=path) as clip if path not in self._begun.get(id, {path}):
                self._begun[id].add(path)
                self._wait(clip.name, _known(clip))
            case Done(id) | Failed(id):
                self._begun.pop(id, None)
            case ClipMarked(mark="discarded", path=path) if path in self._regions:
                self._wait(self._regions.pop(path), None)

    def poll(self) -> None:
        """Go on with the orders."""
        for message in self._surface.poll():
            if message.address == ANSWER:
                self._answered(message)
        now = self._now_seconds()
        if self._current is not None:
            self._go_on(self._current, now)
        elif self._waiting and self._inbox.is_empty and now >= self._held_until_seconds:
            self._begin(self._waiting.popleft(), now)

    def _wait(self, name: str, known: KnownClip | None) -> None:
        if len(self._waiting) == MOST_WAITING:
            self._end(self._waiting.popleft(), "failed", "Ardour has read no order for too long")
        self._waiting.append(_Clip(name, known, self._now_seconds()))

    def _begin(self, clip: _Clip, now: float) -> None:
        """Make the next order."""
        try:
            self._number += 1
            clip.order = self._order(clip)
        except BridgeError as error:
            self._end(clip, "failed", str(error))
        else:
            self._current, clip.begun_seconds = clip, now

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
        now = self._now_seconds()
        self._has_been_read(clip, now)
        _, column, error, *is_made = message.arguments
        clip.column = int(str(column))
        if error:
            self._end(clip, "failed", f"Ardour: {error}")
        elif any(is_made):
            # The columns beside it have moved: what was reported of them is of other tracks.
            self._surface.forget()
            clip.made_seconds, clip.ordered_seconds, clip.read_seconds = now, None, None
        elif clip.order.kind == "slot":
            clip.answered_seconds = now
        elif clip.known is not None:
            self._regions[clip.known.path.as_posix()] = Path(clip.order.subject).stem
            self._end(clip, "placed", f"on the timeline of {TRACK!r}")
        else:
            self._end(clip, "removed", f"from the timeline of {TRACK!r}")

    def _go_on(self, clip: _Clip, now: float) -> None:
        """Wait for the surface, the script and the slot, and launch it."""
        if clip.answered_seconds is not None:
            self._find_slot(clip, now, now - clip.answered_seconds)
        elif clip.order is not None and clip.ordered_seconds is None:
            if not self._needs_slots(clip, clip.order, now):
                self._put(clip, clip.order, now)
        elif clip.read_seconds is None:
            self._wait_for_script(clip, now)
        elif now - clip.read_seconds > ANSWER_SECONDS:
            # Not again: what it did before it stopped is unknown.
            self._end(clip, "failed", "Ardour's script took the clip and gives no answer")

    def _needs_slots(self, clip: _Clip, order: Order, now: float) -> bool:
        """Whether the order waits for Ardour's report on the slots that it is for."""
        columns = self._surface.columns
        if clip.made_seconds is not None:
            is_reported = columns is not None and clip.column in columns
            is_shown = clip.columns is not None and clip.column in range(SHOWN_COLUMNS)
            return is_shown and not is_reported and now - clip.made_seconds < LOADED_SECONDS
        is_launched = self._launches and order.kind == "slot" and not clip.is_late
        return columns is None and is_launched and now - clip.begun_seconds < SURFACE_SECONDS

    def _put(self, clip: _Clip, order: Order, now: float) -> None:
        """Write the order."""
        columns = self._surface.columns
        clip.columns = None if columns is None else dict(columns)
        try:
            self._inbox.put(order.line(self._surface.port))
        except BridgeError as error:
            self._end(clip, "failed", str(error))
        else:
            clip.ordered_seconds = now

    def _wait_for_script(self, clip: _Clip, now: float) -> None:
        """See whether the script has read the order, and report once if it does not."""
        if self._inbox.is_empty:
            self._has_been_read(clip, now)
            return
        columns = self._surface.columns
        if columns is not None:
            clip.columns = dict(columns)
        if not self._has_reported_unread and _since(clip.ordered_seconds, now) > UNREAD_SECONDS:
            self._has_reported_unread = True
            self._report(Report("waiting", clip.name, UNREAD))

    def _has_been_read(self, clip: _Clip, now: float) -> None:
        """Note that the script has read the order."""
        if clip.read_seconds is not None:
            return
        clip.read_seconds, self._has_reported_unread = now, False
        if _since(clip.ordered_seconds, now) > LATE_SECONDS:
            for each in (clip, *self._waiting):
                each.is_late = now - each.received_seconds > LATE_SECONDS

    def _find_slot(self, clip: _Clip, now: float, seconds: float) -> None:
        """Look for the slot that has been filled since the order, and launch it.

        Args:
            seconds: since the answer.
        """
        columns = self._surface.columns
        if columns is None and clip.columns is not None and seconds < LOADED_SECONDS:
            return
        if columns is None or clip.columns is None:
            off = " Switch on Ardour's Open Sound Control to have it launched." * self._launches
            place = f"in the next free cue slot of {TRACK!r}.{off}{_once(clip)}"
            self._end_unseen(clip, now, place)
            return
        if clip.column not in range(SHOWN_COLUMNS):
            place = (
                f"in {TRACK!r}; Ardour reports {SHOWN_COLUMNS} columns of the Cue page, and this "
                "is not one of them: move the track to the left to have its clips launched"
            )
            self._end_unseen(clip, now, place)
            return
        before = clip.columns.get(clip.column, ())
        if before and EMPTY not in before:
            place = (
                f"in {TRACK!r}, in the first free slot below {SLOTS[-1]} if there is one; Ardour "
                f"reports slots {SLOTS[0]} to {SLOTS[-1]} only: clear one to have clips launched"
            )
            self._end_unseen(clip, now, place)
            return
        for slot, state in enumerate(columns.get(clip.column, ())):
            was_empty = slot >= len(before) or before[slot] == EMPTY
            if was_empty and state != EMPTY:
                self._loaded(clip, slot)
                return
        if seconds > LOADED_SECONDS:
            self._end(clip, "failed", f"Ardour reports no new clip in the slots of {TRACK!r}")

    def _loaded(self, clip: _Clip, slot: int) -> None:
        """Launch the slot that has the clip."""
        place = f"in slot {SLOTS[slot]} of {TRACK!r}."
        if not self._launches:
            self._end(clip, "placed", f"{place}{_once(clip)}")
        elif clip.is_late:
            late = " It has waited too long for Ardour to be launched by itself."
            self._end(clip, "placed", f"{place}{late}{_once(clip)}")
        else:
            self._surface.launch(clip.column, slot)
            self._end(clip, "launched", f"{place}{_once(clip)}")

    def _end_unseen(self, clip: _Clip, now: float, place: str) -> None:
        """End a clip whose slot Ardour does not report."""
        self._held_until_seconds = now + LOADING_SECONDS
        self._end(clip, "placed", place)

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


def _since(begun_seconds: float | None, now: float) -> float:
    """The seconds since then; 0 if it has not begun."""
    return 0.0 if begun_seconds is None else now - begun_seconds


def _once(clip: _Clip) -> str:
    """What a person must know of a clip that Ardour takes for a one-shot; empty for others."""
    if clip.known is None or is_looped(clip.known.tempo_bpm):
        return ""
    return (
        f" Ardour plays a clip once below {SLOWEST_LOOP_BPM} and above {FASTEST_LOOP_BPM} bpm: "
        "choose Again as its follow action"
    )
