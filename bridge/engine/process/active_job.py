"""The job that the engine's process works on, and whether it makes progress."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.engine.process.job import Job
from bridge.engine.process.messages import WorkCounters
from bridge.engine.process.shared_audio import SharedAudio
from bridge.engine.separation import Work

CANCEL_PATIENCE = 3
"""On a CPU a cancelled request may run this many times longer: a prefill cannot be interrupted."""
COMPUTING_SHARE = 0.02
"""A process that uses this share of one processor is computing, however slowly. Its heartbeat alone
uses less than a tenth of that."""


@dataclass(eq=False)
class ActiveJob:
    """Lasts until the process is done with the job, or has ended. Times are `perf_counter`'s.

    Attributes:
        number: the job's number in the messages.
        work: the job's work, or the smaller one after the first did not fit the memory.
        audio: where the process writes the audio.
        progress_seconds: when progress was last seen.
        counters: the process's counters at that time.
        frames: how many frames of each variation are written.
        cancelled_seconds: when the job was cancelled.
    """

    job: Job
    number: int
    work: Work
    audio: SharedAudio
    progress_seconds: float
    counters: WorkCounters
    frames: int = 0
    cancelled_seconds: float | None = None

    def update(
        self, counters: WorkCounters, now_seconds: float, limit_seconds: float, *, on_cpu: bool
    ) -> None:
        """Note progress: a step was made, or the process computed for long enough."""
        # On the CPU a step may take longer than any limit. Waiting for a GPU uses no CPU time.
        used = counters.cpu_seconds - self.counters.cpu_seconds if on_cpu else 0.0
        if counters.steps != self.counters.steps or used >= COMPUTING_SHARE * limit_seconds:
            self.progress_seconds, self.counters = now_seconds, counters

    def why_stuck(
        self, now_seconds: float, judge_from_seconds: float, limit_seconds: float, *, on_cpu: bool
    ) -> str | None:
        """How the job hangs; None when it does not. Time before `judge_from_seconds` is ignored."""
        if now_seconds - max(self.progress_seconds, judge_from_seconds) >= limit_seconds:
            return f"made no step for {limit_seconds:g} s"
        # A step that computes ends by itself; the check above finds a step that does not.
        patience = limit_seconds * CANCEL_PATIENCE if on_cpu else limit_seconds
        cancelled = self.cancelled_seconds
        if cancelled is not None and now_seconds - max(cancelled, judge_from_seconds) >= patience:
            return f"did not stop a cancelled request for {patience:g} s"
        return None
