"""What the clips of a request need of its audio, taken while the engine makes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from bridge.clip import EarlyEnd
from bridge.engine.process.host import OnProgress
from bridge.engine.process.job import Job, Result
from bridge.rendering.early_ends import beginnings, frames_to_come, look


async def enough(job: Job, ends: Sequence[EarlyEnd], on_progress: OnProgress) -> Result:
    """What the clips need, as soon as it is there; the engine makes no more.

    Args:
        ends: one a variation.
        on_progress: called with 1 where the engine makes less than all.

    Raises:
        BridgeError: as from `Job.result`. The job has ended then too.
    """
    try:
        while (frames := frames_to_come(ends)) is not None:
            made = await job.beginning(frames)
            # There may be no memory for all variations.
            ends = ends[: len(made.waveforms)]
            if all(end.look_frames is None for end in ends):
                on_progress(1.0)
                break
            await asyncio.to_thread(look, made.waveforms, ends)
        else:
            made = await job.result()
    finally:
        job.cancel()
    return replace(made, waveforms=beginnings(made.waveforms, ends[: len(made.waveforms)]))
