"""The clips on disk: published when they are made, listed, kept, and discarded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from bridge.commands import Discard, Keep, Restore
from bridge.daemon.bounded import Bounded
from bridge.daemon.requests import MOST_ENDED, RequestRegistry
from bridge.delivery import History, KnownClip
from bridge.delivery.clip_files import MovedClip
from bridge.errors import BadArgument, UnknownId
from bridge.events import ClipMark, ClipMarked, ClipReady, Done, Remark
from bridge.rendering.plan import RenderPlan
from bridge.rendering.render import RenderedClip

LISTED_CLIPS = 20
Change = Keep | Discard | Restore
Answer = Sequence[ClipMarked | ClipReady | Remark | Done]
"""The events that answer a command."""
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
        self._made: Bounded[str, Sequence[KnownClip]] = Bounded(MOST_ENDED)
        self._listed: Bounded[str, Sequence[KnownClip]] = Bounded(MOST_ENDED)
        self._moved: Bounded[str, dict[int, MovedClip]] = Bounded(MOST_ENDED)
        self._answered: Bounded[str, dict[Discard | Restore, Answer]] = Bounded(MOST_ENDED)

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

    def has(self, request: str) -> bool:
        """Whether this daemon has made clips for that request."""
        return request in self._made

    async def find(self, request: str, index: int) -> KnownClip:
        """A clip of a request, or of a list of clips.

        Raises:
            UnknownId: that request has no clips.
            BadArgument: it has none of that index.
        """
        clips = self._made.get(request) or self._listed.get(request)
        if clips is None:
            # An earlier run of the daemon may have made it.
            async with self._files:
                return self._history.request_clips(request, index)[0]
        return _clip_at(request, clips, index)

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

    async def change(self, command: Change) -> Answer:
        """Keep clips, move them to `Discarded`, or back, and return the answer.

        A `Discard` or `Restore` that is sent again only gets the same answer again, until the
        opposite is done.

        Raises:
            UnknownId: that request has no clips, or no discarded ones.
            BadArgument: the request has no clip of that index, or all that it has are kept.
            NotWritable, DiskFull: the clips cannot be changed.
        """
        async with self._files:
            if isinstance(command, Keep):
                # A kept clip stays where it is: the next discard is another one.
                self._answered.pop(command.id, None)
                return self._amended(await asyncio.to_thread(self._keep, command))
            answered = self._answered.get(command.id, {})
            if command not in answered:
                answer = self._amended(await asyncio.to_thread(self._move, command))
                kept = {each: answered[each] for each in answered if type(each) is type(command)}
                answered = self._answered[command.id] = {**kept, command: answer}
            return answered[command]

    def _amended(self, answer: Answer) -> Answer:
        """The answer, after what a request replays is brought up to date with it."""
        for event in answer:
            if isinstance(event, ClipMarked | ClipReady):
                self._requests.amend(event)
        return answer

    def _chosen(self, id: str, index: int | None) -> dict[int, KnownClip]:
        """A request's clips, or those of a list of clips, by the index that they have there.

        Raises:
            UnknownId: that request has no clips.
            BadArgument: it has none of that index.
        """
        clips = self._made.get(id) or self._listed.get(id)
        if clips is None:
            # An earlier run of the daemon may have made them.
            return {clip.index: clip for clip in self._history.request_clips(id, index)}
        if index is not None:
            return {index: _clip_at(id, clips, index)}
        return dict(enumerate(clips))

    def _keep(self, command: Keep) -> Answer:
        chosen = self._chosen(command.id, command.index)
        marked = {
            clip.path for clip in self._history.mark_kept([*chosen.values()], command.is_kept)
        }
        if not marked:
            raise UnknownId(f"no clip of {command.id!r} is in the clips folder any more")
        mark: ClipMark = "kept" if command.is_kept else "none"
        return _marked(
            command.id, mark, {each: chosen[each] for each in chosen if chosen[each].path in marked}
        )

    def _move(self, command: Discard | Restore) -> Answer:
        return self._discard(command) if isinstance(command, Discard) else self._restore(command)

    def _discard(self, command: Discard) -> Answer:
        chosen = self._chosen(command.id, command.index)
        moved = {each.clip.path: each for each in self._history.discard([*chosen.values()])}
        gone = {each: chosen[each] for each in chosen if chosen[each].path in moved}
        by_index = {each: moved[gone[each].path] for each in gone}
        self._moved[command.id] = {**self._moved.get(command.id, {}), **by_index}
        stay = [each for each in chosen if each not in gone and chosen[each].path.exists()]
        remarks = [
            Remark(command.id, f"clip {each} is kept, and stays: /bridge/unkeep lets it go")
            for each in stay
        ]
        return [*remarks, *_marked(command.id, "discarded", gone)]

    def _restore(self, command: Restore) -> Answer:
        id, index = command.id, command.index
        moved = self._moved.get(id, {})
        if index in moved:
            chosen = {index: moved[index]}
        elif index is None and moved:
            chosen = moved
        else:
            # An earlier run of the daemon may have discarded them.
            found = self._history.discarded(id, index)
            chosen = {each.clip.index: each for each in found}
        events: list[ClipReady | Done] = []
        # The best clip last: it is then the newest in the history, as after it was made.
        for each in sorted(chosen, reverse=True):
            for clip in self._history.restore([chosen[each]]):
                for registry in (self._made, self._listed):
                    if id in registry and each < len(registry[id]):
                        registry[id] = _with(registry[id], each, clip)
                count = len(self._made.get(id) or self._listed.get(id) or chosen)
                events.append(_event(id, each, max(count, each + 1), clip))
        self._moved[id] = {each: moved[each] for each in moved if each not in chosen}
        return [*reversed(events), Done(id, len(events))]


def _clip_at(request: str, clips: Sequence[KnownClip], index: int) -> KnownClip:
    if index >= len(clips):
        raise BadArgument(f"index {index}: {request!r} has {len(clips)} clips, from 0")
    return clips[index]


def _marked(request: str, mark: ClipMark, clips: Mapping[int, KnownClip]) -> Answer:
    events = [ClipMarked(request, each, mark, clips[each].path.as_posix()) for each in clips]
    return [*events, Done(request, len(events))]


def _with(clips: Sequence[KnownClip], index: int, clip: KnownClip) -> Sequence[KnownClip]:
    """The clips with another one at that index."""
    return [*clips[:index], clip, *clips[index + 1 :]]


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
        mark="kept" if clip.is_kept else "none",
    )
