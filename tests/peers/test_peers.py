"""The peers themselves, whose times the other tests take for the truth."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from bridge.timing import Meter
from tests.peers.jack import LONG_PERIOD, SAMPLE_RATE, JackServer, excusing_xruns
from tests.peers.link import linked
from tests.peers.midi import (
    START,
    TICK,
    TICKS_PER_BEAT,
    Timed,
    midi_clock,
    receiving,
    sending,
    sending_by_rtmidi,
)
from tests.peers.timeline import Timeline, click_beats, clicks
from tests.peers.transport import jack_midi_clock, leading
from tests.peers.wait import until

EXACT_SECONDS = 0.0005
"""Two clients see the same frame at instants that differ by less than this."""
NEAR_SECONDS = 0.0025
"""The server's idea of its frames' times moves by less than this on a busy machine."""


@pytest.fixture(scope="module")
def jack_period() -> int:
    return LONG_PERIOD


def test_the_sender_plays_a_clock_at_its_instants(jack_server: JackServer) -> None:
    def attempt() -> None:
        with sending() as keyboard, receiving() as device:
            jack_server.connect(keyboard.ports[0], device.port)
            timeline = Timeline(time.perf_counter() + 0.5, (0, 120.0), (2, 174.0))
            played = midi_clock(timeline, 0, 4)
            keyboard.sent(keyboard.send(played))
            device.wait_for_count(len(played))
            assert [message.data for message in device.messages] == [TICK] * 4 * TICKS_PER_BEAT
            for came, sent in zip(device.messages, played, strict=True):
                assert abs(came.seconds - sent.seconds) < EXACT_SECONDS

    excusing_xruns(jack_server, attempt)


def test_the_sender_sends_all_of_a_flood_and_other_lists_meanwhile(
    jack_server: JackServer,
) -> None:
    def attempt() -> None:
        with sending() as keyboard, receiving() as device:
            jack_server.connect(keyboard.ports[0], device.port)
            due = time.perf_counter() + 0.5
            start = keyboard.send([Timed(due, START)])
            flood = [bytes([0xB0, number % 120, 1]) for number in range(20_000)]
            keyboard.play(*flood)
            keyboard.sent(start)
            device.wait_for_count(len(flood) + 1)
            assert [message.data for message in device.messages if message.data != START] == flood

    excusing_xruns(jack_server, attempt)


def test_an_rtmidi_port_sends_in_order(jack_server: JackServer) -> None:
    with sending_by_rtmidi() as synth, receiving() as device:
        jack_server.connect(synth.port, device.port)
        played = [bytes([0x90, pitch, 80]) for pitch in range(60, 72)]
        synth.play(*played)
        device.wait_for(played[-1])
        assert [message.data for message in device.messages] == played


@pytest.mark.parametrize("meter", [Meter(4, 4), Meter(7, 8)])
def test_a_led_transport_drives_jack_midi_clock_on_its_timeline(
    jack_server: JackServer, require_program: Callable[[str], str], meter: Meter
) -> None:
    executable = require_program("jack_midi_clock")

    def attempt() -> None:
        with (
            leading(93.7, meter) as leader,
            jack_midi_clock(jack_server, executable) as port,
            receiving() as device,
        ):
            jack_server.connect(port, device.port)
            leader.locate(0)
            timeline = leader.start()
            device.wait_for_count(3 * TICKS_PER_BEAT)
            leader.stop()
            ticks = [message for message in device.read() if message.data == TICK]
            # jack_midi_clock's first ticks after a start are off.
            for tick in ticks[TICKS_PER_BEAT:]:
                position = timeline.beat_at(tick.seconds) * TICKS_PER_BEAT
                off_seconds = (position - round(position)) * 60 / 93.7 / TICKS_PER_BEAT
                assert abs(off_seconds) < NEAR_SECONDS

    excusing_xruns(jack_server, attempt)


def test_two_link_peers_share_tempo_beat_and_start(own_network: None) -> None:
    with linked(120.0) as first, linked(90.0) as second:
        second.wait_for_peers()
        # A peer that joins does not learn that the others play already: only of later starts.
        first.start()
        until(lambda: second.where().is_playing, "the second plays")
        here, there = first.timeline(), second.timeline()
        assert there.tempi == here.tempi == ((0, 120.0),)
        bar_seconds = 2.0
        apart = (there.start_seconds - here.start_seconds) % bar_seconds
        assert min(apart, bar_seconds - apart) < 0.005
        first.stop()
        until(lambda: not second.where().is_playing, "the second stops")


def test_clicks_sound_on_the_beats_of_the_timeline() -> None:
    timeline = Timeline(100.0, (0, 93.7), (7, 120.0))
    samples = clicks(timeline, 3, Meter(7, 8), SAMPLE_RATE)
    for number, beat in enumerate(click_beats(3, Meter(7, 8))):
        frame = round((timeline.seconds_of(beat) - 100.0) * SAMPLE_RATE)
        assert samples[frame, 0] > (0.6 if number % 7 == 0 else 0.3)
        assert abs(timeline.beat_at(timeline.seconds_of(beat)) - beat) < 1e-9
    assert timeline.seconds_of(8) - timeline.seconds_of(7) == pytest.approx(0.5)
