"""The companion inside the daemon, as a `Control`: `melody-bridge run --host ardour`."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

from bridge.control.addresses import NO_ID
from bridge.control.control import OnCommand
from bridge.events import Event, Listening, Remark
from bridge.hosts.ardour.companion import Companion, Report, follow

_log = logging.getLogger(__name__)


class ArdourControl:
    """Follows the daemon as any client does, in a thread: its files must not delay the loop."""

    def __init__(
        self,
        make: Callable[[Callable[[Report], None]], Companion],
        on_event: Callable[[Event], None],
    ) -> None:
        """Args:
        make: makes the companion, which calls what it is given from the thread.
        on_event: publishes an event.
        """
        self._make, self._on_event = make, on_event
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    async def start(self, on_command: OnCommand) -> None:
        """Do nothing: it begins with the event that names the daemon's port."""

    def publish(self, event: Event) -> None:
        """Begin once the daemon listens."""
        if isinstance(event, Listening) and self._thread is None:
            loop = asyncio.get_running_loop()

            def report(report: Report) -> None:
                loop.call_soon_threadsafe(self._reported, report)

            self._thread = threading.Thread(
                target=self._follow, args=(event.port, report), name="Ardour", daemon=True
            )
            self._thread.start()

    def answer(self, event: Event) -> None:
        """Ignore answers: the companion receives them as a client."""

    async def close(self) -> None:
        """Leave Ardour."""
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _follow(self, port: int, report: Callable[[Report], None]) -> None:
        try:
            follow(self._make(report), port, self._stop, report)
        except Exception:
            _log.exception("Ardour gets no more clips: start the daemon again")

    def _reported(self, report: Report) -> None:
        if report.clip:
            self._on_event(Remark(NO_ID, f"{report.clip}: {report.state} {report.detail}"))
