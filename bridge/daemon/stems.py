"""Melodies without drums and bass, which the engine's process separates."""

from __future__ import annotations

import asyncio
import time

from bridge.audio import Waveform
from bridge.daemon.engine_jobs import EngineJobs
from bridge.daemon.eta import UNKNOWN_SECONDS
from bridge.daemon.requests import RequestRegistry
from bridge.engine.separation import Separation
from bridge.errors import BridgeError
from bridge.events import Progress
from bridge.rendering.plan import RenderPlan
from bridge.rendering.stems import (
    MISSING,
    StemsCache,
    with_melody,
    without_stems,
)

SEPARATING_SHARE = 0.4
"""Share of a request's progress that separating takes, where there is something to separate."""
MISSING_SECONDS = 300.0
"""How long `auto` does not look for Demucs and its weights again, once they were missing: a clip is
waiting."""


class MelodyStems:
    """Separates the melodies of requests. For the event loop's thread; one request at a time."""

    def __init__(self, jobs: EngineJobs, requests: RequestRegistry) -> None:
        self._jobs, self._requests = jobs, requests
        self._cache = StemsCache()
        self._missing: BridgeError | None = None
        self._missing_seconds = 0.0

    async def applied(self, id: str, plan: RenderPlan) -> tuple[RenderPlan, float]:
        """The plan with its melody's stems, where it is a mix, as `rendering.stems.with_stems`.

        Returns:
            The plan, and the share of the request's progress that is done.

        Raises:
            Unsupported, CheckpointUnusable: stems are `on`, and Demucs or its weights are missing.
            SilentMelody: nothing is left without drums and bass.
            BridgeError: as `EngineJobs.result`.
        """
        mix = plan.mix
        if mix is None:
            return plan, 0.0
        melody = await asyncio.to_thread(self._cache.get, mix)
        done = 0.0
        if melody is None:
            missing = self._known_missing(plan)
            if missing is not None:
                return await asyncio.to_thread(without_stems, plan, mix, missing), done
            try:
                work = Separation(mix.waveform, may_fetch=plan.options.stems == "on")
                (melody,) = await self._separated(id, work)
            except MISSING as error:
                # Without the traceback, whose frames hold the audio.
                self._missing = error.with_traceback(None)
                self._missing_seconds = time.monotonic()
                return await asyncio.to_thread(without_stems, plan, mix, error), done
            done = SEPARATING_SHARE
            await asyncio.to_thread(self._cache.add, mix, melody)
        return await asyncio.to_thread(with_melody, plan, mix, melody), done

    def _known_missing(self, plan: RenderPlan) -> BridgeError | None:
        """Why `auto` cannot separate; None: it may, or was not tried lately."""
        is_recent = time.monotonic() - self._missing_seconds < MISSING_SECONDS
        return self._missing if is_recent and plan.options.stems == "auto" else None

    async def _separated(self, id: str, work: Separation) -> list[Waveform]:
        def on_progress(share: float) -> None:
            self._requests.publish(Progress(id, share * SEPARATING_SHARE, UNKNOWN_SECONDS))

        job = self._jobs.submit(work, on_progress)
        return (await self._jobs.result(id, job, on_progress)).waveforms
