"""The seam of every way to play the bridge: OSC, MIDI, hotkeys, a terminal, a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bridge.commands import Command, Event

OnCommand = Callable[[Command], None]
"""Takes a command in the event loop, and raises `BridgeError` when it cannot be done."""


class Control(Protocol):
    """Makes commands of what a person does, and shows events.

    The daemon holds a list of them. A control is used in the event loop's thread only, and none of
    its methods may block: it drops what it cannot deliver, and counts it.
    """

    async def start(self, on_command: OnCommand) -> None:
        """Begin to take commands.

        Args:
            on_command: called with each command. An error that it raises is the control's to
                answer; the daemon publishes the errors that come later as `Failed`.

        Raises:
            BridgeError: the control cannot start; the daemon then does not run.
        """

    def publish(self, event: Event) -> None:
        """Show an event, or ignore it."""

    async def close(self) -> None:
        """Take no more commands, and free what the control holds."""
