"""The supervisor: it does one request at a time, and replaces a process that fails.

The process is a real one; its engine is a stand-in that fails on purpose.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bridge.engine import Request
from bridge.engine.process.job import Job, Result
from bridge.engine.process.supervisor import DEATHS_IN_A_ROW, LOADING_PATIENCE, Supervisor
from bridge.errors import (
    BridgeError,
    Cancelled,
    CheckpointUnusable,
    EngineDied,
    EngineFailed,
    EngineHung,
    OutOfMemory,
    QueueFull,
    Unsupported,
)
from tests.engine.process import stand_in
from tests.engine.recorder import PATIENCE_SECONDS, Recorder, supervised
from tests.processes import has_ended, no_more_files, stop, watched

if sys.platform != "linux":
    pytest.skip("needs Linux to watch processes", allow_module_level=True)

HUNG_SECONDS = 2.0
"""In place of 10; long enough for some heartbeats, even on a busy machine."""
SOON_SECONDS = 5.0
"""Five times the one second in which a request must report its end."""

FOR_EVER = Request(prompt="for ever")


@pytest.fixture
def memory_prefix(monkeypatch: pytest.MonkeyPatch) -> str:
    """The prefix of the names of a test's shared memory; a number from 1 on follows."""
    numbers = count(1)
    monkeypatch.setattr("secrets.token_hex", lambda size: f"test{os.getpid()}-{next(numbers)}")
    return f"melody-test{os.getpid()}-"


def open_files() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def run(test: Callable[[Supervisor, Recorder], Awaitable[None]], **options: Any) -> None:
    """Run a test with its own supervisor."""

    async def main() -> None:
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            supervised(**options) as (supervisor, recorder),
        ):
            await test(supervisor, recorder)

    asyncio.run(main())


def values(result: Result, seconds: float = Request().seconds) -> list[float]:
    """The value of each variation: the stand-in gives all its samples the same one."""
    for waveform in result.waveforms:
        assert waveform.samples.shape == (round(seconds * waveform.sample_rate), 2)
        assert (waveform.samples == waveform.samples[0, 0]).all()
    return [round(float(waveform.samples[0, 0]) * 1000) for waveform in result.waveforms]


def test_it_reports_its_state_and_facts() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        assert supervisor.facts is None
        await recorder.until(lambda: supervisor.state == "ready")
        assert supervisor.facts is not None
        assert (supervisor.facts.model_name, supervisor.facts.device) == ("stand-in", "cpu")
        assert supervisor.pid not in (None, os.getpid())
        await supervisor.submit(Request(), recorder.share).result()
        assert recorder.states == [
            ("loading", "loading stand-in"),
            ("ready", "stand-in on cpu"),
            ("busy", "stand-in on cpu"),
            ("ready", "stand-in on cpu"),
        ]
        assert supervisor.detail == "stand-in on cpu"

    run(test)


def test_requests_wait_for_the_model_and_are_done_in_order() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        begun: list[int] = []

        async def one(seed: int) -> None:
            def progressed(share: float) -> None:
                if seed not in begun:
                    begun.append(seed)

            # The order of progress, not of results: each result is copied in its own thread.
            request = Request(seed=seed, variations=2)
            result = await supervisor.submit(request, progressed).result()
            assert values(result) == [seed, seed + 1]
            assert result.remarks == ()

        async with asyncio.TaskGroup() as group:
            for seed in (5, 3, 4):
                group.create_task(one(seed))
            group.create_task(recorder.until(lambda: supervisor.state == "busy"))
        assert begun == [5, 3, 4]
        # It stays busy between two requests.
        assert recorder.names == ["loading", "busy", "ready"]

    run(test)


def test_the_error_of_a_full_queue_says_how_many_wait() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        await recorder.until_generating(supervisor, FOR_EVER)
        waiting = [supervisor.submit(Request()) for _ in range(3)]
        assert supervisor.waiting == 3
        with pytest.raises(QueueFull, match="3 requests are waiting"):
            supervisor.submit(Request())
        waiting[1].cancel()
        assert supervisor.waiting == 2
        supervisor.submit(Request())

    run(test, queue_size=3)


