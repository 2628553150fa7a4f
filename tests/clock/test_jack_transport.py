"""JACK transport as a source of time, with a real server and a leader in another process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from statistics import median

import pytest

from bridge.clock.source import SessionTempo
from bridge.commands import Transport
from bridge.timing import Meter
from tests.clock.observed_reader import ObservedReader, observed_reader
from tests.peers.jack import SAMPLE_RATE, JackServer
from tests.peers.transport import TransportLeader, klick, leading

EXACT_SECONDS = 0.002
"""The peer pairs the clocks once, and JACK's estimate of a cycle's begin moves by this much."""
ENOUGH_READINGS = 15


async def seconds_late(
    observed: ObservedReader, leader: TransportLeader, tempo_bpm: float
) -> float:
    """How much later than in the leader's cycles readings put their beats.

    The median, as a period that the server misses between a reading and the leader's answer spoils
    that pair.
    """
    late = []
    for _ in range(ENOUGH_READINGS):
        (reading,) = await observed.more(1)
        _, frame, seconds = leader.where()
        due = seconds + reading.beat * 60 / tempo_bpm - frame / SAMPLE_RATE
        late.append(reading.received_seconds - due)
    return median(late)


async def plays(observed: ObservedReader) -> Transport:
    return await observed.reading(lambda reading: reading.is_playing, "playing")


@pytest.mark.parametrize("unit", ["quarter", "beat"])
@pytest.mark.parametrize("meter", [Meter(4, 4), Meter(7, 8)], ids=str)
def test_positions_are_the_leaders_whatever_its_tempo_counts(
    jack_server: JackServer, meter: Meter, unit: str
) -> None:
    async def follows() -> None:
        with leading(93.7, meter, unit=unit) as leader:
            async with observed_reader("jack") as observed:
                leader.start()
                await plays(observed)
                first = len(observed.readings)
                assert abs(await seconds_late(observed, leader, 93.7)) < EXACT_SECONDS
                readings = observed.readings[first:]
                assert {reading.tempo_bpm for reading in readings} == {Fraction(937, 10)}
                assert {reading.meter for reading in readings} == {meter}
                for reading in readings:
                    bar_beats = float(meter.beats_per_bar)
                    assert reading.beat_in_bar == pytest.approx(reading.beat % bar_beats)

    asyncio.run(follows())


@pytest.mark.parametrize("meter", [Meter(3, 4), Meter(7, 8)], ids=str)
def test_klick_leads(
    jack_server: JackServer, require_program: Callable[[str], str], meter: Meter
) -> None:
    # It takes quarter notes a minute, and gives JACK beats of the meter a minute.
    tempo_bpm = 93.5
    words = "-T", f"{meter.numerator}/{meter.denominator}", str(tempo_bpm)

    async def follows() -> None:
        with leading(120.0, unit="none") as playhead, klick(require_program("klick"), *words):
            async with observed_reader("jack") as observed:
                playhead.start()
                await plays(observed)
                first = len(observed.readings)
                assert abs(await seconds_late(observed, playhead, tempo_bpm)) < EXACT_SECONDS
                readings = observed.readings[first:]
                assert {float(reading.tempo_bpm) for reading in readings} == {tempo_bpm}
                assert {reading.meter for reading in readings} == {meter}

    asyncio.run(follows())


def test_a_locate_moves_the_playhead_and_a_stop_leaves_it(jack_server: JackServer) -> None:
    async def moves() -> None:
        with leading(120.0) as leader:
            async with observed_reader("jack") as observed:
                leader.start()
                await plays(observed)
                leader.locate(60 * SAMPLE_RATE)
                far = await observed.reading(lambda reading: reading.beat > 119, "locate")
                assert far.is_playing
                assert abs(await seconds_late(observed, leader, 120.0)) < EXACT_SECONDS
                leader.stop()
                halted = await observed.reading(lambda reading: not reading.is_playing, "stop")
                _, frame, _ = leader.where()
                assert halted.beat == pytest.approx(frame / SAMPLE_RATE * 2, abs=0.001)
                leader.locate(0)
                await observed.reading(lambda reading: reading.beat == 0, "locate while stopped")

    asyncio.run(moves())


def test_a_tempo_change_keeps_the_beat(jack_server: JackServer) -> None:
    async def changes() -> None:
        with leading(120.0) as leader:
            async with observed_reader("jack") as observed:
                leader.start()
                await plays(observed)
                before = (await observed.more(3))[-1]
                leader.set_tempo(90.0)
                after = await observed.reading(lambda reading: reading.tempo_bpm == 90, "tempo")
                seconds = after.received_seconds - before.received_seconds
                # A period that the server misses lets the transport wait.
                assert 0 < after.beat - before.beat < seconds * 2 + 0.01

    asyncio.run(changes())


def test_without_a_tempo_the_sessions_counts_from_frame_0(jack_server: JackServer) -> None:
    async def counts() -> None:
        session = SessionTempo(Fraction(90), Meter(3, 4))
        with leading(120.0, unit="none") as leader:
            async with observed_reader("jack", session) as observed:
                leader.start()
                reading = await plays(observed)
                assert (reading.tempo_bpm, reading.meter) == (Fraction(90), Meter(3, 4))
                assert abs(await seconds_late(observed, leader, 90.0)) < EXACT_SECONDS
                observed.reader.set_session(SessionTempo(Fraction(80), Meter(3, 4)))
                await observed.reading(lambda reading: reading.tempo_bpm == 80, "session's tempo")

    asyncio.run(counts())


def test_without_any_tempo_nothing_counts_and_the_remedy_is_named(jack_server: JackServer) -> None:
    async def named() -> None:
        with leading(120.0, unit="none") as leader:
            async with observed_reader("jack") as observed:
                leader.start()
                await observed.state(lambda state: "/bridge/set" in state.detail, "remedy")
                assert observed.readings == []

    asyncio.run(named())


def test_a_server_may_stop_and_come_back(
    jack_server: JackServer, capfd: pytest.CaptureFixture[str]
) -> None:
    async def returns() -> None:
        async with observed_reader("jack") as observed:
            with leading(120.0) as leader:
                leader.start()
                await plays(observed)
                jack_server.kill()
            await observed.state(lambda state: "no JACK server" in state.detail, "loss")
            jack_server.start()
            with leading(90.0) as leader:
                leader.start()
                await observed.reading(lambda reading: reading.tempo_bpm == 90, "new server")

    asyncio.run(returns())
    assert capfd.readouterr().err == ""
