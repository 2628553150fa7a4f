"""Notifications of the desktop, by the program that it has for them."""

from __future__ import annotations

import asyncio
import shutil
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import Callable, Sequence
from contextlib import suppress

TITLE = "Melody Bridge"
LONGEST_SECONDS = 5.0
"""A program that has not shown its notification by then is ended."""
MOST_CHARACTERS = 200
INSTEAD = "set hotkey_answer to sound or none in config.toml"


class Notifier:
    """Shows one notification after the other; the newest replaces one that waits.

    For the event loop's thread.
    """

    def __init__(self, on_problem: Callable[[str], None]) -> None:
        """Args:
        on_problem: called once with a sentence when notifications do not work here.
        """
        self._on_problem = on_problem
        self._has_problem = False
        self._waiting = ""
        self._task: asyncio.Task[None] | None = None

    def show(self, text: str) -> None:
        """Show a text, soon."""
        if self._has_problem:
            return
        self._waiting = text[:MOST_CHARACTERS]
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._show_all())

    async def close(self) -> None:
        """Show no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _show_all(self) -> None:
        while self._waiting and not self._has_problem:
            text, self._waiting = self._waiting, ""
            problem = await _shown(text)
            if problem:
                self._has_problem = True
                self._on_problem(f"{problem}; {INSTEAD}")


async def _shown(text: str) -> str:
    """Show a text; return why that failed, empty if it did not."""
    command = _command(text)
    program = shutil.which(command[0]) if command else None
    if program is None:
        name = command[0] if command else "a program for notifications"
        return f"{name} is not installed"
    try:
        process = await asyncio.create_subprocess_exec(
            program, *command[1:], stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )
    except OSError as error:
        return f"{command[0]} does not start: {error.strerror or error}"
    try:
        status = await asyncio.wait_for(process.wait(), LONGEST_SECONDS)
    except TimeoutError:
        return f"{command[0]} does not answer: no program of the desktop shows notifications"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return "" if status == 0 else f"{command[0]} failed ({status}): does the desktop show any?"


def _command(text: str) -> Sequence[str]:
    """The command that shows a text; empty where the system has none."""
    if sys.platform == "darwin":
        script = "on run argv\ndisplay notification (item 1 of argv) with title (item 2 of argv)\n"
        return ("osascript", "-e", f"{script}end run", text, TITLE)
    if sys.platform == "win32":
        return ()
    return (
        *("notify-send", "--app-name", TITLE, "--expire-time", "2000"),
        # The next one takes its place, and none stays in the list of those that were missed.
        *("--hint", "string:x-canonical-private-synchronous:melody-bridge"),
        *("--hint", "int:transient:1", "--", TITLE, text),
    )
