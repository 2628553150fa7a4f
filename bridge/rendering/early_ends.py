"""Pieces end as soon as they hold their clips: in a render, a batch and the daemon alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.clip import EarlyEnd
from bridge.rendering.plan import RenderPlan

if TYPE_CHECKING:
    from bridge.engine import Engine, Request
    from bridge.engine.process.remote_generator import RemoteGenerator


def early_ends(plan: RenderPlan) -> list[EarlyEnd]:
    """One a variation."""
    options = plan.options
    return [
        EarlyEnd(
            plan.bars,
            plan.tempo_bpm,
            plan.meter,
            plan.aligned.classes if plan.aligned is not None else None,
            plan.piece_seconds,
            takes_all=plan.continued is not None or not plan.bars,
        )
        for _ in range(options.variations)
    ]


def generated(
    engine: Engine | RemoteGenerator,
    requests: Sequence[Request],
    ends: Sequence[Sequence[EarlyEnd]],
    progress: Callable[[float], None],
) -> list[list[Waveform]]:
    """Generate what the clips of some requests need, a list a request.

    Args:
        ends: of each request, one a variation; they are settled by the end.
        progress: called with the share done.

    Raises:
        BadArgument, OutOfMemory, Unsupported: as from `Engine.generate`.
    """
    of_all = [end for of_request in ends for end in of_request]
    with _Listening(of_all) as listening:
        pieces = engine.generate(
            requests,
            progress=lambda share: progress(share_of_needed(of_all, share)),
            on_audio=listening,
        )
    return [
        beginnings(waveforms, of_request)
        for waveforms, of_request in zip(pieces, ends, strict=True)
    ]


def beginnings(waveforms: Sequence[Waveform], ends: Sequence[EarlyEnd]) -> list[Waveform]:
    """Of each piece what its clip needs."""
    return [
        Waveform(waveform.samples[: end.frames], waveform.sample_rate)
        for waveform, end in zip(waveforms, ends, strict=True)
    ]


def frames_to_come(ends: Sequence[EarlyEnd]) -> int | None:
    """Frames of the pieces that the next look needs, and after the last one all clips together.

    None: a clip needs all of its piece.
    """
    looks = [end.look_frames for end in ends if end.look_frames is not None]
    if looks:
        return min(looks)
    frames = [end.frames for end in ends if end.frames is not None]
    return max(frames) if len(frames) == len(ends) else None


def look(waveforms: Sequence[Waveform], ends: Sequence[EarlyEnd]) -> None:
    """Look wherever there is enough audio for it.

    Args:
        waveforms: the beginnings of the pieces.
    """
    for waveform, end in zip(waveforms, ends, strict=True):
        while end.look_frames is not None and end.look_frames <= waveform.frames:
            end.look(waveform)


def share_of_needed(ends: Sequence[EarlyEnd], share: float) -> float:
    """The share done of what the clips need, from the share done of the whole pieces."""
    needed = [
        1.0 if end.frames is None else end.frames / (end.piece_seconds * end.sample_rate)
        for end in ends
    ]
    return min(1.0, share / max(needed))


class _Listening:
    """Looks, in a thread, into the audio that an engine makes.

    Leaving the `with` block does the looks that are left, so that the clips do not depend on the
    time that looking takes; after an error it does none.
    """

    def __init__(self, ends: Sequence[EarlyEnd]) -> None:
        """
        Args:
            ends: one a variation, in the engine's order.
        """
        self._ends = ends
        self._audio: list[list[NDArray[np.float32]]] = [[] for _ in ends]
        self._looking: dict[int, Future[None]] = {}
        self._thread = ThreadPoolExecutor(1, "early-end")

    def __enter__(self) -> _Listening:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.shutdown(cancel_futures=error is not None)
        if error is None:
            for looking in self._looking.values():
                looking.result()
            look([self._waveform(number) for number in range(len(self._ends))], self._ends)

    def __call__(self, numbers: Sequence[int], audio: NDArray[np.float32]) -> bool:
        """Take in audio; return whether these variations have enough. The engine's `OnAudio`."""
        for number, samples in zip(numbers, audio, strict=True):
            self._audio[number].append(samples)
        # Each one is asked, as this begins its looks.
        enough = [self._has_enough(number) for number in numbers]
        return all(enough)

    def frames_to_come(self, numbers: Sequence[int]) -> int | None:
        """See `Listener`."""
        for number in numbers:
            if (looking := self._looking.get(number)) is not None:
                looking.result()
        return frames_to_come([self._ends[number] for number in numbers])

    def _has_enough(self, number: int) -> bool:
        """Whether a variation has enough; begins the next look where there is audio for it."""
        looking = self._looking.get(number)
        if looking is not None:
            if not looking.done():
                return False
            self._looking.pop(number).result()
        end, frames = self._ends[number], sum(part.shape[1] for part in self._audio[number])
        if end.look_frames is not None and end.look_frames <= frames:
            self._looking[number] = self._thread.submit(look, [self._waveform(number)], [end])
            return False
        return end.frames is not None and end.frames <= frames

    def _waveform(self, number: int) -> Waveform:
        samples = np.concatenate(self._audio[number], axis=1).T
        return Waveform(np.ascontiguousarray(samples), MODEL_SAMPLE_RATE)
