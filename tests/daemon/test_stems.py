"""Where Demucs is missing, `auto` does not make each clip wait for another look; `on` looks again.

The engine's process is a real one, with a stand-in for the model.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
import soundfile

from bridge.config import merge
from bridge.daemon import stems
from bridge.daemon.engine_jobs import EngineJobs
from bridge.daemon.requests import RequestRegistry
from bridge.daemon.stems import MelodyStems
from bridge.engine.process.host import OnProgress
from bridge.engine.process.job import Job
from bridge.engine.separation import Work
from bridge.errors import Unsupported
from bridge.events import Event
from bridge.rendering.plan import RenderPlan, prepare
from tests.engine.recorder import PATIENCE_SECONDS, supervised
from tests.melody.test_mixture import hum_and_mix

if sys.platform != "linux":
    pytest.skip("needs Linux to watch processes", allow_module_level=True)


class CountingJobs(EngineJobs):
    """Counts what is submitted."""

    count = 0

    def submit(self, work: Work, on_progress: OnProgress, due_seconds: float | None = None) -> Job:
        self.count += 1
        return super().submit(work, on_progress, due_seconds)


def test_auto_looks_for_demucs_again_only_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = next(each for number in range(60) if (each := hum_and_mix(number, 0.0)) is not None)
    soundfile.write(tmp_path / "mix.wav", made[1].samples, made[1].sample_rate)
    (tmp_path / "demucs.py").write_text("raise ImportError('there is no Demucs here')\n")
    # A spawned process gets the path of this one.
    monkeypatch.syspath_prepend(tmp_path)

    def plan(when: str) -> RenderPlan:
        options = {"melody": str(tmp_path / "mix.wav"), "out": str(tmp_path), "bars": 1, "seed": 1}
        return prepare(merge(options, {"stems": when}))

    async def main() -> None:
        events: list[Event] = []
        async with asyncio.timeout(PATIENCE_SECONDS), supervised() as (supervisor, _):
            jobs = CountingJobs(supervisor, lambda id, remark: None)
            applied = MelodyStems(jobs, RequestRegistry(events.append)).applied
            first, done = await applied("me-1", plan("auto"))
            assert (jobs.count, done) == (1, 0.0)
            said = " ".join(first.remarks)
            assert "because stems need Demucs (there is no Demucs here)" in said
            second, _ = await applied("me-2", plan("auto"))
            assert jobs.count == 1 and second.remarks == first.remarks
            with pytest.raises(Unsupported, match="there is no Demucs here"):
                await applied("me-3", plan("on"))
            assert jobs.count == 2
            monkeypatch.setattr(stems, "MISSING_SECONDS", 0.0)
            await applied("me-4", plan("auto"))
            assert jobs.count == 3
        assert events == []

    asyncio.run(main())
