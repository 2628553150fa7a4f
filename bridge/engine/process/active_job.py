"""The job that the engine's process has now, and whether it gets on with it."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.engine.process.job import Job
from bridge.engine.process.messages import WorkCounters
from bridge.engine.process.shared_audio import SharedAudio
from bridge.engine.request import Request

CANCEL_PATIENCE = 3
"""Times as long may a request that was cancelled go on on a CPU, where a prefill is one step."""
COMPUTING_SHARE = 0.02
"""A process that uses this much of one processor computes, however slowly; its heartbeat alone
takes less than a tenth of that."""


@dataclass(eq=False)
class ActiveJob:
    """It lasts until the process has left the job, or has ended. Times are `perf_counter`'s.

    Attributes:
        number: what the process knows it by.
        request: the job's, or the smaller one that is tried after it did not fit the memory.
        sound: where the process puts the audio.
        moved_seconds: when it was last seen to get on.
        pulse: of that time.
        frames: how many of each variation are there.
        cancelled_seconds: when it was cancelled.
    """

    job: Job
    number: int
    request: Request
    sound: SharedAudio
    moved_seconds: float
    pulse: WorkCounters
    frames: int = 0
    cancelled_seconds: float | None = None

    def felt(
        self, pulse: WorkCounters, now_seconds: float, limit_seconds: float, *, on_cpu: bool
    ) -> None:
        """See whether it has got on: made a step, or computed for long enough."""
        # On the CPU a step may take longer than any limit; what waits on a GPU uses none of it.
        used = pulse.cpu_seconds - self.pulse.cpu_seconds if on_cpu else 0.0
        if pulse.steps != self.pulse.steps or used >= COMPUTING_SHARE * limit_seconds:
            self.moved_seconds, self.pulse = now_seconds, pulse

    def why_stuck(
        self, now_seconds: float, fair_from: float, limit_seconds: float, *, on_cpu: bool
    ) -> str | None:
        """How it stands still; None when it does not. Nothing before `fair_from` is judged."""
        if now_seconds - max(self.moved_seconds, fair_from) >= limit_seconds:
            return f"made no step for {limit_seconds:g} s"
        # A step that computes is left when it is done; what makes no step was found above.
        patience = limit_seconds * CANCEL_PATIENCE if on_cpu else limit_seconds
        cancelled = self.cancelled_seconds
        if cancelled is not None and now_seconds - max(cancelled, fair_from) >= patience:
            return f"did not leave a cancelled request for {patience:g} s"
        return None
