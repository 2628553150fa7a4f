"""MIDI clock: position by count, tempo from jittery ticks, and all that masters do differently."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bridge.clock.midi_clock import TICK, MidiClock
from bridge.clock.tick_line import TICKS_PER_BEAT
from bridge.commands import Transport
from bridge.midi.messages import MidiMessage
from tests.clock.midi_master import Master, Receiver

JITTER_SECONDS = 0.002
SEEDS = range(20)
EXACT_SECONDS = 1e-6


def played(beats: float, tempo_bpm: float = 120, *, seed: int = 0, jitter: float = 0.0) -> Master:
    """A master that was started with its clock."""
    master = Master(Receiver(), tempo_bpm, jitter_seconds=jitter, seed=seed)
    master.start()
    master.clock(beats)
    return master


@pytest.mark.parametrize("tempo_bpm", [60, 93.7, 120, 133.3])
def test_with_2_ms_of_jitter_tempo_is_right_to_a_tenth_within_four_beats(tempo_bpm: float) -> None:
    for seed in SEEDS:
        master = played(4, tempo_bpm, seed=seed, jitter=JITTER_SECONDS)
        for _ in range(12):
            master.clock(1)
            assert master.receiver.tempo_bpm == pytest.approx(tempo_bpm, abs=0.1001)


@pytest.mark.parametrize("tempo_bpm", [60, 120, 174])
def test_with_2_ms_of_jitter_beats_are_right_to_3_ms(tempo_bpm: float) -> None:
    for seed in SEEDS:
        master = played(24, tempo_bpm, seed=seed, jitter=JITTER_SECONDS)
        assert max(map(abs, master.errors_seconds())) < 0.003
        span = master.receiver.clock.bars_ending(master.now, 6)
        assert (span.bars, span.broken) == (6, "")


@pytest.mark.parametrize("step", [(120, 140), (120, 60), (120, 121), (90, 93.7)], ids=str)
def test_a_tempo_step_is_followed_within_one_beat(step: tuple[float, float]) -> None:
    before, after = step
    for seed in SEEDS:
        master = played(16, before, seed=seed, jitter=JITTER_SECONDS)
        master.tempo_bpm = after
        master.clock(1)
        assert master.receiver.tempo_bpm == pytest.approx(after, abs=1.01)
        master.clock(7)
        assert master.receiver.tempo_bpm == pytest.approx(after, abs=0.21)
        span = master.receiver.clock.bars_ending(master.now, 6)
        assert (span.bars, span.broken) == (6, "")
        assert master.receiver.clock.bars_ending(master.now, 1).is_steady


def test_exact_ticks_give_the_exact_tempo() -> None:
    for tempo_bpm in (120, 93.7, 120.05, 174.05, 20, 300):
        master = played(2, tempo_bpm)
        assert master.receiver.clock.tempo_bpm == Fraction(str(tempo_bpm))
        assert max(map(abs, master.errors_seconds())) < EXACT_SECONDS


def test_a_tempo_ramp_is_followed_within_4_ms() -> None:
    for seed in SEEDS:
        master = played(8, seed=seed, jitter=JITTER_SECONDS)
        for step in range(160):
            master.tempo_bpm = 120 + step / 4
            master.clock(1 / 8)
        assert max(map(abs, master.errors_seconds())) < 0.004
        assert master.receiver.clock.bars_ending(master.now, 6).broken == ""


def test_the_first_tick_after_start_is_beat_0() -> None:
    master = played(4.01)
    assert master.receiver.clock.beat_at(master.lines[0]) == pytest.approx(0, abs=1e-6)
    assert master.receiver.clock.is_playing(master.lines[0] + 1e-3)


def test_the_clock_plays_from_its_first_tick_on() -> None:
    master = Master(Receiver())
    master.start()
    assert not master.receiver.readings
    master.clock(1 / 24)
    assert master.receiver.clock.is_playing(master.now)


def test_no_tempo_is_taken_from_less_than_a_beat() -> None:
    master = Master(Receiver(), 90)
    master.start()
    master.clock(23 / 24)
    assert master.receiver.tempo_bpm == 120
    master.clock(2 / 24)
    assert master.receiver.tempo_bpm == 90


def test_irregular_first_ticks_are_forgotten() -> None:
    master = played(1, 140, jitter=JITTER_SECONDS)
    master.tempo_bpm = 120
    master.clock(12)
    assert master.receiver.tempo_bpm == pytest.approx(120, abs=0.1)
    assert max(map(abs, master.errors_seconds())) < 0.006


def test_a_clock_that_was_not_started_gives_a_tempo_only() -> None:
    master = Master(Receiver(), 133)
    master.clock(8, moves=False)
    assert not master.receiver.clock.is_playing(master.now)
    assert master.receiver.clock.beat_at(master.now) == 0
    assert master.receiver.tempo_bpm == 133
    master.start()
    master.clock(4)
    assert max(map(abs, master.errors_seconds())) < EXACT_SECONDS


def test_a_start_without_a_clock_plays_nothing_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    master = Master(Receiver())
    master.start()
    master.rest(2.0)
    assert not master.receiver.readings
    assert "sends no MIDI clock" in caplog.text


def test_a_clock_that_runs_while_stopped_moves_nothing() -> None:
    master = played(9)
    master.stop()
    stopped = master.beat
    master.clock(8, moves=False)
    assert not master.receiver.clock.is_playing(master.now)
    assert master.receiver.clock.beat_at(master.now) == pytest.approx(stopped)
    master.go_on()
    master.clock(2)
    assert master.receiver.clock.beat_at(master.now) == pytest.approx(11, abs=1e-6)


def test_a_song_position_before_continue_is_where_the_next_tick_is() -> None:
    master = Master(Receiver())
    master.clock(2, moves=False)
    master.locate(34)
    assert master.receiver.clock.beat_at(master.now) == 8.5
    master.go_on()
    master.clock(4)
    assert max(map(abs, master.errors_seconds())) < EXACT_SECONDS
    assert master.receiver.clock.beat_at(master.now) == pytest.approx(12.5, abs=1e-6)


def test_a_song_position_while_it_runs_is_a_jump_and_a_loop_is_continuous() -> None:
    master = played(16)
    for _ in range(3):
        master.locate(32)
        master.clock(8)
    clock = master.receiver.clock
    assert clock.beat_at(master.now - 0.01) == pytest.approx(15.98)
    span = clock.bars_ending(master.now, 10)
    assert (span.bars, span.broken) == (10, "")
    master.locate(401)
    master.clock(8)
    assert clock.beat_at(master.now - 0.01) == pytest.approx(108.23)
    assert clock.bars_ending(master.now, 10).broken == "the playhead jumped"


def test_a_start_while_it_runs_begins_again() -> None:
    master = played(6.5)
    master.start()
    master.clock(4)
    assert master.receiver.clock.beat_at(master.now) == pytest.approx(4, abs=1e-6)


@pytest.mark.parametrize("lost", [1, 3, 12, 48])
def test_lost_ticks_are_counted(lost: int) -> None:
    for seed in SEEDS:
        master = played(8, seed=seed, jitter=JITTER_SECONDS)
        master.clock(12, is_lost=lambda tick: 48 <= tick < 48 + lost)
        assert max(map(abs, master.errors_seconds())) < 0.003
        assert master.receiver.clock.bars_ending(master.now, 5).broken == ""
        assert master.receiver.tempo_bpm == pytest.approx(120, abs=0.1)


def test_ticks_that_come_late_together_are_not_lost() -> None:
    for late_seconds in (0.02, 0.06, 0.2):
        receiver = Receiver()
        receiver.send(999.99, 0xFA)
        interval = 60 / TICKS_PER_BEAT / 120
        for tick in range(16 * TICKS_PER_BEAT):
            due = 1000 + tick * interval
            # Every two beats the system stalls.
            stall = due - due % 1.0
            receiver.send(max(due, stall + late_seconds if due > 1001 else due), TICK)
        assert receiver.clock.beat_at(1008.0) == pytest.approx(16, abs=0.01)
        assert receiver.clock.bars_ending(1007.99, 3).broken == ""


def test_silence_of_half_a_second_is_a_stop_and_a_drop_out_does_not_lose_the_position() -> None:
    master = played(16)
    master.clock(0.6, is_lost=lambda tick: True)
    assert master.receiver.clock.is_playing(master.now)
    master.clock(1.4, is_lost=lambda tick: True)
    assert not master.receiver.clock.is_playing(master.now)
    master.clock(6)
    assert master.receiver.clock.is_playing(master.now)
    assert master.receiver.clock.beat_at(master.now) == pytest.approx(24, abs=1e-3)
    assert master.receiver.clock.bars_ending(master.now, 6).broken == ""


def test_a_clock_that_pauses_without_a_message_goes_on_where_it_stopped() -> None:
    master = played(8)
    master.rest(5.0)
    assert not master.receiver.clock.is_playing(master.now - 4)
    master.clock(4)
    assert master.receiver.clock.beat_at(master.now) == pytest.approx(12, abs=1e-3)


def test_a_device_that_sends_its_clock_on_two_ports_is_heard_once() -> None:
    receiver = Receiver()
    interval = 60 / TICKS_PER_BEAT / 120
    for port in ("a", "b"):
        receiver.send(999.99, 0xFA, port=port)
    for tick in range(8 * TICKS_PER_BEAT):
        for port in ("a", "b"):
            receiver.send(1000 + tick * interval, TICK, port=port)
    assert receiver.tempo_bpm == 120
    assert receiver.clock.beat_at(1004.0) == pytest.approx(8, abs=1e-3)


def test_another_port_is_followed_once_the_first_is_silent_or_stopped() -> None:
    first = played(8)
    second = Master(first.receiver, 90, port="b")
    second.now = first.now + 1.0
    second.start()
    second.clock(8)
    assert first.receiver.tempo_bpm == 90
    assert first.receiver.clock.beat_at(second.now) == pytest.approx(8, abs=1e-3)


def test_the_offset_moves_the_beats_later() -> None:
    early, late = Master(Receiver()), Master(Receiver(0.068))
    for master in (early, late):
        master.start()
        master.clock(9)
    line = early.receiver.clock.next_bar_line(1001.0)
    moved = late.receiver.clock.next_bar_line(1001.0)
    assert line is not None and moved == pytest.approx(line + 0.068, abs=EXACT_SECONDS)


def test_a_flood_of_clocks_is_no_tempo_and_keeps_the_memory() -> None:
    random = np.random.default_rng(7)
    readings: list[Transport] = []

    def read(reading: Transport, *, steady_since_seconds: float | None) -> None:
        readings.append(reading)

    midi = MidiClock(read, lambda: None)
    statuses = [[0xF8]] * 20 + [[0xFA], [0xFB], [0xFC], [0xF2, 3, 4], [0xF2], [0x90, 60, 90]]
    for index in range(20_000):
        data = statuses[int(random.integers(len(statuses)))]
        midi.received([MidiMessage(1000 + index / 5000, "a", bytes(data))])
    assert all(20 <= reading.tempo_bpm <= 999 for reading in readings)
    assert len(midi._line._numbers) <= 192