def test_a_cancelled_request_ends_at_once_and_later_requests_are_done() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        running = await recorder.until_generating(supervisor, FOR_EVER)
        pid = supervisor.pid
        waiting, last = supervisor.submit(Request(seed=1)), supervisor.submit(Request(seed=2))
        # Progress messages arrive meanwhile; none may be passed on after the end.
        block_the_loop(0.3)
        reported = len(recorder.shares)
        waiting.cancel()
        running.cancel()
        running.cancel()
        assert running.ended and waiting.ended
        for job in (running, waiting):
            with pytest.raises(Cancelled):
                await job.result()
        assert values(await last.result()) == [2]
        assert len(recorder.shares) == reported
        assert supervisor.pid == pid
        # A job that has ended stays as it is.
        last.cancel()
        assert values(await last.result()) == [2]

    run(test)


def test_the_beginning_of_a_request_comes_before_its_end() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        job = await recorder.until_generating(supervisor, replace(FOR_EVER, seed=4, variations=2))
        frames = round(FOR_EVER.seconds * 32_000 / 2)
        assert values(await job.beginning(frames), frames / 32_000) == [4, 5]
        assert not job.ended
        # It has enough, and gives the rest up.
        more = asyncio.ensure_future(job.beginning(frames + 1))
        job.cancel()
        with pytest.raises(Cancelled):
            await more
        whole = supervisor.submit(Request(seed=6))
        assert values(await whole.result()) == [6]
        assert values(await whole.beginning(100), 100 / 32_000) == [6]
        assert values(await whole.beginning(10**9)) == [6]

    run(test)


def test_where_fewer_variations_fit_the_beginning_has_these() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        job = supervisor.submit(Request(prompt="greedy", seed=1, variations=4))
        frames = round(Request().seconds * 32_000)
        made = await job.beginning(frames)
        assert values(made) == [1, 2] and "2 of 4" in made.remarks[0]

    run(test)


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_a_killed_process_is_reported_at_once_and_replaced(device: str) -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        running = await recorder.until_generating(supervisor, FOR_EVER)
        waiting = supervisor.submit(Request(seed=8))
        pid = supervisor.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        killed = time.perf_counter()
        with pytest.raises(EngineDied, match="SIGKILL"):
            await running.result()
        assert time.perf_counter() - killed < SOON_SECONDS
        assert values(await waiting.result()) == [8]
        assert supervisor.pid not in (None, pid)
        assert recorder.names == ["loading", "busy", "restarting", "busy", "ready"]
        assert "SIGKILL" in recorder.states[2][1]

    run(test, device=device)


def test_the_error_of_a_process_that_exits_has_its_status() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        with pytest.raises(EngineDied, match="status 3"):
            await supervisor.submit(Request(prompt="exit")).result()
        assert values(await supervisor.submit(Request(seed=8)).result()) == [8]

    run(test)


def test_an_idle_process_that_dies_repeatedly_fails_no_request() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        for _ in range(DEATHS_IN_A_ROW + 1):
            await recorder.until(lambda: supervisor.state == "ready")
            assert supervisor.pid is not None
            os.kill(supervisor.pid, signal.SIGKILL)
            await recorder.until(lambda: supervisor.state == "restarting")
        assert values(await supervisor.submit(Request(seed=8)).result()) == [8]

    run(test)


def test_a_process_that_always_dies_is_given_up_until_a_later_request() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        job = supervisor.submit(Request())
        with pytest.raises(EngineDied, match="SIGSEGV, 3 times"):
            await job.result()
        assert recorder.names == ["loading", "restarting", "failed"]
        assert supervisor.pid is None
        with pytest.raises(EngineDied, match="SIGSEGV, 3 times"):
            supervisor.submit(Request())
        job = await accepted(supervisor, Request())
        assert supervisor.state == "loading"
        with pytest.raises(EngineDied, match="SIGSEGV, 3 times"):
            await job.result()

    run(test, target=stand_in.dies_loading)


