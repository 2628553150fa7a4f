"""Global hotkeys as a `Control`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Literal, cast

from bridge.commands import HotkeyAction
from bridge.config.chords import Chord
from bridge.control.addresses import NO_ID
from bridge.control.control import OnCommand
from bridge.control.hotkey_actions import HotkeyActions
from bridge.control.notifier import Notifier
from bridge.errors import BridgeError, Internal
from bridge.events import Event, Failed, Remark
from bridge.hotkeys import Hotkeys
from bridge.hotkeys.messages import KeyMoved

SOUND_LEAD_SECONDS = 0.25
"""A recording that begins with the first sound begins so long after the click that answers."""

_log = logging.getLogger(__name__)


class HotkeyControl:
    """Hotkeys as a `Control`; without chords, the actions alone, for `/bridge/hotkey`."""

    def __init__(
        self,
        chords: Mapping[HotkeyAction, Chord],
        *,
        bars: int,
        answer: Literal["notification", "sound", "none"],
        click: Callable[[bool], None] | None,
        on_event: Callable[[Event], None],
    ) -> None:
        """Args:
        chords: by their actions; empty: no key is taken.
        bars: as for `HotkeyActions`.
        answer: what says that a hotkey was heard.
        click: plays a click, higher when all is well; None: there is no output.
        on_event: publishes an event, here too.
        """
        self._on_event, self._answer, self._click = on_event, answer, click
        self._notifier = Notifier(self._remark)
        self._is_on = bool(chords)
        lead_seconds = SOUND_LEAD_SECONDS if answer == "sound" and click is not None else 0.0
        self._actions = HotkeyActions(
            bars=bars, say=self._say, refuse=self._refuse, lead_seconds=lead_seconds
        )
        self._hotkeys = Hotkeys(
            {str(action): chord for action, chord in chords.items()}, self._moved, self._remark
        )

    async def start(self, on_command: OnCommand) -> None:
        """Take the hotkeys; where there can be none, publish why, and how to do without."""
        self._actions.on_command = on_command
        if self._is_on:
            self._hotkeys.start()
            if self._answer == "sound" and self._click is None:
                self._remark("hotkey_answer sound is not heard: start with --output NAME")

    def press(self, action: HotkeyAction) -> None:
        """Do what an action's hotkey does: for who has other keys.

        Raises:
            BridgeError: as `HotkeyActions.press`.
        """
        try:
            self._actions.press(action, time.perf_counter())
        except BridgeError as error:
            self._say(str(error), False)
            raise

    def publish(self, event: Event) -> None:
        """Keep what the actions need to know."""
        self._actions.publish(event)

    def answer(self, event: Event) -> None:
        """Ignore it: no request of this control is sent again."""

    async def close(self) -> None:
        """Give the hotkeys back."""
        self._actions.close()
        await self._hotkeys.stop()
        await self._notifier.close()

    def _moved(self, move: KeyMoved) -> None:
        act = self._actions.press if move.is_down else self._actions.release
        try:
            act(cast(HotkeyAction, move.action), move.seconds)
        except BridgeError as error:
            self._refuse(error)
        except Exception:
            _log.exception("the hotkey of %s failed", move.action)
            self._refuse(Internal("a defect: the log has the details"))

    def _refuse(self, error: BridgeError) -> None:
        self._on_event(Failed.of(NO_ID, error))
        self._say(str(error), False)

    def _say(self, text: str, is_done: bool) -> None:
        # Without hotkeys only messages come, which have answers of their own.
        if not self._is_on:
            return
        if self._answer == "sound" and self._click is not None:
            self._click(is_done)
        elif self._answer == "notification":
            self._notifier.show(text)

    def _remark(self, text: str) -> None:
        self._on_event(Remark(NO_ID, f"hotkeys: {text}"))
