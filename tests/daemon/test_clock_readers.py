"""Which sources of time are read, and what a person hears of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from fractions import Fraction

import pytest

from bridge.clock.clocks import ClockChoice, Clocks
from bridge.commands import ClipSettings
from bridge.daemon.clock_readers import LINK_IS_ON, ClockReaders
from bridge.events import Event, LinkPeersChanged, Remark
from tests.peers.jack import JackServer
from tests.peers.link import linked
from tests.peers.transport import leading
from tests.peers.wait import PATIENCE_SECONDS


class Session:
    """Clocks and readers, with all events."""

    def __init__(self, choice: ClockChoice, *, link_in_auto: bool = False) -> None:
        self.settings = ClipSettings()
        self.events: list[Event] = []
        self.clocks = Clocks(lambda: self.settings, lambda _: None, choice=choice)
        self.readers = ClockReaders(
            self.clocks, lambda: self.settings, self.events.append, link_in_auto=link_in_auto
        )

    @property
    def remarks(self) -> str:
        return "\n".join(event.text for event in self.events if isinstance(event, Remark))

    async def until(self, reached: Callable[[], object], what: str) -> None:
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while not reached():
            assert time.perf_counter() < deadline, f"no {what}; {self.events}"
            await self.readers.poll()
            self.clocks.poll(time.perf_counter())
            await asyncio.sleep(0.02)

    async def plays(self) -> None:
        await self.until(
            lambda: self.clocks.current.is_playing(time.perf_counter()), "time that moves"
        )


@pytest.mark.exclusive
@pytest.mark.usefixtures("own_network")
def test_link_is_on_only_while_it_is_chosen_and_says_so() -> None:
    async def chosen() -> None:
        session = Session("auto")
        try:
            await session.readers.poll()
            assert LINK_IS_ON not in session.remarks
            session.clocks.select("link", time.perf_counter())
            with linked(133.7):
                await session.plays()
                assert session.clocks.current.tempo_bpm == Fraction(1337, 10)
                assert LINK_IS_ON in session.remarks
                await session.until(lambda: LinkPeersChanged(1) in session.events, "peer")
                session.clocks.select("osc", time.perf_counter())
                await session.readers.poll()
                assert session.events[-1] == LinkPeersChanged(0)
        finally:
            await session.readers.stop()

    asyncio.run(chosen())


@pytest.mark.exclusive
@pytest.mark.usefixtures("own_network")
def test_a_locked_tempo_is_set_once_for_the_session_of_a_chosen_link() -> None:
    async def locked() -> None:
        session = Session("link")
        session.settings = ClipSettings(tempo_bpm=Fraction(90))
        try:
            with linked(100.0) as peer:
                await session.plays()
                assert session.clocks.current.tempo_bpm == 100
                session.settings = ClipSettings(tempo_bpm=Fraction(90), tempo_lock=True)
                await session.until(
                    lambda: session.clocks.current.tempo_bpm == 90, "the locked tempo"
                )
                peer.set_tempo(110.0)
                await session.until(
                    lambda: session.clocks.current.tempo_bpm == 110, "the peer's tempo"
                )
                assert peer.where().tempo_bpm == pytest.approx(110)
        finally:
            await session.readers.stop()

    asyncio.run(locked())


@pytest.mark.exclusive
@pytest.mark.usefixtures("own_network")
def test_auto_takes_link_when_the_option_allows_it() -> None:
    async def allowed() -> None:
        session = Session("auto", link_in_auto=True)
        try:
            with linked(100.0):
                await session.plays()
                assert session.clocks.source == "link"
        finally:
            await session.readers.stop()

    asyncio.run(allowed())


def test_auto_takes_the_jack_transport_that_rolls(jack_server: JackServer) -> None:
    async def rolls() -> None:
        session = Session("auto")
        try:
            with leading(93.7) as leader:
                leader.start()
                await session.plays()
                assert session.clocks.source == "jack"
                assert session.clocks.current.tempo_bpm == Fraction(937, 10)
        finally:
            await session.readers.stop()

    asyncio.run(rolls())


def test_a_chosen_jack_without_a_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jack")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "melody-bridge-none")

    async def missing() -> None:
        session = Session("jack")
        try:
            await session.until(lambda: "no JACK server runs" in session.remarks, "remark")
        finally:
            await session.readers.stop()

    asyncio.run(missing())
