"""Publishes the pitch of the input while somebody listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bridge.events import NO_PITCH, Pitch
from bridge.soundcard.listener import Listener
from bridge.soundcard.pitch import pitch

PITCH_SECONDS = 0.1
"""How often the pitch is published, as the level is (docs/osc.md)."""


class PitchMeter:
    """Measures in a thread: for some milliseconds a busy machine may hold it up."""

    def __init__(
        self,
        listener: Listener,
        publish: Callable[[Pitch], None],
        *,
        is_wanted: Callable[[], bool],
    ) -> None:
        """Args:
        publish: called with each pitch, and once with `NO_PITCH` when the voice ends.
        is_wanted: whether somebody listens; else nothing is measured.
        """
        self._listener, self._publish, self._is_wanted = listener, publish, is_wanted
        self._has_voice = False

    async def run(self) -> None:
        """Measure and publish; until cancelled."""
        while True:
            found = await self._measured()
            if found is not None:
                self._publish(found)
            elif self._has_voice:
                self._publish(NO_PITCH)
            self._has_voice = found is not None
            await asyncio.sleep(PITCH_SECONDS)

    async def _measured(self) -> Pitch | None:
        ring = self._listener.ring
        if self._listener.state != "ready" or ring is None or not self._is_wanted():
            return None
        return await asyncio.to_thread(pitch, ring)
