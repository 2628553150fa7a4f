"""Ableton Link as a source of time. It joins the session that others have, and begins none.

Needs the extra `link`, whose binary is under the GPL. Only the reader's child process imports it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from types import ModuleType

from bridge.clock.link_search import LinkSearch
from bridge.clock.link_session import LinkSession
from bridge.clock.source import MissingSource, SessionTempo
from bridge.commands import Transport

GRACE_SECONDS = 5.0
"""The session counts as playing for this long without a peer: a network may lose one briefly."""


class LinkReader:
    """Reads the time of the session on the network, once there is one.

    Raises:
        MissingSource: the extra is not installed, or Link's port does not open.
    """

    def __init__(self, session: SessionTempo) -> None:
        self._library = _library()
        self._settings = session
        self._search: LinkSearch | None = _search()
        self._session: LinkSession | None = None
        self._last_peer_seconds = 0.0
        self._has_met_peers = False

    @property
    def peers(self) -> int:
        """Other programs in the session."""
        return self._session.peers if self._session is not None else 0

    @property
    def detail(self) -> str:
        """A sentence about the session."""
        if self.peers:
            return f"{self.peers} other program{'s' * (self.peers > 1)} in the Link session"
        return "no other program with Link on is found"

    def set_session(self, session: SessionTempo) -> None:
        """Use another meter."""
        self._settings = session
        if self._session is not None:
            self._session.set_session(session)

    def set_tempo(self, tempo_bpm: Fraction) -> None:
        """Change the tempo of everyone in the session, if there is one."""
        if self.peers and self._session is not None:
            self._session.set_tempo(tempo_bpm)

    def read(self) -> Transport | None:
        """Where the session's music is now; None without a session."""
        session = self._session or self._join()
        if session is None:
            return None
        reading = session.read()
        now = reading.received_seconds
        if session.peers:
            self._last_peer_seconds, self._has_met_peers = now, True
        met_peers, is_alone = self._has_met_peers, now > self._last_peer_seconds + GRACE_SECONDS
        if is_alone:
            self._leave()
        if not met_peers:
            return None
        return replace(reading, is_playing=False) if is_alone else reading

    def close(self) -> None:
        """Leave the session."""
        if self._session is not None:
            self._session.close()
        if self._search is not None:
            self._search.close()

    def _join(self) -> LinkSession | None:
        if self._search is None:
            self._search = _search()
        if not self._search.found():
            return None
        self._search.close()
        self._search = None
        self._session = LinkSession(self._library, self._settings)
        self._last_peer_seconds, self._has_met_peers = time.perf_counter(), False
        return self._session

    def _leave(self) -> None:
        """Search again: a session of one's own grows old, and would win over a later one."""
        if self._session is not None:
            self._session.close()
            self._session = None


def _library() -> ModuleType:
    try:
        import link
    except ImportError as error:
        raise MissingSource(
            f"Ableton Link needs the extra: pip install 'melody-bridge[link]' ({error})"
        ) from error
    return link


def _search() -> LinkSearch:
    try:
        return LinkSearch()
    except OSError as error:
        raise MissingSource(f"Link's port does not open: {error.strerror or error}") from error
