"""The clips on disk: published when they are made, listed, and discarded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bridge.commands import ClipReady, Discard, Done
from bridge.daemon.bounded import Bounded
from bridge.daemon.requests import REMEMBERED, RequestRegistry
from bridge.delivery import History, KnownClip
from bridge.errors import BadArgument
from bridge.rendering.plan import RenderPlan
from bridge.rendering.render import RenderedClip

LISTED_CLIPS = 20
NO_SCORE = -1.0
"""The score of a clip that follows no melody."""


class ClipRegistry:
    """The clips of one folder. For the event loop's thread; other threads read and move files.

    Args:
        history: used by one thread at a time.
    """

    def __init__(self, requests: RequestRegistry, history: History) -> None:
        self._requests, self._history = requests, history
        self._files = asyncio.Lock()
        self._made: Bounded[str, Sequence[KnownClip]] = Bounded(REMEMBERED)
        self._listed: Bounded[str, Sequence[KnownClip]] = Bounded(REMEMBERED)
        self._discarded: Bounded[tuple[str, int | None], Done] = Bounded(REMEMBERED)

    async def add(
        self, request: str, plan: RenderPlan, clips: Sequence[RenderedClip]
    ) -> Sequence[KnownClip]:
        """Remember the clips that a request has written."""
        known = [
            KnownClip(
                path=clip.path,
                request=request,
                index=index,
                bars=clip.bars,
                tempo_bpm=plan.tempo_bpm,
                meter=plan.meter,
                seed=clip.seed,
                sample_rate=clip.sample_rate,
                melody_similarity=clip.melody_similarity,
            )
            for index, clip in enumerate(clips)
        ]
        async with self._files:
            self._history.add(known)
        self._made[request] = known
        return known

    async def list(self, request: str) -> None:
        """Publish the newest clips; this request's id and an index can then discard them."""
        async with self._files:
            clips = await asyncio.to_thread(self._history.newest, LISTED_CLIPS)
        self._listed[request] = clips
        self.publish(request, clips)

    def publish(self, request: str, clips: Sequence[KnownClip]) -> None:
        """Publish clips as the result of a request, and end it."""
        for index, clip in enumerate(clips):
            self._requests.publish(_event(request, index, len(clips), clip))
        self._requests.publish(Done(request, len(clips)))

    async def discard(self, command: Discard) -> Done:
        """Move clips to `Discarded`. A command that is sent again only gets the same answer again.

        Raises:
            UnknownId: that request has no clips.
            BadArgument: the request has no clip of that index, or the clips cannot be moved.
        """
        key = (command.id, command.index)
        async with self._files:
            if key not in self._discarded:
                count = await asyncio.to_thread(self._move, command)
                self._discarded[key] = Done(command.id, count)
            return self._discarded[key]

    def _move(self, command: Discard) -> int:
        """Move the clips, and return how many."""
        clips = self._made.get(command.id) or self._listed.get(command.id)
        if clips is None:
            # An earlier run of the daemon may have made them.
            return self._history.discard(command.id, command.index)
        index = command.index
        if index is not None and index >= len(clips):
            raise BadArgument(f"index {index}: {command.id!r} has {len(clips)} clips, from 0")
        return self._history.discard_clips(clips if index is None else [clips[index]])


def _event(request: str, index: int, count: int, clip: KnownClip) -> ClipReady:
    similarity = clip.melody_similarity
    return ClipReady(
        id=request,
        index=index,
        count=count,
        path=clip.path.as_posix(),
        bars=clip.bars,
        tempo_bpm=float(clip.tempo_bpm),
        seed=clip.seed,
        score=NO_SCORE if similarity is None else similarity,
        numerator=clip.meter.numerator,
        denominator=clip.meter.denominator,
        sample_rate=clip.sample_rate,
        name=clip.path.stem,
    )
