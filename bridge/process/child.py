"""A child process that cannot outlive its parent, and a line to it that blocks nobody.

The engine and the audio input each run in one. They are spawned, never forked: neither CUDA nor
PortAudio survives a fork. The child answers no Ctrl-C (a terminal sends it to the whole group): it
ends when the parent kills it, closes the line, or dies, however that dies.
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
"""Of Linux's prctl: the signal that a process gets when its parent dies."""
_JOIN_SECONDS = 1.0


@dataclass(frozen=True)
class Heartbeat:
    """Sent twice a second by a thread of its own, whatever the child is busy with.

    Attributes:
        status: what the child says of itself.
    """

    status: Any


class Line:
    """The child's end: messages to and from its parent, from any thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def send(self, message: object) -> None:
        """Send any picklable message; a parent that is gone is no error, for this process ends."""
        with self._sending, suppress(OSError):
            self._connection.send(message)

    def receive(self, timeout_seconds: float | None = None) -> Any:
        """The next message; None when none came in time.

        Raises:
            EOFError: the parent has closed the line.
        """
        try:
            if timeout_seconds is not None and not self._connection.poll(timeout_seconds):
                return None
            return self._connection.recv()
        except OSError as error:
            raise EOFError from error

    def start_heartbeat(self, status: Callable[[], Any]) -> None:
        """Send `Heartbeat(status())` twice a second from now on."""

        def beat() -> None:
            while True:
                self.send(Heartbeat(status()))
                time.sleep(HEARTBEAT_SECONDS)

        threading.Thread(target=beat, name="heartbeat", daemon=True).start()


class Child:
    """The parent's end. Make and use it in the main thread of a running event loop.

    Attributes:
        pid: the process.
        alive: whether it has not ended yet, as far as the event loop has heard.
    """

    def __init__(
        self,
        target: Callable[..., None],
        *arguments: Any,
        name: str,
        on_message: Callable[[Any], None],
        on_exit: Callable[[int], None],
    ) -> None:
        """Spawn it.

        Args:
            target: a function of a module, called in the child with its `Line` and the arguments.
            name: of the process, for whoever debugs.
            on_message: called in the event loop with each message, heartbeats included.
            on_exit: called once in the event loop, after the last message, with the exit code;
                negative is the signal that ended it.

        Raises:
            OSError: the system starts no more processes.
        """
        self._on_message, self._on_exit = on_message, on_exit
        self._loop = asyncio.get_running_loop()
        self._connection, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(
            target=_run, args=(theirs, target, arguments), name=name, daemon=True
        )
        self._heard = time.perf_counter()
        self._gone = asyncio.Event()
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        with _interrupts_blocked():
            self._process.start()
        if sys.platform == "win32":
            windows.kill_with_this_process(self._process.sentinel)
        theirs.close()
        self.pid: int = self._process.pid or 0
        # At exit multiprocessing sends SIGTERM and waits, which a stopped process never answers.
        atexit.register(self._process.kill)
        # Threads, because a child that stops in the middle of a message must not stop the loop.
        self._writer = threading.Thread(target=self._write, name=f"{name} out", daemon=True)
        self._writer.start()
        threading.Thread(target=self._read, name=f"{name} in", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet, as far as the event loop has heard."""
        return not self._gone.is_set()

    @property
    def quiet_seconds(self) -> float:
        """How long it has not been heard of; its heartbeat comes twice a second."""
        return time.perf_counter() - self._heard

    def send(self, message: object) -> None:
        """Send it any picklable message, without waiting; one that has ended misses it."""
        self._outbox.put(pickle.dumps(message))

    def kill(self) -> None:
        """End it now, whatever it does; `on_exit` tells when it has."""
        self._process.kill()

    async def wait(self) -> None:
        """Until it has ended."""
        await self._gone.wait()

    def _write(self) -> None:
        with suppress(OSError):
            while (message := self._outbox.get()) is not None:
                self._connection.send_bytes(message)

    def _read(self) -> None:
        try:
            while True:
                message = self._connection.recv()
                self._heard = time.perf_counter()
                self._call_in_loop(self._on_message, message)
        except (EOFError, OSError):
            pass
        finally:
            self._call_in_loop(self._ended, self._reaped())

    def _reaped(self) -> int:
        """The exit code, once the process has ended and nothing of it is left."""
        self._process.join(_JOIN_SECONDS)
        # Again and again: where another thread reaps it, the code is told a moment late.
        while (code := self._process.exitcode) is None:
            self._process.kill()
            self._process.join()
        atexit.unregister(self._process.kill)
        self._outbox.put(None)
        self._writer.join()
        self._connection.close()
        return code

    def _call_in_loop(self, callback: Callable[[Any], None], what: Any) -> None:
        with suppress(RuntimeError):  # The loop is closed: nobody is left to hear it.
            self._loop.call_soon_threadsafe(callback, what)

    def _ended(self, exit_code: int) -> None:
        self._gone.set()
        self._on_exit(exit_code)


def _run(connection: Connection, target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    _die_with_parent()
    with suppress(EOFError):
        target(Line(connection), *arguments)


def _die_with_parent() -> None:
    """End when the parent does: at once where the system offers it, else by a watching thread."""
    if sys.platform == "linux":
        # It also reaches a process that is stopped, or stuck outside Python.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("a child is started by Child")

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(0)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Ctrl-C waits inside; a process started inside never gets it."""
    if sys.platform == "win32":
        with windows.ctrl_c_ignored():
            yield
        return
    # The first process to be spawned starts multiprocessing's tracker, and that unblocks Ctrl-C.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
