"""The interface of every way to control the bridge: OSC, MIDI, hotkeys, a terminal, a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bridge.commands import Command
from bridge.events import Event

OnCommand = Callable[[Command], None]
"""Handles a command in the event loop; raises `BridgeError` when it cannot be carried out."""


class Control(Protocol):
    """A source of commands that also shows events.

    The daemon has a list of controls, and uses them in the event loop's thread only. No method may
    block: a control drops the events that it cannot deliver, and counts them.
    """

    async def start(self, on_command: OnCommand) -> None:
        """Begin to take commands.

        Args:
            on_command: called with each command. The control answers an error that it raises; the
                daemon publishes later errors as `Failed`.

        Raises:
            BridgeError: the control cannot start; the daemon then does not run.
        """

    def publish(self, event: Event) -> None:
        """Show an event, or ignore it."""

    def answer(self, event: Event) -> None:
        """Show an event to the client whose command is being carried out; from `on_command` only.

        Ignore it unless that command came from this control. A request that is sent again is
        answered so: the others have had these events already.
        """

    async def close(self) -> None:
        """Take no more commands, and free what the control holds."""
