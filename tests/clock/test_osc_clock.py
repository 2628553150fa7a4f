"""The beat clock against a DAW whose playhead is known; packets are late, lost and reordered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.clock.osc_clock import OscClock
from bridge.commands import Transport
from bridge.errors import NotEnoughBars
from bridge.timing import Meter, bars_to_seconds
from tests.clock.daw import Daw

JITTER = (0.0, 0.03)
METERS = [Meter(4, 4), Meter(3, 4), Meter(7, 8), Meter(5, 4), Meter(6, 8)]


def clock_after(packets: Iterable[Transport], until: float = np.inf) -> OscClock:
    """A clock that received all packets up to an instant."""
    clock = OscClock()
    for packet in packets:
        if packet.received_seconds <= until:
            clock.update(packet)
    return clock


def clock_over_time(
    daw: Daw, packets: Iterable[Transport], first: float
) -> Iterator[tuple[float, OscClock]]:
    """The clock every 37 ms from an instant on, with the packets that had arrived by then."""
    clock, waiting = OscClock(), list(packets)
    for now in np.arange(daw.legs[0].seconds, daw.now - 0.05, 0.037):
        while waiting and waiting[0].received_seconds <= now:
            clock.update(waiting.pop(0))
        if now >= first:
            yield float(now), clock


def playing(beats: float, **script: object) -> Daw:
    daw = Daw(**script)  # type: ignore[arg-type]
    daw.stop(1.0)
    daw.play(beats)
    return daw


def steady() -> Daw:
    return playing(60)


def tempo_steps() -> Daw:
    daw = playing(16)
    for tempo_bpm in (140, 90, 91):
        daw.tempo_bpm = Fraction(tempo_bpm)
        daw.play(20)
    return daw


def ramp() -> Daw:
    daw = playing(16)
    daw.ramp(140, 32)
    daw.play(20)
    return daw


@pytest.mark.parametrize(
    ("script", "on_change"), [(steady, True), (tempo_steps, True), (ramp, True), (ramp, False)]
)
@pytest.mark.parametrize(("lost", "late"), [(0.0, 0.0), (0.1, 0.03)], ids=["all", "some"])
def test_the_beat_is_within_5_ms_two_seconds_after_playback_began(
    script: Callable[[], Daw], on_change: bool, lost: float, late: float
) -> None:
    errors = []
    for seed in range(8):
        daw = script()
        packets = daw.packets(jitter=JITTER, lost=lost, late=late, on_change=on_change, seed=seed)
        for now, clock in clock_over_time(daw, packets, daw.legs[1].seconds + 2):
            beat = clock.beat_at(now)
            assert beat is not None
            beats_a_second = float(daw.leg_at(now).tempo_bpm) / 60
            errors.append((beat - daw.beat_at(now)) / beats_a_second)
    assert np.percentile(np.abs(errors), 95) < 0.005
    assert abs(np.mean(errors)) < 0.001


def test_the_estimate_for_an_instant_changes_by_less_than_5_ms_within_a_second() -> None:
    changes = []
    for seed in range(8):
        daw = steady()
        estimates: list[tuple[float, float]] = []
        packets = daw.packets(jitter=JITTER, lost=0.1, late=0.03, seed=seed)
        for now, clock in clock_over_time(daw, packets, daw.legs[1].seconds + 2):
            estimates = [(at, beat) for at, beat in estimates if at > now - 1]
            for at, beat in estimates:
                revised = clock.beat_at(at)
                assert revised is not None
                changes.append(abs(revised - beat) / 2)
            before = clock.beat_at(now)
            assert before is not None
            estimates.append((now, before))
    assert np.percentile(changes, 95) < 0.0025
    assert np.percentile(changes, 99) < 0.005


def test_jitter_to_both_sides_is_a_constant_offset_and_no_jump() -> None:
    """It looks the same as delays of 0 to 30 ms and a clock that is 15 ms off."""
    daw = steady()
    errors = []
    for now, clock in clock_over_time(
        daw, daw.packets(jitter=(-0.015, 0.015)), daw.legs[1].seconds + 2
    ):
        beat = clock.beat_at(now)
        assert beat is not None
        errors.append((beat - daw.beat_at(now)) / 2)
    assert max(errors) - min(errors) < 0.01
    assert clock_after(daw.packets(jitter=(-0.015, 0.015))).bars_ending(daw.now, 15).bars == 15


def test_the_last_150_s_are_remembered_correctly() -> None:
    """The history has a stop, a jump and tempo changes, and is queried at the end."""
    daw = playing(60)
    daw.tempo_bpm = Fraction(901, 10)
    daw.play(60)
    daw.stop(7.0)
    daw.jump(200.0)
    daw.play(40)
    daw.jump(7.0)
    daw.play(120)
    clock = clock_after(daw.packets(jitter=JITTER))
    errors, ago = [], 150.0
    for now in np.arange(daw.now - ago, daw.now, 0.1):
        # The position between the last packet before a jump and the first after it is unknown.
        leg = daw.leg_at(now)
        if daw.leg_at(now - 0.3) is leg and daw.leg_at(now + 0.3) is leg:
            beat = clock.beat_at(now)
            assert beat is not None
            errors.append((beat - leg.beat_at(now)) * 60 / float(leg.tempo_bpm))
            assert clock.is_playing(now) == leg.is_playing
    assert len(errors) > 1300
    assert np.percentile(np.abs(errors), 95) < 0.005


def test_before_the_first_packet_nothing_is_known() -> None:
    clock = OscClock()
    assert clock.tempo_bpm is None and clock.meter is None and clock.last_reading_seconds is None
    assert not clock.is_playing(10.0) and not clock.is_gone(10.0)
    assert clock.beat_at(10.0) is None and clock.bar_fraction(10.0) is None
    assert clock.next_bar_line(10.0) is None and clock.bar_line_at_or_before(10.0) is None
    with pytest.raises(NotEnoughBars, match="not played"):
        clock.bars_ending(10.0, 1)


def test_tempo_and_meter_are_exactly_those_of_the_packets() -> None:
    daw = playing(8, tempo_bpm=Fraction(937, 10), meter=Meter(7, 8))
    clock = clock_after(daw.packets(jitter=JITTER))
    assert (clock.tempo_bpm, clock.meter) == (Fraction(937, 10), Meter(7, 8))
    assert clock.bars_ending(daw.now, 2).tempo_bpm == Fraction(937, 10)


def test_a_stopped_playhead_stays_at_the_beat_where_it_stopped() -> None:
    daw = playing(9)
    daw.stop(4.0)
    clock = clock_after(daw.packets(jitter=JITTER))
    stopped = daw.legs[-1].seconds
    assert clock.beat_at(stopped + 1) == clock.beat_at(stopped + 3) == 9.0
    assert clock.is_playing(stopped - 0.1) and not clock.is_playing(stopped + 0.1)
    assert clock.bar_fraction(stopped + 1) is None
    assert clock.next_bar_line(stopped + 1) is None
    assert clock.bar_line_at_or_before(stopped + 1) == pytest.approx(daw.now - 4.5, abs=0.006)


def test_a_daw_that_falls_silent_counts_as_not_playing_after_five_seconds() -> None:
    daw = playing(20)
    clock = clock_after(daw.packets())
    last = clock.last_reading_seconds
    assert last is not None
    assert clock.is_playing(last + 4.9) and not clock.is_gone(last + 4.9)
    assert not clock.is_playing(last + 5.1) and clock.is_gone(last + 5.1)
    assert clock.beat_at(last + 9) == clock.beat_at(last + 7)
    assert clock.next_bar_line(last + 5.1) is None
    assert clock.bars_ending(daw.now, 5).bars == 5
    span = clock.bars_from(daw.now - 6, last + 6)
    assert span.broken == "the DAW sent nothing for a while"
    assert span.end_seconds == pytest.approx(last)


def test_a_dropout_of_four_seconds_changes_nothing() -> None:
    daw = playing(40)
    silent = daw.now - 10
    packets = [
        packet
        for packet in daw.packets(jitter=JITTER)
        if not silent < packet.received_seconds < silent + 4
    ]
    clock = clock_after(packets)
    assert clock.beat_at(daw.now) == pytest.approx(40, abs=0.01)
    assert clock.bars_ending(daw.now, 10).bars == 10


@pytest.mark.parametrize("meter", METERS, ids=str)
@pytest.mark.parametrize("with_bars", [True, False])
def test_bar_lines_are_where_the_meter_puts_them(meter: Meter, with_bars: bool) -> None:
    bar_beats = float(meter.beats_per_bar)
    daw = playing(12 * bar_beats + 1, meter=meter)
    clock = clock_after(daw.packets(jitter=JITTER, with_bars=with_bars))
    (line,) = daw.seconds_of(12 * bar_beats)
    assert clock.bar_line_at_or_before(daw.now) == pytest.approx(line, abs=0.006)
    assert clock.next_bar_line(daw.now - 0.6) == pytest.approx(line, abs=0.006)
    bar_seconds = bar_beats / 2
    assert clock.next_bar_line(daw.now) == pytest.approx(line + bar_seconds, abs=0.006)
    assert clock.bar_fraction(line + 0.3 * bar_seconds) == pytest.approx(0.3, abs=0.01)


def test_a_pickup_moves_the_bar_lines() -> None:
    daw = Daw()
    daw.bar_line = 1.0
    daw.stop(1)
    daw.play(14)
    clock = clock_after(daw.packets(jitter=JITTER))
    assert clock.bar_line_at_or_before(daw.now) == pytest.approx(daw.now - 0.5, abs=0.006)
    span = clock.bars_ending(daw.now, 9)
    assert (span.bars, span.broken) == (3, "playback began")


def test_a_negative_count_in_has_bar_lines() -> None:
    daw = Daw()
    daw.jump(-4)
    daw.stop(1)
    daw.play(10)
    clock = clock_after(daw.packets(with_bars=False))
    assert clock.next_bar_line(daw.legs[1].seconds + 0.1) == pytest.approx(daw.seconds_of(0)[0])


@pytest.mark.parametrize("with_bars", [True, False])
def test_a_meter_change_begins_a_new_grid_and_breaks_continuity(with_bars: bool) -> None:
    daw = playing(24)
    daw.meter, daw.bar_line = Meter(3, 4), 24.0
    change = daw.now
    daw.play(15.5)
    clock = clock_after(daw.packets(jitter=JITTER, with_bars=with_bars))
    assert clock.next_bar_line(daw.now) == pytest.approx(daw.now + 1.25, abs=0.006)
    span = clock.bars_ending(daw.now, 9)
    assert (span.bars, span.meter, span.broken) == (5, Meter(3, 4), "the meter changed")
    assert span.start_seconds == pytest.approx(change, abs=0.006)
    # The bars before the change are kept as well, up to its line.
    span = clock.bars_ending(change, 6)
    assert (span.bars, span.meter, span.broken) == (6, Meter(4, 4), "")
    span = clock.bars_from(change - 4, daw.now)
    assert (span.bars, span.broken) == (2, "the meter changed")
    assert span.end_seconds == pytest.approx(change, abs=0.006)


def test_bar_lines_that_move_without_a_meter_change_break_continuity() -> None:
    daw = playing(24)
    daw.bar_line = 26.0
    daw.play(14)
    clock = clock_after(daw.packets(jitter=JITTER))
    assert clock.bar_line_at_or_before(daw.now) == pytest.approx(daw.now, abs=0.01)
    assert clock.bars_ending(daw.now, 9).bars == 3


@given(
    meter=st.sampled_from(METERS),
    tempo=st.integers(200, 9990),
    start=st.floats(-16, 500, width=32),
    ask=st.floats(0.0, 9.9),
)
def test_an_instant_is_between_its_two_bar_lines(
    meter: Meter, tempo: int, start: float, ask: float
) -> None:
    daw = Daw(Fraction(tempo, 10), meter)
    daw.jump(start)
    daw.play(tempo / 60)
    clock = clock_after(daw.packets(jitter=JITTER))
    seconds = 1000 + ask
    after = clock.next_bar_line(seconds)
    before = clock.bar_line_at_or_before(seconds)
    assert after is not None and after > seconds
    bar = float(bars_to_seconds(1, meter, daw.tempo_bpm))
    if before is not None:
        assert before <= seconds
        assert after - before == pytest.approx(bar, abs=0.03)
        assert clock.next_bar_line(before - 1e-4) == pytest.approx(before, abs=1e-3)
    else:
        assert after <= 1000 + bar + 0.03


def test_a_loop_by_whole_bars_is_continuous() -> None:
    daw = playing(16)
    for _ in range(4):
        daw.jump(8.0)
        daw.play(8)
    for on_change in (True, False):
        clock = clock_after(daw.packets(jitter=JITTER, lost=0.05, late=0.02, on_change=on_change))
        assert clock.beat_at(daw.now - 1) == pytest.approx(14, abs=0.02)
        span = clock.bars_ending(daw.now, 12)
        assert (span.bars, span.broken) == (12, "")
        assert span.end_seconds - span.start_seconds == pytest.approx(24, abs=0.008)
        assert clock.bars_from(daw.legs[1].seconds, daw.now + 0.05).bars == 12


@pytest.mark.parametrize("late", [0.06, 0.15, 0.3, 0.45])
def test_a_late_packet_at_the_end_of_a_loop_does_not_break_continuity(late: float) -> None:
    """It was sent before the loop went back, and arrives after the first packet of the next lap."""
    daw = playing(16)
    daw.jump(0.0)
    daw.play(16)
    turn = daw.legs[-1].seconds
    packets = list(daw.packets(jitter=JITTER))
    last = max(index for index, packet in enumerate(packets) if packet.received_seconds < turn)
    packets[last] = replace(packets[last], received_seconds=turn + late)
    clock = OscClock()
    for packet in sorted(packets, key=lambda packet: packet.received_seconds):
        clock.update(packet)
        if packet.is_playing:
            assert clock.bars_from(daw.legs[1].seconds, packet.received_seconds).broken == ""
    assert clock.bars_ending(daw.now, 8).bars == 8


def test_the_first_packet_of_a_lap_may_be_as_late_as_any() -> None:
    for seed, late in enumerate((0.05, 0.055, 0.06, 0.065, 0.1)):
        daw = Daw()
        daw.stop(1.0)
        for _ in range(6):
            daw.jump(0.0)
            daw.play(8)
        packets = list(daw.packets(jitter=(0.0, 0.01), seed=seed))
        turns = {leg.seconds for leg in daw.legs[2:]}
        delayed = [
            replace(packet, received_seconds=packet.received_seconds + late)
            if any(0 <= packet.received_seconds - turn < 0.02 for turn in turns)
            else packet
            for packet in packets
        ]
        assert delayed != packets
        clock = clock_after(sorted(delayed, key=lambda packet: packet.received_seconds))
        span = clock.bars_ending(daw.now, 11)
        assert (span.bars, span.broken) == (11, ""), late


@pytest.mark.parametrize("a_second", [5, 10, 20])
def test_a_false_start_does_not_affect_the_next_start(a_second: float) -> None:
    daw = Daw()
    daw.stop(1.0)
    daw.play(0.8)
    daw.jump(0.0)
    daw.stop(0.3)
    daw.play(16)
    start = daw.legs[-1].seconds
    clock = clock_after(daw.packets(a_second=a_second))
    assert clock.is_playing(start + 3)
    span = clock.bars_ending(daw.now, 4)
    assert span.bars == 4
    assert span.start_seconds == pytest.approx(start, abs=0.01)


@pytest.mark.parametrize(("start", "length"), [(8.0, 7.5), (0.0, 8.25)])
def test_a_loop_that_moves_the_bar_lines_breaks_continuity(start: float, length: float) -> None:
    daw = playing(16)
    daw.jump(16 - length)
    daw.play(18.3)
    clock = clock_after(daw.packets(jitter=JITTER, with_bars=False))
    span = clock.bars_ending(daw.now, 9)
    assert (span.bars, span.broken) == (4, "the playhead jumped")


@pytest.mark.parametrize("to", [300.0, 18.3, 2.9, 64.0, 64.35])
def test_a_jump_is_followed_at_once_and_breaks_continuity(to: float) -> None:
    daw = playing(17.0)
    daw.jump(to)
    daw.play(10)
    jump = daw.legs[-1].seconds
    packets = list(daw.packets())
    clock = clock_after(packets, jump)
    assert clock.beat_at(jump + 0.1) == pytest.approx(to + 0.2)
    clock = clock_after(packets)
    span = clock.bars_ending(daw.now, 9)
    assert span.bars == int((to + 10) // 4 - np.ceil(to / 4))
    assert span.broken == "the playhead jumped"
    span = clock.bars_from(daw.legs[1].seconds, daw.now)
    assert (span.bars, span.broken) == (4, "the playhead jumped")
    assert jump - 0.21 < span.end_seconds < jump + 0.01


def test_a_short_jump_back_is_followed_when_a_second_packet_confirms_it() -> None:
    daw = playing(17.0)
    daw.jump(16.0)
    daw.play(8)
    jump = daw.legs[-1].seconds
    packets = list(daw.packets())
    assert clock_after(packets, jump).beat_at(jump) == pytest.approx(17.0)
    assert clock_after(packets, jump + 0.21).beat_at(jump + 0.21) == pytest.approx(16.42)
    assert clock_after(packets).bars_ending(daw.now, 9).bars == 2


@pytest.mark.parametrize("a_second", [5, 20, 60])
def test_packets_delayed_together_are_no_jump(a_second: int) -> None:
    daw = playing(40)
    held = daw.now - 8
    packets = [
        replace(packet, received_seconds=held + 0.7)
        if held < packet.received_seconds < held + 0.7
        else packet
        for packet in daw.packets(a_second=a_second)
    ]
    clock = clock_after(packets)
    assert clock.bars_ending(daw.now, 10).bars == 10
    assert clock.beat_at(daw.now) == pytest.approx(40, abs=0.01)


def test_packets_with_different_delays_are_no_jump() -> None:
    daw = playing(40)
    packets = list(daw.packets())
    for index, late in ((30, 0.21), (31, 0.15), (32, 0.35), (33, 0.25)):
        packet = packets[index]
        packets[index] = replace(packet, received_seconds=packet.received_seconds + late)
    packets.sort(key=lambda packet: packet.received_seconds)
    clock = OscClock()
    for packet in packets:
        clock.update(packet)
        if packet.is_playing:
            assert clock.bars_from(daw.legs[1].seconds, packet.received_seconds).broken == ""


def test_a_tempo_change_that_is_reported_late_is_no_jump() -> None:
    """The packets that first report it are lost: 0.8 s of the new tempo have passed."""
    daw = playing(16)
    daw.tempo_bpm = Fraction(180)
    daw.play(32)
    change = daw.legs[-1].seconds
    packets = [
        packet
        for packet in daw.packets(jitter=JITTER)
        if not change - 0.05 < packet.received_seconds < change + 0.8
    ]
    clock = clock_after(packets)
    assert clock.bars_ending(daw.now, 12).bars == 12
    assert clock.beat_at(daw.now) == pytest.approx(48, abs=0.02)


def test_a_lap_begins_on_the_bar_line_before_its_first_packet() -> None:
    daw = playing(16)
    daw.jump(8.0)
    daw.play(8)
    turn = daw.legs[-1].seconds
    packets = [
        packet for packet in daw.packets() if not turn <= packet.received_seconds < turn + 0.15
    ]
    clock = clock_after(packets)
    assert clock.beat_at(turn - 0.05) == pytest.approx(15.9)
    assert clock.beat_at(turn + 0.05) == pytest.approx(8.1)


def test_a_bar_in_which_playback_began_does_not_count() -> None:
    """The DAW was stopped 0.2 s after the line, and started there."""
    daw = Daw()
    daw.jump(4.4)
    daw.stop(1)
    daw.play(8)
    assert clock_after(daw.packets()).bars_ending(daw.now, 9).bars == 1


def test_a_packet_overtaken_by_a_tempo_change_does_not_change_it_back() -> None:
    daw = playing(16)
    daw.tempo_bpm = Fraction(240)
    daw.play(32)
    change = daw.legs[-1].seconds
    packets = list(daw.packets())
    overtaken = replace(packets[-1], tempo_bpm=Fraction(120), beat=15.96)
    packets = [packet for packet in packets if packet.received_seconds <= change]
    clock = clock_after([*packets, replace(overtaken, received_seconds=change + 0.01)])
    assert clock.beat_at(change + 0.5) == pytest.approx(18.0, abs=0.01)


def test_playback_after_a_long_silence_is_another_segment() -> None:
    daw = playing(60)
    silent = daw.now - 14
    packets = [
        packet for packet in daw.packets() if not silent < packet.received_seconds < silent + 6
    ]
    span = clock_after(packets).bars_ending(daw.now, 20)
    assert (span.bars, span.broken) == (4, "the DAW sent nothing for a while")


@pytest.mark.parametrize("late", [0.05, 0.2, 0.4])
def test_the_next_packet_corrects_a_late_first_one(late: float) -> None:
    daw = playing(16)
    packets = list(daw.packets())
    packets[1] = replace(packets[1], received_seconds=packets[1].received_seconds + late)
    packets.sort(key=lambda packet: packet.received_seconds)
    clock = clock_after(packets)
    assert clock.beat_at(daw.now) == pytest.approx(16, abs=0.01)
    assert clock.bars_ending(daw.now, 9).broken == "playback began"


def test_a_packet_overtaken_by_the_stop_does_not_restart_playback() -> None:
    daw = playing(16)
    daw.stop(8)
    stop = daw.legs[-1].seconds
    packets = list(daw.packets())
    packets[-2] = replace(packets[-2], received_seconds=stop + 0.3)
    packets.sort(key=lambda packet: packet.received_seconds)
    assert packets[-1].is_playing
    clock = clock_after(packets)
    assert not clock.is_playing(stop + 0.4)


def test_a_playhead_that_returns_to_its_start_has_played_up_to_the_stop() -> None:
    daw = playing(16)
    daw.jump(0.0)
    daw.stop(2)
    stop = daw.legs[-1].seconds
    clock = clock_after(daw.packets())
    assert clock.beat_at(daw.now) == 0.0
    assert clock.bars_ending(stop, 4).bars == 4
    assert clock.bars_from(daw.legs[1].seconds, daw.now).end_seconds == pytest.approx(stop)


def test_bars_count_from_where_playback_began() -> None:
    daw = Daw()
    daw.jump(5.0)
    daw.stop(1)
    daw.play(13)
    clock = clock_after(daw.packets(jitter=JITTER))
    span = clock.bars_ending(daw.now, 4)
    assert (span.bars, span.broken) == (2, "playback began")
    assert span.start_seconds == pytest.approx(daw.seconds_of(8)[0], abs=0.006)
    assert clock.bars_ending(daw.now, 2).broken == ""


def test_the_first_bar_counts_even_if_its_first_packet_was_lost() -> None:
    daw = playing(16)
    packets = list(daw.packets())
    del packets[1]
    assert clock_after(packets).bars_ending(daw.now, 9).bars == 4


def test_a_span_with_a_tempo_change_has_the_mean_tempo() -> None:
    daw = playing(16)
    daw.tempo_bpm = Fraction(60)
    daw.play(8)
    clock = clock_after(daw.packets(jitter=JITTER))
    span = clock.bars_ending(daw.now, 4)
    assert (span.bars, span.is_steady) == (4, False)
    assert span.end_seconds - span.start_seconds == pytest.approx(12, abs=0.008)
    assert float(span.tempo_bpm) == pytest.approx(80, abs=0.06)
    assert clock.bars_ending(daw.now, 2).tempo_bpm == 60
    assert clock.bars_ending(daw.now, 2).is_steady


def test_bars_from_a_line_end_where_requested() -> None:
    daw = playing(30)
    clock = clock_after(daw.packets(jitter=JITTER))
    start = daw.seconds_of(8)[0]
    span = clock.bars_from(start + 0.02, daw.now, 3)
    assert (span.bars, span.broken) == (3, "")
    assert span.start_seconds == pytest.approx(start, abs=0.006)
    assert span.end_seconds - span.start_seconds == pytest.approx(6, abs=0.002)
    span = clock.bars_from(start, daw.now, 9)
    assert (span.bars, span.broken) == (5, "")
    assert span.end_seconds == pytest.approx(daw.now)
    span = clock.bars_from(start, start - 1, 9)
    assert (span.bars, span.start_seconds) == (0, span.end_seconds)


def test_a_flood_of_packets_does_not_fill_the_memory() -> None:
    clock = OscClock()
    random = np.random.default_rng(3)
    for index in range(20_000):
        clock.update(
            Transport(
                tempo_bpm=Fraction(int(random.integers(20, 999))),
                beat=float(random.uniform(-1e6, 1e6)),
                is_playing=bool(random.random() < 0.9),
                meter=METERS[int(random.integers(5))],
                beat_in_bar=float(random.uniform(0, 100)),
                received_seconds=1000 + index / 20_000,
            )
        )
    assert clock.bars_ending(1001.0, 4).bars <= 4
    assert len(clock._history) <= 401
