"""What the clips of a request need of its audio, taken while the engine makes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bridge.audio import Waveform
from bridge.clip import EarlyEnd
from bridge.engine.process.host import OnProgress
from bridge.engine.process.job import Job, Result
from bridge.rendering.early_ends import beginnings, frames_to_come, look


async def enough(job: Job, ends: Sequence[EarlyEnd], on_progress: OnProgress) -> Result:
    """What the clips need, as soon as it is there; the engine makes no more.

    Another engine that takes over may make another piece: then it is looked at anew.

    Args:
        ends: one a variation; what an earlier attempt has found is forgotten.
        on_progress: called with 1 where the engine makes less than all.

    Raises:
        BridgeError: as from `Job.result`. The job has ended then too.
    """
    looked_at: Sequence[Waveform] = ()
    for end in ends:
        end.restart()
    made_ends = ends
    try:
        while True:
            frames = frames_to_come(made_ends)
            made = await (job.result() if frames is None else job.beginning(frames))
            # There may be no memory for all variations.
            made_ends = ends[: len(made.waveforms)]
            if not await asyncio.to_thread(_continue, made.waveforms, looked_at):
                looked_at = ()
                for end in ends:
                    end.restart()
                continue
            # The last look may show that a clip needs less than was looked at.
            if not looked_at or made.waveforms[0].frames > looked_at[0].frames:
                looked_at = made.waveforms
            if frames is None:
                break
            if all(end.look_frames is None for end in made_ends):
                on_progress(1.0)
                break
            await asyncio.to_thread(look, made.waveforms, made_ends)
    finally:
        job.cancel()
    return replace(made, waveforms=beginnings(made.waveforms, made_ends))


def _continue(waveforms: Sequence[Waveform], earlier: Sequence[Waveform]) -> bool:
    """Whether each waveform and its earlier one are beginnings of one piece, of any lengths."""
    return all(
        np.array_equal(now.samples[:frames], before.samples[:frames])
        for now, before in zip(waveforms, earlier, strict=False)
        for frames in (min(now.frames, before.frames),)
    )
