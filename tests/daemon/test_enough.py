"""A piece that another engine takes over is looked at anew, before it becomes a clip."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.clip import EarlyEnd
from bridge.daemon.enough import enough
from bridge.engine.process.job import Job
from bridge.engine.request import Request
from bridge.timing import Meter
from tests.clip.material import scattered, stereo
from tests.clip.test_early_end import BARS, MELODY, PIECE_SECONDS, TEMPO_BPM, music

PATIENCE_SECONDS = 60.0


def end() -> EarlyEnd:
    return EarlyEnd(BARS, TEMPO_BPM, Meter(), MELODY, PIECE_SECONDS)


def read(samples: NDArray[np.float32], frames: int | None = None) -> list[Waveform]:
    return [Waveform(samples[:frames], MODEL_SAMPLE_RATE)]


async def settled(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[EarlyEnd, int]:
    """The early end of a job that is taken over after its first look, and the clip's frames."""
    looked, job = asyncio.Event(), Job(Request(), lambda share: None, lambda job: None)

    def begin(frames: int) -> list[Waveform]:
        loop.call_soon_threadsafe(looked.set)
        return read(first, frames)

    loop, found = asyncio.get_running_loop(), end()
    assert found.look_frames is not None
    job.set_written(found.look_frames, begin)
    waiting = asyncio.create_task(enough(job, [found], lambda share: None))
    await looked.wait()
    job.set_written(0, begin)
    job.finish(lambda: read(second))
    result = await waiting
    return found, result.waveforms[0].frames


def test_another_piece_is_looked_at_anew_and_the_same_one_is_not() -> None:
    one, other = music().samples, music(first_bar_seconds=0.3, seed=2).samples

    async def main() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            (alone, frames), (taken_over, other_frames) = (
                await settled(other, other),
                await settled(one, other),
            )
            assert (taken_over.grid, taken_over.frames) == (alone.grid, alone.frames)
            assert other_frames == frames
            before, _ = await settled(one, one)
            assert before.grid != alone.grid

    asyncio.run(main())


def test_a_clip_may_need_less_than_was_looked_at() -> None:
    """The first half of the piece has no pulse, and its last look finds one."""
    samples = stereo(scattered(PIECE_SECONDS, seed=1)).samples.copy()
    start = round(0.55 * len(samples))
    samples[start:] = music(seed=1).samples[start : len(samples)]
    alone, last_look = end(), 0
    while alone.look_frames is not None:
        last_look = alone.look_frames
        alone.look(Waveform(samples, MODEL_SAMPLE_RATE))
    assert alone.frames is not None and alone.frames < last_look

    async def main() -> None:
        job = Job(Request(), lambda share: None, lambda job: None)
        job.finish(lambda: read(samples))
        async with asyncio.timeout(PATIENCE_SECONDS):
            result = await enough(job, [end()], lambda share: None)
        assert result.waveforms[0].frames == alone.frames

    asyncio.run(main())
