"""A child process: messages arrive, its end is reported, and it never outlives its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import pytest

from bridge.process.child import Child, Heartbeat
from tests import children
from tests.processes import has_ended, stop, watched

if sys.platform != "linux":
    pytest.skip("needs Linux to watch processes", allow_module_level=True)

PATIENCE_SECONDS = 30.0

PARENT = """
import asyncio, sys
from bridge.process.child import Child
from tests import children
from tests.processes import stop

async def main(target):
    def on_message(message):
        if message == "exit":
            stop(child.pid)
            done.set()
        else:
            print(child.pid, flush=True)

    done = asyncio.Event()
    child = Child(getattr(children, target), name="child", on_message=on_message, on_exit=print)
    loop = asyncio.get_running_loop()
    # A line on stdin goes to the child, and comes back if the child is alive.
    loop.add_reader(sys.stdin, lambda: child.send(sys.stdin.readline().strip()))
    await done.wait()

asyncio.run(main(sys.argv[1]))
print("exits", flush=True)
"""


class Recorder:
    """A child's messages, in order, and its exit codes."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.exit_codes: list[int] = []
        self._news = asyncio.Event()

    def on_message(self, message: Any) -> None:
        self.messages.append(message)
        self._news.set()

    def on_exit(self, code: int) -> None:
        self.exit_codes.append(code)
        self._news.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                self._news.clear()
                await self._news.wait()


def child_of(target: Callable[..., None], *arguments: object) -> tuple[Child, Recorder]:
    recorder = Recorder()
    child = Child(
        target, *arguments, name="child", on_message=recorder.on_message, on_exit=recorder.on_exit
    )
    return child, recorder


@contextmanager
def parent(target: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process with a child that has sent a message; and the child's process number."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, target],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_messages_of_any_size_come_back_in_order() -> None:
    async def main() -> None:
        child, recorder = child_of(children.echo, "first", 2)
        sent = [b"x" * size for size in (0, 1, 100_000, 10_000_000, 3)]
        for message in sent:
            child.send(message)
        child.send(None)
        await child.wait()
        assert recorder.messages == [("first", 2), *sent]
        assert recorder.exit_codes == [0]

    asyncio.run(main())


def test_the_end_is_reported_once_and_after_the_last_message() -> None:
    async def main() -> None:
        child, recorder = child_of(children.ends_with, 7)
        await recorder.until(lambda: recorder.exit_codes)
        assert recorder.messages == list(range(1000))
        assert recorder.exit_codes == [7]
        assert not child.alive
        # Sending to a child that has ended, or killing it again, does nothing.
        child.send("too late")
        child.kill()

    asyncio.run(main())


def test_a_stopped_child_does_not_block_its_parent_and_can_be_killed() -> None:
    async def main() -> None:
        child, recorder = child_of(children.deaf)
        await recorder.until(lambda: recorder.messages)
        stop(child.pid)
        began = time.perf_counter()
        # Far more than a socket holds.
        child.send(b"x" * 50_000_000)
        assert time.perf_counter() - began < 5
        assert child.alive
        child.kill()
        await child.wait()
        assert recorder.exit_codes == [-signal.SIGKILL]

    asyncio.run(main())


def test_the_heartbeat_goes_on_while_the_child_computes_and_ends_when_it_is_stopped() -> None:
    async def main() -> None:
        child, recorder = child_of(children.computes)
        await recorder.until(lambda: len(recorder.messages) >= 4)
        beats = [beat.status for beat in recorder.messages if isinstance(beat, Heartbeat)]
        assert beats == sorted(beats)
        assert beats[0] < beats[-1]
        assert child.quiet_seconds < PATIENCE_SECONDS
        stop(child.pid)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while child.quiet_seconds < 1:
                await asyncio.sleep(0.05)
        child.kill()
        await child.wait()

    asyncio.run(main())


def test_a_message_that_cannot_be_read_ends_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error reaches `threading.excepthook`, and tasks that wait for the child continue."""
    raised: SimpleQueue[type[BaseException]] = SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", lambda arguments: raised.put(arguments.exc_type))

    async def main() -> None:
        child, recorder = child_of(children.poisons)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await child.wait()
        assert recorder.exit_codes == [-signal.SIGKILL]

    asyncio.run(main())
    assert raised.get(timeout=PATIENCE_SECONDS) is ValueError


def test_sending_what_cannot_be_pickled_raises() -> None:
    async def main() -> None:
        child, _ = child_of(children.deaf)
        with pytest.raises((AttributeError, TypeError)):
            child.send(threading.Lock())
        child.kill()
        await child.wait()

    asyncio.run(main())


def test_ended_children_leave_neither_threads_nor_open_files() -> None:
    async def once() -> tuple[int, int]:
        child, recorder = child_of(children.deaf)
        await recorder.until(lambda: recorder.messages)
        child.send(b"x" * 10_000_000)
        child.kill()
        await child.wait()
        deadline = time.perf_counter() + PATIENCE_SECONDS
        # The thread that reported the end may still be running its last line.
        while any(thread.name.startswith("child ") for thread in threading.enumerate()):
            assert time.perf_counter() < deadline
            await asyncio.sleep(0.001)
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    async def main() -> None:
        first = await once()
        assert [await once() for _ in range(3)] == [first] * 3

    asyncio.run(main())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_child_ignores_what_its_process_group_gets(number: signal.Signals) -> None:
    """In a new process, where the first spawn also starts multiprocessing's resource tracker."""
    with parent("echo") as (process, pid):
        os.kill(pid, number)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("alive?\n")
        process.stdin.flush()
        assert process.stdout.readline() == f"{pid}\n"


@pytest.mark.parametrize("target", ["deaf", "holds_the_lock"])
@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_a_child_dies_with_its_parent(target: str, stopped: bool) -> None:
    with parent(target) as (process, pid), watched(pid) as child:
        if stopped:
            stop(pid)
        process.kill()
        assert has_ended(child, PATIENCE_SECONDS)


def test_a_parent_that_exits_normally_ends_a_stopped_child() -> None:
    with parent("echo") as (process, pid), watched(pid) as child:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("exit\n")
        process.stdin.flush()
        assert process.stdout.readline() == "exits\n"
        assert process.wait(PATIENCE_SECONDS) == 0
        assert has_ended(child, PATIENCE_SECONDS)
