"""MIDI clock through a real port: JACK MIDI, the MIDI process, and the follower."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from bridge.midi import MidiPorts
from tests.clock.midi_master import Receiver
from tests.peers.jack import LONG_PERIOD, JackServer, excusing_xruns
from tests.peers.midi import Timed, midi_clock, sending
from tests.peers.timeline import Timeline
from tests.peers.wait import PATIENCE_SECONDS

IN = "Melody Bridge:in"
BEATS, STEP_BEAT = 24, 12
LEAD_SECONDS = 1.0
"""The first tick is sent so much later than it is handed to the sender."""


@pytest.fixture(scope="module")
def jack_period() -> int:
    return LONG_PERIOD


def test_beats_through_a_port_are_right_to_3_ms_with_2_ms_of_jitter(
    jack_server: JackServer,
) -> None:
    def attempt() -> None:
        receiver, timeline = asyncio.run(_performance(jack_server))
        errors = []
        for beat in range(1, BEATS - 1):
            position = receiver.clock.beat_at(timeline.seconds_of(beat))
            assert position is not None
            errors.append((position - beat) / timeline.tempi[-1][1] * 60)
        assert np.percentile(np.abs(errors), 95) < 0.003, errors
        assert receiver.clock.tempo_bpm == pytest.approx(Fraction(140), abs=0.1)
        assert receiver.clock.bars_ending(timeline.seconds_of(BEATS - 1), 5).broken == ""

    excusing_xruns(jack_server, attempt)


async def _performance(jack_server: JackServer) -> tuple[Receiver, Timeline]:
    """Play a clock with a step of tempo; return who followed it, and when its beats were."""
    receiver = Receiver()
    ports = MidiPorts("jack", receiver.midi.received, lambda change: None)
    ports.start()
    try:
        await _until(lambda: ports.inputs == (IN,), "a port")
        with sending("master") as master:
            jack_server.connect(master.ports[0], IN)
            start = time.perf_counter() + LEAD_SECONDS
            timeline = Timeline(start, (0, 120), (STEP_BEAT, 140))
            ticks = midi_clock(timeline, 0, BEATS, jitter_seconds=0.002)
            master.send([Timed(start - 0.01, b"\xfa"), *ticks])
            end = timeline.seconds_of(BEATS - 0.5)
            await _until(
                lambda: (receiver.clock.last_reading_seconds or 0.0) > end, "the last beat"
            )
    finally:
        await ports.stop()
    return receiver, timeline


async def _until(reached: Callable[[], object], what: str) -> None:
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while not reached():
        assert time.perf_counter() < deadline, f"no {what}"
        await asyncio.sleep(0.01)
