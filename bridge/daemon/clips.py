"""The clips on disk: published when they are made, listed, and discarded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from bridge.commands import ClipReady, Discard, Done
from bridge.daemon.requests import REMEMBERED, RequestRegistry
from bridge.delivery import History, KnownClip
from bridge.errors import BadArgument
from bridge.rendering.plan import RenderPlan
from bridge.rendering.render import RenderedClip

LISTED_CLIPS = 20
NO_SCORE = -1.0

Key = TypeVar("Key")
Value = TypeVar("Value")


class ClipRegistry:
    """The clips of one folder. For the event loop's thread; other threads read and move files.

    Args:
        history: used by one thread at a time.
    """

    def __init__(self, requests: RequestRegistry, history: History) -> None:
        self._requests, self._history = requests, history
        self._files = asyncio.Lock()
        self._made: dict[str, Sequence[KnownClip]] = {}
        self._listed: dict[str, Sequence[KnownClip]] = {}
        self._discarded: dict[tuple[str, int | None], Done] = {}

    async def add(
        self, request: str, plan: RenderPlan, clips: Sequence[RenderedClip]
    ) -> Sequence[KnownClip]:
        """Remember what a request has made and written."""
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
        _remember(self._made, request, known)
        return known

    async def list(self, request: str) -> None:
        """Publish the newest clips; this request's id and an index can then discard them."""
        async with self._files:
            clips = await asyncio.to_thread(self._history.newest, LISTED_CLIPS)
        _remember(self._listed, request, clips)
        self.publish(request, clips)

    def publish(self, request: str, clips: Sequence[KnownClip]) -> None:
        """Publish clips as the result of a request, and end it."""
        for index, clip in enumerate(clips):
            self._requests.publish(_event(request, index, len(clips), clip))
        self._requests.publish(Done(request, len(clips)))

    async def discard(self, command: Discard) -> Done:
        """Move clips to `Discarded`, once however often a client asks.

        Raises:
            UnknownId: that request has no clips.
            BadArgument: it has none of that index, or they cannot be moved.
        """
        asked = (command.id, command.index)
        async with self._files:
            if asked not in self._discarded:
                moved = await asyncio.to_thread(self._moved, command)
                _remember(self._discarded, asked, Done(command.id, moved))
        return self._discarded[asked]

    def _moved(self, command: Discard) -> int:
        clips = self._made.get(command.id) or self._listed.get(command.id)
        if clips is None:
            # Of an earlier run of the daemon.
            return self._history.discard(command.id, command.index)
        index = command.index
        if index is not None and index >= len(clips):
            raise BadArgument(f"index {index}: {command.id!r} has {len(clips)} clips, from 0")
        return self._history.discard_clips(clips if index is None else [clips[index]])


def _remember(book: dict[Key, Value], key: Key, value: Value) -> None:
    """Keep a value, and drop the oldest beyond `REMEMBERED`."""
    book[key] = value
    if len(book) > REMEMBERED:
        del book[next(iter(book))]


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