def test_two_deaths_are_not_given_up(tmp_path: Path) -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        assert values(await supervisor.submit(Request(seed=8)).result()) == [8]
        assert recorder.names == ["loading", "restarting", "busy", "ready"]

    run(test, target=stand_in.dies_twice, model=str(tmp_path / "count"))


def test_an_unusable_model_is_reported_and_tried_again_later(tmp_path: Path) -> None:
    model = tmp_path / "model"

    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        with pytest.raises(CheckpointUnusable, match="no such folder"):
            await supervisor.submit(Request()).result()
        # It is not tried twice at once: the process refused the model, and did not die.
        assert recorder.states == [
            ("loading", f"loading {model}"),
            ("failed", f"model '{model}': no such folder"),
        ]
        with pytest.raises(CheckpointUnusable, match="no such folder"):
            supervisor.submit(Request())
        model.touch()
        job = await accepted(supervisor, Request(seed=8))
        assert values(await job.result()) == [8]

    run(test, target=stand_in.refuses, model=str(model))


def test_a_defect_in_loading_is_reported_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        with pytest.raises(
            EngineFailed, match=r"could not be loaded \(ZeroDivisionError: unexpected\)"
        ):
            await supervisor.submit(Request()).result()
        assert recorder.names == ["loading", "failed"]

    with caplog.at_level(logging.ERROR):
        run(test, target=stand_in.is_defect)
    assert 'raise ZeroDivisionError("unexpected")' in caplog.text


def test_a_process_that_cannot_be_started_is_reported_and_tried_again_later() -> None:
    async def main() -> None:
        recorder = Recorder()
        supervisor = Supervisor("stand-in", "cpu", recorder.state, target=stand_in.stand_in)
        try:
            with no_more_files():
                supervisor.start()
                assert supervisor.state == "failed"
                with pytest.raises(EngineDied, match="cannot be started"):
                    supervisor.submit(Request())
            job = await accepted(supervisor, Request(seed=8))
            assert values(await job.result()) == [8]
        finally:
            await supervisor.stop()

    asyncio.run(main())


@pytest.mark.parametrize(("requested", "expected"), [(3, 1), (4, 2), (5, 2)])
def test_out_of_memory_is_tried_once_with_half_the_variations(
    requested: int, expected: int
) -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        request = Request(prompt="greedy", seed=6, variations=requested)
        job = supervisor.submit(request)
        result = await job.result()
        assert values(result) == [6, 7][:expected]
        (remark,) = result.remarks
        assert remark.startswith(f"{expected} of {requested} variations: ")
        assert job.work is request

    run(test)


def test_out_of_memory_at_the_second_try_fails_the_request() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        with pytest.raises(OutOfMemory, match="ask for less"):
            await supervisor.submit(
                Request(prompt="greedy", variations=6), on_progress=recorder.share
            ).result()
        pid = supervisor.pid
        # One variation cannot be halved. Out of memory is no defect, so the process stays.
        with pytest.raises(OutOfMemory):
            await supervisor.submit(Request(prompt="no memory to join")).result()
        assert values(await supervisor.submit(Request(seed=8)).result()) == [8]
        assert supervisor.pid == pid

    run(test, device="cuda:0")


def test_too_little_shared_memory_fails_only_the_request() -> None:
    system = os.statvfs("/dev/shm")
    variation_bytes = 600 * 32_000 * 2 * 4
    variations = 4 * system.f_frsize * system.f_blocks // variation_bytes

    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        job = supervisor.submit(Request(seconds=600.0, variations=variations))
        with pytest.raises(OutOfMemory, match=r"no room in shared memory for .*: ask for less"):
            await job.result()
        assert values(await supervisor.submit(Request(seed=8)).result()) == [8]
        assert "restarting" not in recorder.names

    run(test)


