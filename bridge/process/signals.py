"""Ctrl-C and SIGTERM end the program at once; while it writes files, it removes them first.

`KeyboardInterrupt` is not enough: raised in the middle of importing torch, a bare `except` swallows
it, or it shows a traceback. While nothing is on disk there is nothing to clean up, so the process
simply ends. While files are written, the signal waits until they can be removed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_held = False
_waiting: int | None = None


class Interrupted(BaseException):
    """A signal came while files were written; the writer must remove them.

    Attributes:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def install() -> None:
    """From now on Ctrl-C ends the process with status 130, and SIGTERM with 143."""
    for number in _SIGNALS:
        signal.signal(number, _handle)


@contextmanager
def raised() -> Iterator[Callable[[], None]]:
    """Let the first signal raise `Interrupted` inside, so that other processes can be ended.

    Inside `held` it waits as usual. The second one ends this process at once.

    Yields:
        Handles the signals again, after a library has taken them.
    """
    first: int | None = None

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if first is not None:
            leave(number)
        first = number
        if not _held:
            raise Interrupted(number)
        _handle(number, frame)

    def listen() -> None:
        for number in _SIGNALS:
            signal.signal(number, interrupt)

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    listen()
    try:
        yield listen
    except Exception as error:
        # Compiled code of a library may make an error of its own out of the interruption.
        if first is not None:
            raise Interrupted(first) from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held() -> Iterator[None]:
    """Hold signals back inside; `check` and `accept` raise them."""
    global _held
    _held = True
    try:
        yield
    finally:
        _held = False


def check() -> None:
    """Inside `held`, raise `Interrupted` if a signal has come."""
    if _waiting is not None:
        raise Interrupted(_waiting)


def accept() -> None:
    """Inside `held`, after the last file: raise a signal that came, and ignore later ones.

    So a run either ends by the signal and leaves no file, or succeeds and leaves all of them.

    Raises:
        Interrupted: a signal has come.
    """
    installed = [number for number in _SIGNALS if signal.getsignal(number) is _handle]
    for number in installed:
        signal.signal(number, signal.SIG_IGN)
    check()


def leave(number: int) -> NoReturn:
    """End the process with the signal's exit status, silently, and restore the terminal."""
    if sys.stderr is not None and sys.stderr.isatty():
        # Clear the progress bar's line, and show the cursor that it hides.
        os.write(sys.stderr.fileno(), b"\r\x1b[2K\x1b[?25h")
    os._exit(128 + number)


def _handle(number: int, frame: FrameType | None) -> None:
    global _waiting
    if not _held:
        leave(number)
    _waiting = number
