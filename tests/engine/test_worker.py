"""The engine's process with a real model: it gives what the engine gives, and keeps its manners."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.child import Child, Heartbeat
from bridge.engine import Engine, Request
from bridge.engine.messages import (
    Begin,
    Cancel,
    Failed,
    Finished,
    Progressed,
    Pulse,
    Ready,
    Refused,
    Sounded,
)
from bridge.engine.supervisor import Supervisor
from bridge.engine.worker import NICENESS, run_engine
from bridge.errors import BadArgument, Cancelled, CheckpointUnusable, OutOfMemory, Unsupported
from tests.engine.stand_in import STEPS, stand_in
from tests.engine.told import PATIENCE_SECONDS, Told

LONG = Request(prompt="warm", seconds=30.0)


class Real:
    """A process with the tiny model, for several tests: loading takes seconds."""

    def __init__(self, folder: Path) -> None:
        self.told = Told()
        self.runner = asyncio.Runner()
        self.supervisor = self.runner.run(self._started(folder))

    async def _started(self, folder: Path) -> Supervisor:
        supervisor = Supervisor(str(folder), "cpu", self.told.state)
        supervisor.start()
        await self.told.until(lambda: supervisor.state == "ready")
        return supervisor

    def close(self) -> None:
        self.runner.run(self.supervisor.stop())
        self.runner.close()


@pytest.fixture(scope="module")
def real(stereo_folder: Path) -> Iterator[Real]:
    # One thread, as the engine of this process has: then sums round alike.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        real = Real(stereo_folder)
    yield real
    real.close()


def test_audio_is_bit_for_bit_that_of_the_engine(
    real: Real, stereo: Engine, melody: NDArray[np.float32]
) -> None:
    codes = np.ones((stereo.num_codebooks, 5), np.int64)
    requests = [
        Request(prompt="warm rhodes", melody=melody, seconds=0.5, seed=3, variations=2),
        Request(prompt=None, seconds=0.3, seed=2**63 - 2, top_k=0, temperature=0.7, top_p=0.9),
        Request(prompt="slow", seconds=0.3, do_sample=False, continue_from=codes),
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


def test_progress_rises_to_one_some_ten_times_a_second(real: Real) -> None:
    shares: list[float] = []

    async def main() -> float:
        began = time.perf_counter()
        await real.supervisor.submit(Request(prompt="fast", seconds=3.0), shares.append).result()
        return time.perf_counter() - began

    seconds = real.runner.run(main())
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.5
    assert shares[-1] == 1
    # The last step, and the end, are told besides.
    assert 3 <= len(shares) <= 10 * seconds + 3


def test_what_the_checkpoint_alone_can_tell_is_told(real: Real) -> None:
    async def main() -> None:
        with pytest.raises(BadArgument, match="codes to continue from"):
            await real.supervisor.submit(Request(continue_from=np.ones((3, 5), np.int64))).result()
        with pytest.raises(Unsupported, match="one window is 30 seconds"):
            await real.supervisor.submit(
                Request(seconds=29.99, continue_from=np.ones((8, 5), np.int64))
            ).result()

    real.runner.run(main())


def test_a_cancelled_request_is_left_within_a_step(real: Real) -> None:
    async def main() -> None:
        pid = real.supervisor.pid
        job = await real.told.until_at_work(real.supervisor, LONG)
        job.cancel()
        cancelled = time.perf_counter()
        await real.told.until(lambda: real.supervisor.state == "ready")
        # A step takes some milliseconds, the whole request as many seconds.
        assert time.perf_counter() - cancelled < 1
        with pytest.raises(Cancelled):
            await job.result()
        assert real.supervisor.pid == pid

    real.runner.run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="limits another process as Linux can")
def test_a_process_that_ran_out_of_memory_goes_on(real: Real, stereo: Engine) -> None:
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


def test_it_makes_way_for_the_audio_process(real: Real) -> None:
    pid = real.supervisor.pid
    assert pid is not None
    here = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(here + NICENESS, 19)


def test_a_model_that_is_not_there_is_refused_before_torch_is_loaded() -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            messages = await conversation(run_engine, "nowhere/at/all", "cpu")
        (refused,) = (message for message in messages if isinstance(message, Refused))
        assert isinstance(refused.error, CheckpointUnusable)
        assert "'nowhere/at/all': no such folder" in str(refused.error)
        assert refused.trace == ""
        (*_, last) = (message.status for message in messages if isinstance(message, Heartbeat))
        assert last.cpu_seconds < 1

    asyncio.run(main())


def test_what_the_process_says_of_a_request_in_order() -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            messages = await conversation(
                stand_in, "stand-in", "cpu", say=[Begin(7, Request(seed=3))], until=Finished(7)
            )
        pulses = [message.status for message in messages if isinstance(message, Heartbeat)]
        assert isinstance(pulses[0], Pulse)
        said = [message for message in messages if not isinstance(message, Heartbeat)]
        assert isinstance(said[0], Ready)
        assert said[-1] == Finished(7)
        shares = [message.share for message in said if isinstance(message, Progressed)]
        assert shares == sorted(shares) and shares[-1] == 1
        sounded = [message for message in said if isinstance(message, Sounded)]
        assert [message.number for message in sounded] == [7] * STEPS
        assert len(shares) + len(sounded) + 2 == len(said)

    asyncio.run(main())


def test_a_cancel_is_for_the_request_of_its_number() -> None:
    async def main() -> None:
        # The first is late: for one that has ended when the second is already asked for.
        said = [Begin(6, Request()), Begin(7, Request()), Cancel(6)]
        said += [Begin(8, Request(prompt="for ever")), Cancel(8)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            messages = await conversation(stand_in, "stand-in", "cpu", say=said, until=Failed)
        assert Finished(6) in messages and Finished(7) in messages
        (failed,) = (message for message in messages if isinstance(message, Failed))
        assert failed.number == 8
        assert isinstance(failed.error, Cancelled)
        assert failed.trace == ""

    asyncio.run(main())


def test_the_heartbeat_counts_steps_and_processor_time() -> None:
    async def main() -> list[Pulse]:
        pulses: list[Pulse] = []
        enough = asyncio.Event()

        def hear(message: Any) -> None:
            if isinstance(message, Ready):
                child.send(Begin(1, Request(prompt="for ever")))
            elif isinstance(message, Heartbeat):
                pulses.append(message.status)
                if len(pulses) == 4:
                    enough.set()

        child = Child(
            stand_in, "stand-in", "cpu", name="engine", on_message=hear, on_exit=lambda code: None
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            await enough.wait()
        child.kill()
        await child.wait()
        return pulses

    pulses = asyncio.run(main())
    assert pulses[-1].steps > pulses[-2].steps > 0
    assert pulses[-1].cpu_seconds > pulses[0].cpu_seconds > 0


async def conversation(
    target: Any,
    *arguments: Any,
    say: list[Any] | None = None,
    until: Any = None,
) -> list[Any]:
    """All that a process says, until it ends or has said something, or something of a class."""
    messages: list[Any] = []
    enough = asyncio.Event()

    def hear(message: Any) -> None:
        messages.append(message)
        if isinstance(message, until) if isinstance(until, type) else message == until:
            enough.set()

    child = Child(
        target, *arguments, name="engine", on_message=hear, on_exit=lambda code: enough.set()
    )
    for message in say or []:
        child.send(message)
    await enough.wait()
    child.kill()
    await child.wait()
    return messages
