"""What plays the clips of a live loop: the daemon's output, or a DAW beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from bridge.clock.beat_clock import BeatClock
from bridge.clock.quantum import GridLine, next_line
from bridge.commands import LoopDelivery
from bridge.daemon.loop_actions import Play
from bridge.daemon.loop_grid import Line
from bridge.delivery import KnownClip
from bridge.delivery.playable import read_clip
from bridge.delivery.playback import Playback
from bridge.errors import Cancelled, Unsupported
from bridge.timing import Quantum

PLACING_SECONDS = 0.4
"""A DAW takes about as long to put a clip into a slot and check its length."""
SILENT_SECONDS = 10.0
"""After this time without a report a DAW counts as gone. The Live device reports each 3 s."""
ANOTHER_CAME = "another command for the loop came meanwhile"


class LoopPlayer(Protocol):
    """Plays the clips of one loop or of several, on layers from 1. For the event loop's thread.

    Attributes:
        deliver: what plays.
        next: the clip that the player has been asked to start next, where a DAW must know of
            that with the loop's state; None: none.
        answers: whether it is there to play.
    """

    deliver: LoopDelivery

    @property
    def next(self) -> KnownClip | None: ...

    @property
    def answers(self) -> bool: ...

    def next_line(self, now_seconds: float) -> GridLine | None:
        """The next line of the grid at which a clip that is ready now can start."""

    async def enter(
        self,
        clips: Mapping[int, KnownClip | None],
        action: Play,
        is_wanted: Callable[[], bool],
    ) -> float | None:
        """Let clips enter together, as the action says; return once they are prepared.

        Args:
            clips: by layer; None: the layer stops.
            is_wanted: whether no other command has come since.

        Returns:
            The instant at which they enter; None: the next line of the grid.

        Raises:
            Cancelled: another command for the loop came meanwhile.
            BridgeError: they cannot be played; then nothing changes.
        """

    def silenced(self) -> None:
        """Take in that everything is to be silent."""

    def keep(self, layer: int) -> None:
        """Go on with what a layer plays; forget what was to come."""

    def stop(self, layer: int, *, at_once: bool) -> bool:
        """Stop a layer; return whether it counts as silent already."""


class OutputPlayer:
    """The daemon's output, which plays all loops."""

    deliver: LoopDelivery = "output"
    next: KnownClip | None = None
    answers = True

    def __init__(self, playback: Playback) -> None:
        self._playback = playback

    def next_line(self, now_seconds: float) -> GridLine | None:
        """As in `LoopPlayer`."""
        return self._playback.next_line(now_seconds)

    async def enter(
        self,
        clips: Mapping[int, KnownClip | None],
        action: Play,
        is_wanted: Callable[[], bool],
    ) -> float | None:
        """As in `LoopPlayer`."""
        playable = {
            layer - 1: None if clip is None else await asyncio.to_thread(read_clip, clip)
            for layer, clip in clips.items()
        }
        if not is_wanted():
            raise Cancelled(ANOTHER_CAME)
        return await self._playback.change(
            playable, line_seconds=action.line_seconds, at_bar=action.at_bar
        )

    def silenced(self) -> None:
        """As in `LoopPlayer`: the output is silent already."""

    def keep(self, layer: int) -> None:
        """As in `LoopPlayer`."""
        self._playback.keep(layer - 1)

    def stop(self, layer: int, *, at_once: bool) -> bool:
        """As in `LoopPlayer`."""
        self._playback.stop(layer - 1, at_once=at_once)
        return False


class LivePlayer:
    """A DAW that plays one loop: it reads what to do in the loop's state, and reports what it does.

    It has one layer, 0. The state is sent again and again, and so are the reports: a lost message
    delays them and breaks nothing.
    """

    deliver: LoopDelivery = "live"

    def __init__(
        self,
        clock: Callable[[], BeatClock],
        quantum: Quantum,
        *,
        changed: Callable[[], None],
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Args:
        clock: gives the clock that counts at this moment.
        quantum: the grid that a line is predicted from, until the DAW reports its own.
        changed: called when `next` has changed.
        now: gives the time, on the clock's scale.
        """
        self._clock, self._quantum = clock, quantum
        self._changed, self._now = changed, now
        self.next: KnownClip | None = None
        self._prepared: asyncio.Future[Line | None] | None = None
        self._reported_seconds = now()

    @property
    def answers(self) -> bool:
        """Whether the DAW has reported lately."""
        return self._now() - self._reported_seconds < SILENT_SECONDS

    def next_line(self, now_seconds: float) -> GridLine | None:
        """As in `LoopPlayer`; the DAW's own grid may be another."""
        return next_line(self._clock(), now_seconds + PLACING_SECONDS, self._quantum)

    async def enter(
        self,
        clips: Mapping[int, KnownClip | None],
        action: Play,
        is_wanted: Callable[[], bool],
    ) -> float | None:
        """As in `LoopPlayer`: returns once the DAW has launched the clip, and it waits to start."""
        if not is_wanted():
            raise Cancelled(ANOTHER_CAME)
        self._forget()
        (self.next,) = clips.values()
        prepared: asyncio.Future[Line | None] = asyncio.get_running_loop().create_future()
        self._prepared = prepared
        self._changed()
        line = await prepared
        return None if line is None else line.seconds

    def silenced(self) -> None:
        """As in `LoopPlayer`."""
        self._forget()

    def keep(self, layer: int) -> None:
        """As in `LoopPlayer`."""
        self._forget()

    def stop(self, layer: int, *, at_once: bool) -> bool:
        """As in `LoopPlayer`."""
        self._forget()
        return at_once

    def called(self) -> None:
        """Take in that the DAW's device has sent a command."""
        self._reported_seconds = self._now()

    def reported(self, clip: str | None, next: str | None, line: Line | None) -> None:
        """Take in what the DAW plays.

        Args:
            clip: the name of the clip that sounds; None: none does.
            next: the name of a clip that waits for its start, or that the DAW cannot play.
            line: where that starts; None: it cannot be played.
        """
        self.called()
        if self.next is None:
            return
        wanted = self.next.path.stem
        if clip == wanted:
            self._answer(None)
            self.next = None
        elif next == wanted and line is not None:
            self._answer(line)
        elif next == wanted:
            refusal = Unsupported(f"Live does not play {wanted}: the device says why")
            if self._prepared is not None and not self._prepared.done():
                self._prepared.set_exception(refusal)
            self.next = None

    def _answer(self, line: Line | None) -> None:
        if self._prepared is not None and not self._prepared.done():
            self._prepared.set_result(line)

    def _forget(self) -> None:
        """Forget what was to come."""
        self.next = None
        if self._prepared is not None and not self._prepared.done():
            self._prepared.set_exception(Cancelled(ANOTHER_CAME))
