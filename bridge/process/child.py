"""A child process that cannot outlive its parent, and a line to it that never blocks the parent.

The engine and the audio input each run in a child. Children are spawned, never forked: neither CUDA
nor PortAudio survives a fork. A child ignores Ctrl-C and SIGTERM, which a terminal and a service
manager send to the whole process group: only the parent knows that all are to end. It ends when its
parent kills it, closes the line, or dies in any way.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import Any

from bridge.process import windows

HEARTBEAT_SECONDS = 0.5
_SPAWN = multiprocessing.get_context("spawn")
_PR_SET_PDEATHSIG = 1
"""Linux's prctl option: the signal that a process gets when its parent dies."""
_JOIN_SECONDS = 1.0


@dataclass(frozen=True)
class Heartbeat:
    """Sent twice a second by its own thread, whatever else the child does.

    Attributes:
        status: what the child reports about itself.
    """

    status: Any


class Line:
    """The child's end of the line: messages to and from its parent, from any thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def send(self, message: object) -> None:
        """Send any picklable message; no error if the parent is gone, as this process then ends."""
        with self._sending, suppress(OSError):
            self._connection.send(message)

    def receive(self, timeout_seconds: float | None = None) -> Any:
        """The next message; None when none arrived in time.

        Raises:
            EOFError: the parent has closed the line.
        """
        try:
            if timeout_seconds is not None and not self._connection.poll(timeout_seconds):
                return None
            return self._connection.recv()
        except OSError as error:
            raise EOFError from error

    def fileno(self) -> int:
        """The line's number, for `select`: readable when there is a message."""
        return self._connection.fileno()

    def start_heartbeat(self, status: Callable[[], Any]) -> None:
        """Send `Heartbeat(status())` twice a second from now on."""

        def beat() -> None:
            while True:
                self.send(Heartbeat(status()))
                time.sleep(HEARTBEAT_SECONDS)

        threading.Thread(target=beat, name="heartbeat", daemon=True).start()


class Child:
    """The parent's end of the line. Make and use it in the main thread of a running event loop.

    Attributes:
        pid: the number of the process.
    """

    def __init__(
        self,
        target: Callable[..., None],
        *arguments: Any,
        name: str,
        on_message: Callable[[Any], None],
        on_exit: Callable[[int], None],
    ) -> None:
        """Spawn the process.

        Args:
            target: a module-level function, called in the child with its `Line` and the arguments.
            name: of the process, for debugging.
            on_message: called in the event loop with each message, heartbeats included.
            on_exit: called once in the event loop, after the last message, with the exit code; a
                negative one is the signal that ended the process.

        Raises:
            OSError: the system cannot start another process.
        """
        self._on_message, self._on_exit = on_message, on_exit
        self._loop = asyncio.get_running_loop()
        self._connection, child_connection = _SPAWN.Pipe()
        self._process = _SPAWN.Process(
            target=_run, args=(child_connection, target, arguments), name=name, daemon=True
        )
        self._received_seconds = time.perf_counter()
        self._ended = asyncio.Event()
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        with _signals_blocked():
            self._process.start()
        if sys.platform == "win32":
            windows.kill_with_this_process(self._process.sentinel)
        child_connection.close()
        self.pid: int = self._process.pid or 0
        # At exit multiprocessing sends SIGTERM and waits; a stopped process would never end.
        atexit.register(self._process.kill)
        # Threads, because a child that stops in the middle of a message must not block the loop.
        self._writer = threading.Thread(target=self._write, name=f"{name} out", daemon=True)
        self._writer.start()
        threading.Thread(target=self._read, name=f"{name} in", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether the event loop has not yet seen the process end."""
        return not self._ended.is_set()

    @property
    def quiet_seconds(self) -> float:
        """Time since the last message; a heartbeat comes twice a second."""
        return time.perf_counter() - self._received_seconds

    def send(self, message: object) -> None:
        """Send any picklable message, without waiting; a child that has ended misses it."""
        self._outbox.put(pickle.dumps(message))

    def kill(self) -> None:
        """End the process now, whatever it does; `on_exit` follows when it has ended."""
        self._process.kill()

    async def wait(self) -> None:
        """Wait until the process has ended."""
        await self._ended.wait()

    def _write(self) -> None:
        with suppress(OSError):
            while (message := self._outbox.get()) is not None:
                self._connection.send_bytes(message)

    def _read(self) -> None:
        try:
            while True:
                message = self._connection.recv()
                self._received_seconds = time.perf_counter()
                self._call_in_loop(self._on_message, message)
        except (EOFError, OSError):
            pass
        finally:
            self._call_in_loop(self._end, self._reap())

    def _reap(self) -> int:
        """Wait for the process to end, release its resources, and return the exit code."""
        self._process.join(_JOIN_SECONDS)
        # In a loop: where another thread reaps the process, its code appears a moment late.
        while (code := self._process.exitcode) is None:
            self._process.kill()
            self._process.join()
        atexit.unregister(self._process.kill)
        self._outbox.put(None)
        self._writer.join()
        self._connection.close()
        return code

    def _call_in_loop(self, callback: Callable[[Any], None], argument: Any) -> None:
        with suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(callback, argument)

    def _end(self, exit_code: int) -> None:
        self._ended.set()
        self._on_exit(exit_code)


def _run(connection: Connection, target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    _die_with_parent()
    with suppress(EOFError):
        target(Line(connection), *arguments)


def _die_with_parent() -> None:
    """End this process when its parent ends.

    A thread watches the parent. Linux also kills this process by prctl, and Windows by the job that
    the parent put it in: both reach a process that is stopped, or stuck outside Python.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("only Child starts a child")

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(0)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM inside; a process started inside never gets them.

    Windows knows Ctrl-C alone, and drops it instead.
    """
    if sys.platform == "win32":
        with windows.ctrl_c_ignored():
            yield
        return
    # The first spawn would start multiprocessing's resource tracker, which unblocks Ctrl-C.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_reason(exit_code: int) -> str:
    """How a process ended, to follow its name in a sentence.

    Args:
        exit_code: its status; negative: the number of the signal that ended it.
    """
    if exit_code >= 0:
        return f"ended by itself with status {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    oom = " (the system does so when memory runs out)" if name == "SIGKILL" else ""
    return f"was ended by {name}{oom}"
