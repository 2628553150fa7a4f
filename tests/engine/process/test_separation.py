"""Separations in the engine's process: real Demucs with random weights, among real requests."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.engine import Request
from bridge.engine.process.supervisor import Supervisor
from bridge.engine.separation import Separation
from bridge.errors import Cancelled, CheckpointUnusable, EngineDied, Unsupported
from tests.engine.random_demucs import SEGMENT_SECONDS, write_weights
from tests.engine.recorder import PATIENCE_SECONDS, Recorder, supervised
from tests.processes import KILL

if sys.platform != "linux":
    pytest.skip("needs Linux to watch processes", allow_module_level=True)

RATE = 22_050
LONG_SEGMENTS = 300
"""Far more than are separated before a test cancels."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("hub")).parent


@pytest.fixture
def in_hub(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes that the test starts find the weights."""
    monkeypatch.setenv("HF_HUB_CACHE", str(hub))


def noise(seconds: float, channels: int = 2) -> Waveform:
    rng = np.random.default_rng(1)
    return Waveform(rng.uniform(-0.3, 0.3, (round(seconds * RATE), channels)).astype("f4"), RATE)


def run(test: Callable[[Supervisor, Recorder], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            supervised(**options) as (supervisor, recorder),
        ):
            await test(supervisor, recorder)

    asyncio.run(main())


def test_a_separation_is_done_in_its_turn_and_is_what_demucs_makes(in_hub: None, hub: Path) -> None:
    from bridge.engine.stems import _loaded, load_separator

    mix = noise(5.0)

    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        before = supervisor.submit(Request(seed=1))
        job = supervisor.submit(Separation(mix), recorder.share)
        after = supervisor.submit(Request(seed=2))
        result = await job.result()
        assert before.ended
        (melody,) = result.waveforms
        assert (melody.frames, melody.channels, melody.sample_rate) == (mix.frames, 1, RATE)
        (expected,) = [load_separator("cpu").melody_of(mix)]
        # Two processes may share the threads' work differently.
        np.testing.assert_allclose(melody.samples, expected.samples, atol=1e-4)
        assert recorder.shares == sorted(recorder.shares) and recorder.shares[-1] == 1
        assert ("busy", "separating the melody") in recorder.states
        assert len((await after.result()).waveforms) == 1
        assert recorder.states[-1] == ("ready", "stand-in on cpu")

    with pytest.MonkeyPatch.context() as patch:
        from huggingface_hub import constants

        patch.setattr(constants, "HF_HUB_CACHE", str(hub))
        _loaded.cache_clear()
        run(test)
        _loaded.cache_clear()


def test_a_cancelled_separation_ends_at_once_and_the_process_stays(in_hub: None) -> None:
    long = Separation(noise(SEGMENT_SECONDS * LONG_SEGMENTS, channels=1))

    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        job = supervisor.submit(long, recorder.share)
        await recorder.until(lambda: any(share > 0 for share in recorder.shares))
        pid = supervisor.pid
        job.cancel()
        with pytest.raises(Cancelled):
            await job.result()
        assert recorder.shares[-1] < 0.5
        assert len((await supervisor.submit(Request(seed=8)).result()).waveforms) == 1
        assert supervisor.pid == pid

    run(test)


def test_a_separation_whose_process_dies_fails_and_the_next_is_done(in_hub: None) -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        job = supervisor.submit(Separation(noise(SEGMENT_SECONDS * LONG_SEGMENTS)), recorder.share)
        await recorder.until(lambda: any(share > 0 for share in recorder.shares))
        assert supervisor.pid is not None
        os.kill(supervisor.pid, KILL)
        with pytest.raises(EngineDied):
            await job.result()
        (melody,) = (await supervisor.submit(Separation(noise(1.0))).result()).waveforms
        assert melody.frames == RATE

    run(test)


def test_what_is_missing_is_that_error_and_the_process_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("demucs.htdemucs", reason="the extra stems is not installed")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    async def without_weights(supervisor: Supervisor, recorder: Recorder) -> None:
        with pytest.raises(CheckpointUnusable, match="weights of htdemucs are not on this machine"):
            await supervisor.submit(Separation(noise(1.0))).result()
        assert len((await supervisor.submit(Request(seed=8)).result()).waveforms) == 1
        assert "restarting" not in recorder.names

    run(without_weights)
    (tmp_path / "demucs.py").write_text("raise ImportError('there is no Demucs here')\n")
    # A spawned process gets the path of this one.
    monkeypatch.syspath_prepend(tmp_path)

    async def without_demucs(supervisor: Supervisor, recorder: Recorder) -> None:
        with pytest.raises(Unsupported, match=r"there is no Demucs here.*melody-bridge\[stems\]"):
            await supervisor.submit(Separation(noise(1.0))).result()

    run(without_demucs)