def test_too_many_open_files_fails_only_the_requests() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        await recorder.until(lambda: supervisor.state == "ready")
        with no_more_files():
            jobs = [supervisor.submit(Request(variations=2)) for _ in range(2)]
        for job in jobs:
            with pytest.raises(OutOfMemory, match="Too many open files"):
                await job.result()
        assert values(await supervisor.submit(Request(seed=8)).result()) == [8]
        assert recorder.names == ["loading", "ready", "busy", "ready"]

    run(test)


def test_incomplete_audio_is_a_defect() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        with pytest.raises(EngineFailed, match="243200 of 256000 frames were made"):
            await supervisor.submit(Request(prompt="too short")).result()
        assert values(await supervisor.submit(Request(seed=8)).result()) == [8]

    run(test)


def test_shared_memory_has_no_name_once_both_processes_have_opened_it(memory_prefix: str) -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        job = await recorder.until_generating(supervisor, FOR_EVER)
        for process in ("self", supervisor.pid):
            mapped = Path(f"/proc/{process}/maps").read_text()
            assert [
                line.split(maxsplit=5)[5] for line in mapped.splitlines() if memory_prefix in line
            ] == [f"/dev/shm/{memory_prefix}1 (deleted)"]
        job.cancel()

    run(test)


def test_a_process_killed_before_it_opens_the_memory_leaves_none(memory_prefix: str) -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        await recorder.until(lambda: supervisor.state == "ready")
        assert supervisor.pid is not None
        stop(supervisor.pid)
        job = supervisor.submit(Request())
        assert list(Path("/dev/shm").glob(f"{memory_prefix}*")) != []
        os.kill(supervisor.pid, signal.SIGKILL)
        with pytest.raises(EngineDied):
            await job.result()
        assert list(Path("/dev/shm").glob(f"{memory_prefix}*")) == []

    run(test)


def test_fifty_requests_leave_no_memory_and_no_files_however_they_end(memory_prefix: str) -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        async def ten() -> None:
            """Some succeed, one is tried again, some are cancelled, and one is killed."""
            jobs = [supervisor.submit(Request(seed=seed)) for seed in range(3)]
            jobs += [supervisor.submit(Request(prompt="greedy", variations=3))]
            for job in jobs:
                await job.result()
            for _ in range(2):
                running = await recorder.until_generating(supervisor, FOR_EVER)
                waiting = supervisor.submit(Request())
                waiting.cancel()
                running.cancel()
            with pytest.raises(Unsupported):
                await supervisor.submit(Request(prompt="unsupported")).result()
            killed = await recorder.until_generating(supervisor, FOR_EVER)
            assert supervisor.pid is not None
            os.kill(supervisor.pid, signal.SIGKILL)
            with pytest.raises(EngineDied):
                await killed.result()
            await recorder.until(lambda: supervisor.state == "ready")

        await ten()
        before = open_files()
        for _ in range(5):
            await ten()
        assert open_files() == before
        assert memory_prefix not in Path("/proc/self/maps").read_text()
        assert list(Path("/dev/shm").glob(f"{memory_prefix}*")) == []

    run(test)


def test_an_error_of_the_request_arrives_unchanged() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        with pytest.raises(Unsupported) as raised:
            await supervisor.submit(Request(prompt="unsupported")).result()
        assert str(raised.value) == "not in this version"
        assert values(await supervisor.submit(Request(seed=8)).result()) == [8]
        assert recorder.names == ["loading", "busy", "ready", "busy", "ready"]

    run(test)


def test_a_nan_of_the_model_is_a_defect_and_no_mistake_of_the_user() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        failing, next_one = (
            supervisor.submit(Request(prompt=name, seed=8)) for name in ("nan", "")
        )
        with pytest.raises(EngineFailed, match="NaN") as failure:
            await failing.result()
        assert failure.value.code == "internal"
        assert values(await next_one.result()) == [8]

    run(test)


