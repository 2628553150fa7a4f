"""Ctrl-C and SIGTERM: the program is gone at once, except while it writes, which it takes back.

`KeyboardInterrupt` is not enough: raised in the middle of importing torch it is swallowed by a bare
`except`, or comes out as a traceback. As long as nothing is on disk there is nothing to unwind, so
the process simply ends; while files are written the signal waits until they can be taken back.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_held = False
_waiting: int | None = None


class Interrupted(BaseException):
    """A signal came while files were written; they are to be taken back.

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
def held() -> Iterator[None]:
    """Signals wait inside, for `check` and `accept` to tell of them."""
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
    """Inside `held`, all is written: a signal that came raises `Interrupted`, later ones are void.

    So a run either ends by the signal and has left nothing, or ends well and has left everything.
    """
    installed = [number for number in _SIGNALS if signal.getsignal(number) is _handle]
    for number in installed:
        signal.signal(number, signal.SIG_IGN)
    check()


def leave(number: int) -> NoReturn:
    """End the process as that signal would, without a word, and with the terminal as it was."""
    if sys.stderr is not None and sys.stderr.isatty():
        # The progress bar hides the cursor and stands in a line of its own.
        os.write(sys.stderr.fileno(), b"\r\x1b[2K\x1b[?25h")
    os._exit(128 + number)


def _handle(number: int, frame: FrameType | None) -> None:
    global _waiting
    if not _held:
        leave(number)
    _waiting = number
