"""Keeps a child process running: a new one replaces it when it ends, hangs, or is blocked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bridge.process.child import Child, Heartbeat
from bridge.process.tasks import keep_running

QUIET_SECONDS = 5.0
"""A process that sends no heartbeat for this long is replaced."""
STUCK_SECONDS = 15.0
"""A process that sends heartbeats but is blocked in a driver for this long is replaced."""
STEADY_SECONDS = 10.0
"""After a process that ran for this long, the restart delay begins at its shortest again."""
NO_FAULT = ""
"""What `watch` returns of a process that does its work."""
_CHECK_SECONDS = 0.1
_STOP_SECONDS = 1.0
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 5.0


@dataclass(frozen=True)
class Stop:
    """Sent to the process: close everything and end."""


class KeptChild:
    """A child process and its replacements. Use it in a running event loop.

    The process must call `Line.start_heartbeat` with a status that is the time of its main
    thread's last step, on `time.perf_counter`, and end when it receives `Stop`.
    """

    def __init__(
        self,
        target: Callable[..., None],
        arguments: Callable[[], tuple[Any, ...]],
        *,
        name: str,
        on_message: Callable[[Any], None],
        on_fault: Callable[[str], None],
        on_ended: Callable[[], None] = lambda: None,
        watch: Callable[[], str | None] = lambda: None,
        stuck: str = "",
    ) -> None:
        """Args:
        target: a module-level function, called in the process with its `Line` and the arguments.
        arguments: called for each new process; may raise `OSError`.
        name: what the process is called in sentences, such as `"MIDI process"`.
        on_message: called in the event loop with each message but heartbeats.
        on_fault: called in the event loop with a sentence, each time a process ended or is
            replaced.
        on_ended: called in the event loop after each process has ended: frees what was made for it.
        watch: says whether the process does its work: returns a sentence when it does not,
            `NO_FAULT` when it does, whatever its heartbeat says, and None where only the heartbeat
            shows it.
        stuck: the sentence for a process that a driver blocks; empty: the usual one.
        """
        self._target, self._arguments, self._name = target, arguments, name
        self._on_message, self._on_fault, self._on_ended = on_message, on_fault, on_ended
        self._watch = watch
        self._stuck = stuck or f"a driver blocks the {name}, which is replaced"
        self._task: asyncio.Task[None] | None = None
        self._child: Child | None = None
        self._last_step_seconds = 0.0
        self._exit_code = 0

    @property
    def pid(self) -> int | None:
        """The number of the process; None when none runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def start(self) -> None:
        """Start the process, and keep it running from now on."""
        self._task = keep_running(self._name, self._run)

    def send(self, message: object) -> None:
        """Send any picklable message, without waiting; it is lost when no process runs."""
        if self._child is not None and self._child.alive:
            self._child.send(message)

    async def stop(self) -> None:
        """End the process: in good order within a second, else by force."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._child is not None:
            self._child.send(Stop())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._child.wait(), _STOP_SECONDS)
            await self._end(self._child)
        self._on_ended()

    async def _run(self) -> None:
        delay_seconds = _FIRST_DELAY_SECONDS
        while True:
            started_seconds = time.perf_counter()
            try:
                await self._run_process()
            except OSError as error:
                self._on_fault(f"the {self._name} does not start: {error.strerror or error}")
            self._on_ended()
            if time.perf_counter() - started_seconds > STEADY_SECONDS:
                delay_seconds = _FIRST_DELAY_SECONDS
            await asyncio.sleep(delay_seconds)
            delay_seconds = min(2 * delay_seconds, _LONGEST_DELAY_SECONDS)

    async def _run_process(self) -> None:
        """Run one process until it ends, or is found at fault and killed.

        Raises:
            OSError: the system cannot start another process.
        """
        self._last_step_seconds = time.perf_counter()
        child = self._child = Child(
            self._target,
            *self._arguments(),
            name=f"melody-bridge {self._name}",
            on_message=self._receive,
            on_exit=self._note_exit,
        )
        try:
            while child.alive:
                fault = self._find_fault(child)
                if fault is not None:
                    self._on_fault(fault)
                    await self._end(child)
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(child.wait(), _CHECK_SECONDS)
        except Exception:
            # A defect here must not leave a second process beside the next one.
            await self._end(child)
            self._on_fault(f"watching the {self._name} failed: it is replaced")
            self._on_ended()
            raise
        self._on_fault(f"the {self._name} ended ({self._exit_code}), and is started again")

    def _find_fault(self, child: Child) -> str | None:
        """Return what is wrong with a live process; None when nothing is."""
        fault = self._watch()
        if fault is not None:
            return fault or None
        if child.quiet_seconds > QUIET_SECONDS:
            return f"the {self._name} does not answer, and is replaced"
        if time.perf_counter() - self._last_step_seconds > STUCK_SECONDS:
            return self._stuck
        return None

    def _receive(self, message: Any) -> None:
        if isinstance(message, Heartbeat):
            self._last_step_seconds = message.status
        else:
            self._on_message(message)

    def _note_exit(self, exit_code: int) -> None:
        self._exit_code = exit_code

    @staticmethod
    async def _end(child: Child) -> None:
        child.kill()
        await child.wait()
