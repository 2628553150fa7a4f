"""Errors named for what happened, each with the code it has on OSC and its exit status.

A `BridgeError` is a mistake or a mishap that the user can act on: the message names the value
and the remedy, and the programs print it as one line. Any other exception is a defect.
"""

from __future__ import annotations

from math import inf
from typing import ClassVar


class BridgeError(Exception):
    """Base of all errors that the user sees.

    Attributes:
        code: the word that `/bridge/error` carries.
        exit_status: exit status of a command: 2 for a mistake in the input, 1 for a mishap.
    """

    code: ClassVar[str] = "bad-argument"
    exit_status: ClassVar[int] = 2


class BadArgument(BridgeError):
    """A value is out of its range, or two values do not go together."""


class UnreadableFile(BridgeError):
    """A named file does not exist, or its content is not usable."""

    code = "unreadable-file"


class PathRefused(BridgeError):
    """A message named a file in a place where the daemon does not read."""

    code = "path-refused"


class SilentMelody(BridgeError):
    """The melody has no sounding note, so there is nothing to follow."""

    code = "silent-melody"


class UnknownPreset(BridgeError):
    """No preset has that name."""

    code = "unknown-preset"


class UnknownAddress(BridgeError):
    """No message of the protocol has that address."""

    code = "unknown-address"


class UnknownId(BridgeError):
    """No request has that id."""

    code = "unknown-id"


class UnknownMelody(BridgeError):
    """No capture has that id, or the client has made none yet."""

    code = "unknown-melody"


class NotEnoughBars(BridgeError):
    """The input recorded fewer continuous bars than requested."""

    code = "not-enough-bars"


class NoInput(BridgeError):
    """There is no audio input."""

    code = "no-input"
    exit_status = 1


class NotHeard(BridgeError):
    """The input did not pick up the played sound clearly enough for a measurement."""

    code = "no-input"
    exit_status = 1


class NoOutput(BridgeError):
    """There is no audio output."""

    code = "unsupported"
    exit_status = 1


class QueueFull(BridgeError):
    """The queue has no room for another request."""

    code = "queue-full"
    exit_status = 1


class TooLate(BridgeError):
    """The engine cannot make the request within its deadline."""

    code = "too-late"
    exit_status = 1


class NotAuthorized(BridgeError):
    """The server does not know the token, or was shown none."""

    code = "not-authorized"


class LimitReached(BridgeError):
    """The token has as many requests, or as many seconds of audio a minute, as it may have.

    Attributes:
        retry_seconds: when the same request may be admitted, in seconds from now; infinity: never.
    """

    code = "limit-reached"
    exit_status = 1

    def __init__(self, message: str, retry_seconds: float = inf) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class EngineDied(BridgeError):
    """The engine's process ended while it worked on the request."""

    code = "engine-died"
    exit_status = 1


class EngineFailed(EngineDied):
    """The engine raised an unexpected error; its process may still run."""

    code = "internal"


class EngineHung(BridgeError):
    """The engine's process stopped responding and was replaced."""

    code = "engine-hung"
    exit_status = 1


class CheckpointUnusable(BridgeError):
    """The named checkpoint cannot be found, or is not a MusicGen Melody checkpoint."""


class Unsupported(BridgeError):
    """The request is understood, but this version cannot do it."""

    code = "unsupported"


class Internal(BridgeError):
    """A defect of this program ended the request; the log has the details."""

    code = "internal"
    exit_status = 1


class NotWritable(BadArgument):
    """A folder or file cannot be written."""

    code = "not-writable"


class DiskFull(BridgeError):
    """The clip could not be written: no space, or a file size limit."""

    code = "disk-full"
    exit_status = 1


class OutOfMemory(BridgeError):
    """The request does not fit the device's memory."""

    code = "out-of-memory"
    exit_status = 1


class Cancelled(BridgeError):
    """The request was cancelled before it was done."""

    code = "cancelled"
    exit_status = 130
