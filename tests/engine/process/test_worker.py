"""The engine's process with a real model: same audio as the engine, messages, cancels, priority."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.engine import Engine, Request
from bridge.engine.process.messages import (
    Begin,
    BufferOpened,
    Cancel,
    Failed,
    Finished,
    FramesWritten,
    Progressed,
    Ready,
    Refused,
    WorkCounters,
)
from bridge.engine.process.shared_audio import SharedAudio
from bridge.engine.process.supervisor import Supervisor
from bridge.engine.process.worker import NICENESS
from bridge.errors import BadArgument, Cancelled, CheckpointUnusable, OutOfMemory, Unsupported
from bridge.process.child import Child, Heartbeat
from tests.engine.process.stand_in import HOP, STEPS, engine_without_torch, stand_in
from tests.engine.recorder import PATIENCE_SECONDS, Recorder

LONG = Request(prompt="warm", seconds=30.0)
FREE_SECONDS = 5 * 0.05
"""Five times the 50 ms in which a cancel must free the engine."""


class RunningEngine:
    """A process with a model, shared by several tests: loading takes seconds."""

    def __init__(self, model: str) -> None:
        self.recorder = Recorder()
        self.runner = asyncio.Runner()
        self.supervisor = self.runner.run(self._started(model))

    async def _started(self, model: str) -> Supervisor:
        supervisor = Supervisor(model, "cpu", self.recorder.state)
        supervisor.start()
        await self.recorder.until(lambda: supervisor.state == "ready")
        return supervisor

    def close(self) -> None:
        self.runner.run(self.supervisor.stop())
        self.runner.close()


@pytest.fixture(scope="module")
def real(stereo_folder: Path) -> Iterator[RunningEngine]:
    """A process with the tiny stereo model."""
    # One thread, like the engine of this process, so that sums round alike.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        real = RunningEngine(str(stereo_folder))
    yield real
    real.close()


@pytest.fixture(scope="module")
def pocket() -> Iterator[RunningEngine]:
    """A process with the embedded checkpoint."""
    pocket = RunningEngine("pocket")
    yield pocket
    pocket.close()


@pytest.fixture
def audio() -> Iterator[SharedAudio]:
    """Room for the audio that the stand-in makes by default."""
    audio = SharedAudio.create((1, 2, 400 * HOP))
    yield audio
    audio.close()


def test_audio_is_bit_for_bit_the_same_as_the_engines(
    real: RunningEngine, stereo: Engine, melody: NDArray[np.float32]
) -> None:
    codes = np.ones((stereo.num_codebooks, 5), np.int64)
    sound = Waveform(np.full((3200, 2), 0.1, np.float32), 32_000)
    requests = [
        Request(prompt="warm rhodes", melody=melody, seconds=0.5, seed=3, variations=2),
        Request(prompt=None, seconds=0.3, seed=2**63 - 2, top_k=0, temperature=0.7, top_p=0.9),
        Request(prompt="slow", seconds=0.3, do_sample=False, continue_from=codes),
        Request(prompt="slow", seconds=0.3, continue_from=sound, overlap_steps=2),
    ]

    async def main() -> None:
        jobs = [real.supervisor.submit(request) for request in requests]
        for job, request in zip(jobs, requests, strict=True):
            result = await job.result()
            expected = stereo.generate(request)
            assert len(result.waveforms) == request.variations
            for waveform, other in zip(result.waveforms, expected, strict=True):
                assert np.array_equal(waveform.samples, other.samples)
                assert waveform.sample_rate == other.sample_rate

    real.runner.run(main())


def test_progress_rises_to_one_about_ten_times_a_second(real: RunningEngine) -> None:
    shares: list[float] = []

    async def main() -> float:
        began = time.perf_counter()
        await real.supervisor.submit(Request(prompt="fast", seconds=30.0), shares.append).result()
        return time.perf_counter() - began

    seconds = real.runner.run(main())
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.5
    assert shares[-1] == 1
    # The first and the last step, and the end, are reported besides.
    assert 3 <= len(shares) <= 10 * seconds + 3


def test_requests_that_do_not_fit_the_checkpoint_are_refused(real: RunningEngine) -> None:
    async def main() -> None:
        with pytest.raises(BadArgument, match="codes to continue from"):
            await real.supervisor.submit(Request(continue_from=np.ones((3, 5), np.int64))).result()
        with pytest.raises(Unsupported, match="at most 600 seconds"):
            await real.supervisor.submit(
                Request(seconds=599.99, continue_from=np.ones((8, 5), np.int64))
            ).result()

    real.runner.run(main())


def test_a_cancelled_request_frees_the_process(real: RunningEngine) -> None:
    async def main() -> None:
        pid = real.supervisor.pid
        job = await real.recorder.until_generating(real.supervisor, LONG)
        job.cancel()
        await real.recorder.until(lambda: real.supervisor.state == "ready")
        with pytest.raises(Cancelled):
            await job.result()
        assert real.supervisor.pid == pid

    real.runner.run(main())


def test_a_cancel_frees_the_engine_at_once_at_every_stage(pocket: RunningEngine) -> None:
    """While a new prompt's prefix is made, between chunks, late, and while memory is claimed."""
    if sys.platform != "linux":
        pytest.skip("needs Linux to measure another process")

    async def seconds_until_free(request: Request, *, after: float) -> float:
        """Cancel the request at that share done; 0: a moment after it was submitted."""
        recorder, supervisor = pocket.recorder, pocket.supervisor
        recorder.shares.clear()
        job = supervisor.submit(request, recorder.share)
        if after:
            await recorder.until(lambda: recorder.shares and recorder.shares[-1] >= after)
        else:
            # Long enough for the process to have received the request.
            await asyncio.sleep(0.01)
        # Its processor time, which other programs' load does not change.
        assert supervisor.pid is not None
        before = processor_seconds(supervisor.pid)
        job.cancel()
        await recorder.until(lambda: supervisor.state == "ready")
        return processor_seconds(supervisor.pid) - before

    async def main() -> list[float]:
        pid = pocket.supervisor.pid
        took = [
            await seconds_until_free(
                Request(prompt=f"bells {after} {time}", seconds=seconds), after=after
            )
            for seconds, after in ((8.0, 0), (8.0, 1e-3), (8.0, 0.1), (8.0, 0.9), (600.0, 0))
            for time in range(2)
        ]
        assert pocket.supervisor.pid == pid
        return took

    took = pocket.runner.run(main())
    assert sorted(took)[len(took) // 2] < FREE_SECONDS
    assert max(took) < 2 * FREE_SECONDS


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used so far, in steps of 10 ms."""
    if sys.platform != "linux":
        raise NotImplementedError("needs Linux")
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_a_process_that_ran_out_of_memory_still_works(real: RunningEngine, stereo: Engine) -> None:
    if sys.platform != "linux":
        pytest.skip("needs Linux to limit another process")
    import resource

    request = Request(prompt="warm", seconds=0.3)

    async def main() -> None:
        pid = real.supervisor.pid
        assert pid is not None
        before = resource.prlimit(pid, resource.RLIMIT_AS)
        used = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(pid, resource.RLIMIT_AS, (used, before[1]))
        try:
            with pytest.raises(OutOfMemory):
                await real.supervisor.submit(LONG).result()
        finally:
            resource.prlimit(pid, resource.RLIMIT_AS, before)
        (waveform,) = (await real.supervisor.submit(request).result()).waveforms
        assert np.array_equal(waveform.samples, stereo.generate(request)[0].samples)
        assert real.supervisor.pid == pid

    real.runner.run(main())


def test_the_process_has_a_lower_priority(real: RunningEngine) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has priority classes")
    pid = real.supervisor.pid
    assert pid is not None
    here = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(here + NICENESS, 19)


def test_a_missing_model_is_refused_before_torch_is_loaded() -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            messages = await conversation(engine_without_torch, "nowhere/at/all", "cpu")
        (refused,) = (message for message in messages if isinstance(message, Refused))
        assert isinstance(refused.error, CheckpointUnusable)
        assert "'nowhere/at/all': no such folder" in str(refused.error)
        assert refused.trace == ""

    asyncio.run(main())


def test_the_messages_of_a_request_come_in_order(audio: SharedAudio) -> None:
    async def main() -> None:
        begin = Begin(7, Request(seed=3), audio.ref)
        async with asyncio.timeout(PATIENCE_SECONDS):
            messages = await conversation(
                stand_in, "stand-in", "cpu", messages_to_send=[begin], until=Finished(7)
            )
        statuses = [message.status for message in messages if isinstance(message, Heartbeat)]
        assert isinstance(statuses[0], WorkCounters)
        received = [message for message in messages if not isinstance(message, Heartbeat)]
        assert isinstance(received[0], Ready)
        assert received[0].facts.shape(begin.work) == audio.ref.shape
        assert received[1] == BufferOpened(7)
        assert received[-1] == Finished(7)
        shares = [message.share for message in received if isinstance(message, Progressed)]
        assert shares == sorted(shares) and shares[-1] == 1
        written = [message for message in received if isinstance(message, FramesWritten)]
        frames = audio.ref.shape[2]
        assert written == [FramesWritten(7, frames * done // STEPS) for done in range(1, STEPS + 1)]
        assert len(shares) + len(written) + 3 == len(received)
        assert (audio.waveforms(32_000)[0].samples == np.float32(0.003)).all()

    asyncio.run(main())


def test_a_cancel_applies_only_to_the_request_of_its_number(audio: SharedAudio) -> None:
    async def main() -> None:
        ref = audio.ref
        # The first cancel is late: its request has been replaced by the second one.
        sent = [Begin(6, Request(), ref), Begin(7, Request(), ref), Cancel(6)]
        sent += [Begin(8, Request(prompt="for ever"), ref), Cancel(8)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            messages = await conversation(
                stand_in, "stand-in", "cpu", messages_to_send=sent, until=Failed
            )
        assert Finished(6) in messages and Finished(7) in messages
        (failed,) = (message for message in messages if isinstance(message, Failed))
        assert failed.number == 8
        assert isinstance(failed.error, Cancelled)
        assert failed.trace == ""

    asyncio.run(main())


def test_the_heartbeat_counts_steps_and_processor_time(audio: SharedAudio) -> None:
    async def main() -> list[WorkCounters]:
        statuses: list[WorkCounters] = []
        enough = asyncio.Event()

        def on_message(message: Any) -> None:
            if isinstance(message, Ready):
                child.send(Begin(1, Request(prompt="for ever"), audio.ref))
            elif isinstance(message, Heartbeat):
                statuses.append(message.status)
                if sum(status.steps > 0 for status in statuses) == 2:
                    enough.set()

        child = Child(
            stand_in,
            "stand-in",
            "cpu",
            name="engine",
            on_message=on_message,
            on_exit=lambda code: None,
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            await enough.wait()
        child.kill()
        await child.wait()
        return statuses

    statuses = asyncio.run(main())
    assert statuses[-1].steps > statuses[-2].steps > 0
    assert statuses[-1].cpu_seconds > statuses[0].cpu_seconds > 0


async def conversation(
    target: Any,
    *arguments: Any,
    messages_to_send: list[Any] | None = None,
    until: Any = None,
) -> list[Any]:
    """All messages of a process, until it ends or has sent `until`: a message, or its class."""
    messages: list[Any] = []
    enough = asyncio.Event()

    def on_message(message: Any) -> None:
        messages.append(message)
        if isinstance(message, until) if isinstance(until, type) else message == until:
            enough.set()

    child = Child(
        target, *arguments, name="engine", on_message=on_message, on_exit=lambda code: enough.set()
    )
    for message in messages_to_send or []:
        child.send(message)
    await enough.wait()
    child.kill()
    await child.wait()
    return messages
