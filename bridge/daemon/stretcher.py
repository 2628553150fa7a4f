"""Stretches loops in a process of its own.

python-stretch holds the interpreter: 0.2 s for a loop of 8 s, in which the event loop would wait.
"""

from __future__ import annotations

import asyncio
from typing import Any

from bridge.audio import Waveform
from bridge.errors import Internal
from bridge.process.child import Child, Line

PATIENCE_SECONDS = 60.0
"""A process that has not answered for this long is replaced; five minutes of audio take ten."""


def run_stretcher(line: Line) -> None:
    """Answer each pair of a loop and a number of frames with the stretched loop."""
    from bridge.clip import stretched_loop

    while True:
        match line.receive():
            case (Waveform() as loop, int(frames)):
                line.send(stretched_loop(loop, frames))


class Stretcher:
    """Starts its process when it is first needed. Use it in a running event loop."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._one_at_a_time = asyncio.Lock()
        self._answer: asyncio.Future[Waveform] | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None when none runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    async def stretched(self, loop: Waveform, frames: int) -> Waveform:
        """Stretch a loop to a number of frames at the same pitch; its seam stays closed.

        Raises:
            Internal: the process ended, or did not answer.
        """
        async with self._one_at_a_time:
            child = self._running_child()
            self._answer = asyncio.get_running_loop().create_future()
            child.send((loop, frames))
            try:
                return await asyncio.wait_for(self._answer, PATIENCE_SECONDS)
            except TimeoutError as error:
                raise Internal("a clip could not be stretched: its process hung") from error
            finally:
                if not self._answer.done() or self._answer.cancelled():
                    # Its late answer would be taken for that to the next loop.
                    await self.stop()
                self._answer = None

    async def stop(self) -> None:
        """End the process."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            await child.wait()

    def _running_child(self) -> Child:
        if self._child is None or not self._child.alive:
            self._child = Child(
                run_stretcher,
                name="melody-bridge stretcher",
                on_message=self._on_message,
                on_exit=self._on_exit,
            )
        return self._child

    def _on_message(self, message: Any) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(message)

    def _on_exit(self, exit_code: int) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(
                Internal(f"a clip could not be stretched: its process ended ({exit_code})")
            )