def test_a_request_that_goes_first_is_generated_before_those_that_wait() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        running = await recorder.until_generating(supervisor, FOR_EVER)
        begun: list[int] = []

        def submitted(seed: int, *, first: bool = False) -> Job:
            def progressed(share: float) -> None:
                if seed not in begun:
                    begun.append(seed)

            # The order of progress, not of results: each result is copied in its own thread.
            return supervisor.submit(Request(seed=seed), progressed, first=first)

        jobs = [submitted(2), submitted(3), submitted(1, first=True)]
        running.cancel()
        for job in jobs:
            await job.result()
        assert begun == [1, 2, 3]

    run(test)


@pytest.mark.parametrize(("device", "replaced"), [("cpu", False), ("cuda:0", True)])
def test_a_defect_fails_the_request_and_on_a_gpu_also_ends_the_process(
    device: str, replaced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        await recorder.until(lambda: supervisor.state == "ready")
        pid = supervisor.pid
        failing = supervisor.submit(Request(prompt="defect"))
        waiting = supervisor.submit(Request(seed=8))
        with pytest.raises(EngineFailed, match=r"\(ZeroDivisionError: unexpected\)"):
            await failing.result()
        assert values(await waiting.result()) == [8]
        assert (supervisor.pid != pid) == replaced
        assert ("restarting" in recorder.names) == replaced

    with caplog.at_level(logging.ERROR):
        run(test, device=device)
    assert "and more of it" in caplog.text


@pytest.mark.parametrize("prompt", ["deadlock", "hold the lock"])
def test_a_hung_process_is_replaced(prompt: str) -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        hanging, waiting = (
            supervisor.submit(Request(prompt=prompt)),
            supervisor.submit(Request(seed=8)),
        )
        with pytest.raises(EngineHung, match=f"for {HUNG_SECONDS:g} s"):
            await hanging.result()
        assert values(await waiting.result()) == [8]
        assert recorder.names == ["loading", "busy", "restarting", "busy", "ready"]

    run(test, hung_seconds=HUNG_SECONDS)


def test_a_stopped_process_is_killed_and_replaced() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        await recorder.until(lambda: supervisor.state == "ready")
        assert supervisor.pid is not None
        with watched(supervisor.pid) as process:
            stop(supervisor.pid)
            await recorder.until(lambda: supervisor.state == "restarting")
            assert "sent nothing for" in supervisor.detail
            assert has_ended(process, PATIENCE_SECONDS)
        await recorder.until(lambda: supervisor.state == "ready")

    run(test, hung_seconds=HUNG_SECONDS)


def test_loading_may_be_slow_but_not_silent() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        with pytest.raises(TimeoutError):
            await recorder.until(
                lambda: supervisor.state != "loading", 1.5 * LOADING_PATIENCE * HUNG_SECONDS
            )
        assert supervisor.pid is not None
        stop(supervisor.pid)
        await recorder.until(lambda: supervisor.state == "restarting")
        assert "sent nothing for" in supervisor.detail

    run(test, target=stand_in.loads_for_ever, hung_seconds=HUNG_SECONDS)


def test_a_slow_step_on_the_cpu_is_not_a_hang() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        seconds = 1.7 * HUNG_SECONDS
        job = supervisor.submit(Request(prompt="slow", seconds=seconds, seed=8))
        assert values(await job.result(), seconds) == [8]
        assert "restarting" not in recorder.names

    run(test, hung_seconds=HUNG_SECONDS)


def test_a_slow_step_on_a_gpu_is_a_hang() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        with pytest.raises(EngineHung, match="made no step"):
            await supervisor.submit(Request(prompt="slow", seconds=30)).result()

    run(test, device="cuda:0", hung_seconds=HUNG_SECONDS)


def test_a_cancel_waits_for_a_slow_step_on_the_cpu_without_a_new_process() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        slow = supervisor.submit(Request(prompt="slow", seconds=2 * HUNG_SECONDS), recorder.share)
        await recorder.until(lambda: recorder.shares)
        slow.cancel()
        assert values(await supervisor.submit(Request(seed=8)).result()) == [8]
        assert "restarting" not in recorder.names

    run(test, hung_seconds=HUNG_SECONDS)


def test_a_process_that_ignores_a_cancel_is_replaced() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        ignoring = supervisor.submit(Request(prompt="ignore cancels"), recorder.share)
        await recorder.until(lambda: stand_in.HALFWAY in recorder.shares)
        ignoring.cancel()
        assert values(await supervisor.submit(Request(seed=8)).result()) == [8]
        assert "did not stop a cancelled request" in recorder.states[2][1]
        with pytest.raises(Cancelled):
            await ignoring.result()

    run(test, hung_seconds=HUNG_SECONDS)


def test_a_daemon_that_was_stopped_itself_replaces_no_process() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        job = await recorder.until_generating(supervisor, FOR_EVER)
        assert supervisor.pid is not None
        # Ctrl-Z stops both processes, and the daemon continues first.
        stop(supervisor.pid)
        block_the_loop(1.5 * HUNG_SECONDS)
        with pytest.raises(TimeoutError):
            await recorder.until(lambda: supervisor.state != "busy", HUNG_SECONDS / 4)
        os.kill(supervisor.pid, signal.SIGCONT)
        reported = len(recorder.shares)
        await recorder.until(lambda: len(recorder.shares) > reported)
        job.cancel()
        assert values(await supervisor.submit(Request(seed=8)).result()) == [8]
        assert "restarting" not in recorder.names

    run(test, device="cuda:0", hung_seconds=HUNG_SECONDS)


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_stopping_ends_the_process_and_cancels_its_jobs(stopped: bool) -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        jobs = [await recorder.until_generating(supervisor, FOR_EVER), supervisor.submit(Request())]
        assert supervisor.pid is not None
        with watched(supervisor.pid) as process:
            if stopped:
                stop(supervisor.pid)
            await supervisor.stop()
            assert has_ended(process, 0)
        for job in jobs:
            with pytest.raises(Cancelled):
                await job.result()
        with pytest.raises(Cancelled):
            supervisor.submit(Request())
        assert supervisor.pid is None
        # An intended end is not reported as a state.
        assert recorder.names == ["loading", "busy"]

    run(test)


def test_stopping_while_loading_ends_the_process() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        job = supervisor.submit(Request())
        assert supervisor.pid is not None
        with watched(supervisor.pid) as process:
            await supervisor.stop()
            assert has_ended(process, 0)
        with pytest.raises(Cancelled):
            await job.result()

    run(test, target=stand_in.loads_for_ever)


def test_a_cancelled_waiter_does_not_cancel_the_job() -> None:
    async def test(supervisor: Supervisor, recorder: Recorder) -> None:
        job = supervisor.submit(Request(seed=8))
        waiter = asyncio.create_task(job.result())
        await recorder.until(lambda: supervisor.state == "busy")
        waiter.cancel()
        assert values(await job.result()) == [8]

    run(test)


def test_every_bridge_error_can_be_sent_between_processes() -> None:
    import pickle

    kinds = [BridgeError]
    for kind in kinds:
        kinds += kind.__subclasses__()
        arrived = pickle.loads(pickle.dumps(kind("a sentence")))
        assert (type(arrived), str(arrived)) == (kind, "a sentence")


async def accepted(supervisor: Supervisor, request: Request) -> Job:
    """The job, once an engine that has failed accepts requests again."""
    while True:
        try:
            return supervisor.submit(request)
        except BridgeError:
            await asyncio.sleep(0.05)


def block_the_loop(seconds: float) -> None:
    """Block the event loop, as if this process were stopped."""
    time.sleep(seconds)
