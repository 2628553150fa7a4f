"""Which sources of time are read in a process of their own: Ableton Link and JACK's transport.

Link is read when it is chosen, or when `auto` may take it; JACK when it is chosen, or with `auto`
when its extra is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec

from bridge.clock.clocks import Clocks
from bridge.clock.reader import ClockReader, ReadSource, SourceState
from bridge.clock.session_time import changed_meter
from bridge.clock.source import SessionTempo
from bridge.commands import ClipSettings
from bridge.daemon.session import NO_ID
from bridge.events import Event, LinkPeersChanged, Remark
from bridge.process.tasks import all_of

LINK_IS_ON = (
    "Ableton Link is on: programs on all networks of this machine can reach its UDP port 20808"
)
_NAMES: dict[ReadSource, str] = {"link": "Ableton Link", "jack": "JACK transport"}


class ClockReaders:
    """Starts and stops the readers, as the chosen source and the session's settings change."""

    def __init__(
        self,
        clocks: Clocks,
        settings: Callable[[], ClipSettings],
        publish: Callable[[Event], None],
        *,
        link_in_auto: bool,
    ) -> None:
        """Args:
        clocks: receives the readings.
        settings: gives the session's settings of this moment.
        link_in_auto: whether the source `auto` may be Link.
        """
        self._clocks, self._settings, self._publish = clocks, settings, publish
        self._in_auto: dict[ReadSource, bool] = {
            "link": link_in_auto,
            "jack": find_spec("jack") is not None,
        }
        self._readers: dict[ReadSource, ClockReader] = {}
        self._peers = 0
        self._asked_tempo_bpm: Fraction | None = None

    async def poll(self) -> None:
        """Follow choice and settings; call it a few times a second."""
        settings = self._settings()
        session = SessionTempo(settings.get("tempo_bpm"), changed_meter(settings, None))
        for source in _NAMES:
            reader = self._readers.get(source)
            if not self._is_wanted(source):
                if reader is not None:
                    await reader.stop()
                    del self._readers[source]
                    self._peers_changed(source, 0)
            elif reader is None:
                self._start(source, session)
            else:
                reader.set_session(session)
        self._ask_for_tempo(settings)

    async def stop(self) -> None:
        """End all readers."""
        await all_of({f"leaving {source}": each.stop for source, each in self._readers.items()})

    def _is_wanted(self, source: ReadSource) -> bool:
        choice = self._clocks.choice
        return self._in_auto[source] if choice == "auto" else choice == source

    def _start(self, source: ReadSource, session: SessionTempo) -> None:
        if source == "link":
            self._publish(Remark(NO_ID, LINK_IS_ON))
        reader = ClockReader(source, self._clocks.update, self._state_changed, session)
        self._readers[source] = reader
        reader.start()

    def _state_changed(self, source: ReadSource, state: SourceState) -> None:
        # With `auto`, a JACK server that does not run is nobody's concern.
        if source == "link" or self._clocks.choice == source:
            self._publish(Remark(NO_ID, f"{_NAMES[source]}: {state.detail}"))
        self._peers_changed(source, state.peers)

    def _peers_changed(self, source: ReadSource, peers: int) -> None:
        if source == "link" and peers != self._peers:
            self._peers = peers
            self._publish(LinkPeersChanged(peers))

    def _ask_for_tempo(self, settings: ClipSettings) -> None:
        """Set the tempo of a Link session once, if Link was chosen and the tempo is locked."""
        is_asked = self._clocks.choice == "link" and settings.get("tempo_lock")
        tempo_bpm: Fraction | None = settings.get("tempo_bpm") if is_asked else None
        if tempo_bpm == self._asked_tempo_bpm:
            return
        if tempo_bpm is None:
            self._asked_tempo_bpm = None
        elif self._peers:
            self._asked_tempo_bpm = tempo_bpm
            self._readers["link"].set_tempo(tempo_bpm)
