"""Ableton Link as a source of time, with a peer in another process and a network of their own."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from itertools import pairwise
from math import remainder

import pytest

from bridge.clock.source import SessionTempo
from bridge.commands import Transport
from bridge.timing import Meter
from tests.clock.observed_reader import ObservedReader, observed_reader
from tests.peers.link import LinkPeer, linked

pytestmark = [pytest.mark.usefixtures("own_network"), pytest.mark.exclusive]

EXACT_SECONDS = 0.001


def phase_errors(readings: list[Transport], peer: LinkPeer, bar_beats: float) -> list[float]:
    """Seconds from the peer's phase in the bar to each reading's."""
    here = peer.where(bar_beats)
    errors = []
    for reading in readings:
        since = reading.received_seconds - here.seconds
        beat = here.beat + since * here.tempo_bpm / 60
        assert reading.beat_in_bar is not None
        off = remainder(reading.beat_in_bar - beat, bar_beats)
        errors.append(off * 60 / here.tempo_bpm)
    return errors


async def plays(observed: ObservedReader) -> Transport:
    return await observed.reading(lambda reading: reading.is_playing, "playing")


@pytest.mark.parametrize("meter", [Meter(4, 4), Meter(7, 8)], ids=str)
def test_a_session_gives_tempo_and_bar_lines_and_keeps_its_own(meter: Meter) -> None:
    async def follows() -> None:
        async with observed_reader("link", SessionTempo(Fraction(90), meter)) as observed:
            # The peer comes later: a session that had waited for it would win over its tempo.
            await observed.state(lambda state: "no other" in state.detail, "search")
            with linked(133.7) as peer:
                await plays(observed)
                readings = await observed.more(5)
                assert {reading.tempo_bpm for reading in readings} == {Fraction(1337, 10)}
                assert {reading.meter for reading in readings} == {meter}
                errors = phase_errors(readings, peer, float(meter.beats_per_bar))
                assert max(map(abs, errors)) < EXACT_SECONDS
                assert peer.where().tempo_bpm == 133.7
                assert observed.reader.state.peers == 1

    asyncio.run(follows())


def test_start_counts_from_the_next_bar_line_and_stop_ends_it() -> None:
    async def starts_and_stops() -> None:
        with linked(120.0) as peer:
            async with observed_reader("link") as observed:
                await plays(observed)
                peer.wait_for_peers()
                peer.stop()
                await observed.reading(lambda reading: not reading.is_playing, "stop")
                peer.start(4.0)
                begun = await plays(observed)
                here = peer.where(4.0)
                since = (begun.received_seconds - here.seconds) * here.tempo_bpm / 60
                assert begun.beat == pytest.approx(here.beat + since, abs=0.001)
                peer.stop()
                halted = await observed.reading(lambda reading: not reading.is_playing, "stop")
                later = await observed.more(2)
                assert {reading.beat for reading in later} == {halted.beat}

    asyncio.run(starts_and_stops())


def test_a_tempo_is_set_for_all_only_when_asked() -> None:
    async def sets() -> None:
        with linked(100.0, shares_start_stop=False) as peer:
            async with observed_reader("link", SessionTempo(Fraction(90))) as observed:
                await plays(observed)
                observed.reader.set_session(SessionTempo(Fraction(91)))
                await observed.more(3)
                assert peer.where().tempo_bpm == pytest.approx(100.0)
                observed.reader.set_tempo(Fraction(937, 10))
                changed = await observed.reading(lambda reading: reading.tempo_bpm != 100, "tempo")
                assert changed.tempo_bpm == Fraction(937, 10)
                await observed.until(
                    lambda: abs(peer.where().tempo_bpm - 93.7) < 0.001, "tempo at the peer"
                )

    asyncio.run(sets())


def test_tempo_changes_and_a_lost_peer_do_not_move_the_beat() -> None:
    async def stays() -> None:
        with linked(120.0) as peer:
            async with observed_reader("link") as observed:
                await plays(observed)
                await observed.more(2)
                first = len(observed.readings)
                peer.set_tempo(140.0)
                await observed.reading(lambda reading: reading.tempo_bpm == 140, "tempo")
                peer.leave()
                await observed.state(lambda state: state.peers == 0, "loss of the peer")
                ended = await observed.reading(lambda reading: not reading.is_playing, "end")
                readings = observed.readings[first:]
                for last, reading in pairwise(readings):
                    seconds = reading.received_seconds - last.received_seconds
                    beats = reading.beat - last.beat
                    assert beats >= 0
                    if last.tempo_bpm == reading.tempo_bpm and reading is not ended:
                        expected = seconds * float(reading.tempo_bpm) / 60
                        assert beats == pytest.approx(expected, abs=0.001)

    asyncio.run(stays())
