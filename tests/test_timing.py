"""Exact time: tempo as the decimal that was meant, meters, and frames rounded once."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BadArgument
from bridge.timing import (
    Meter,
    Note,
    Take,
    TempoMap,
    bars_text,
    bars_to_frames,
    bars_to_seconds,
    beats_to_seconds,
    parse_tempo,
)

tempos = st.integers(2000, 99900).map(lambda hundredths: Fraction(hundredths, 100))
meters = st.builds(Meter, st.integers(1, 99), st.sampled_from([1, 2, 4, 8, 16]))


@pytest.mark.parametrize("value", ["93.7", 93.7, Fraction(937, 10), " 93.7 "])
def test_a_tempo_is_the_decimal_that_was_meant(value: str | float | Fraction) -> None:
    assert parse_tempo(value) == Fraction(937, 10)


@pytest.mark.parametrize(
    "value", ["19.99", "999.01", "0", "-120", "nan", "inf", "fast", "", "1/0", float("nan")]
)
def test_a_tempo_out_of_range_is_refused_with_its_value(value: str | float) -> None:
    with pytest.raises(BadArgument, match="tempo"):
        parse_tempo(value)


@pytest.mark.parametrize(
    ("text", "beats"), [("4/4", 4), ("3/4", 3), ("7/8", Fraction(7, 2)), ("1/16", Fraction(1, 4))]
)
def test_a_bar_is_counted_in_quarter_notes(text: str, beats: Fraction) -> None:
    meter = Meter.parse(text)
    assert meter.beats_per_bar == beats
    assert str(meter) == text


@pytest.mark.parametrize("text", ["4", "4/", "/4", "4/3", "0/4", "100/4", "4/32", "-3/4", "a/b"])
def test_a_meter_that_live_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(BadArgument, match="meter"):
        Meter.parse(text)


@pytest.mark.parametrize(
    ("bars", "meter", "tempo_bpm", "sample_rate", "frames"),
    [
        (4, "4/4", "120", 44100, 352800),
        (8, "3/4", "93.7", 44100, 677737),
        (1, "7/8", "999", 96000, 20180),
        (2, "4/4", "20", 48000, 1152000),
    ],
)
def test_a_clip_has_exactly_these_frames(
    bars: int, meter: str, tempo_bpm: str, sample_rate: int, frames: int
) -> None:
    assert bars_to_frames(bars, Meter.parse(meter), parse_tempo(tempo_bpm), sample_rate) == frames


@given(st.integers(1, 64), meters, tempos, st.sampled_from([44100, 48000, 96000]))
def test_frames_are_within_half_a_frame_of_the_exact_time(
    bars: int, meter: Meter, tempo_bpm: Fraction, sample_rate: int
) -> None:
    exact = bars_to_seconds(bars, meter, tempo_bpm)
    assert exact == bars * beats_to_seconds(meter.beats_per_bar, tempo_bpm)
    frames = bars_to_frames(bars, meter, tempo_bpm, sample_rate)
    assert abs(frames - exact * sample_rate) <= Fraction(1, 2)


@pytest.mark.parametrize("text", ["1e99999999", "-1e99999999", "9" * 5000, "1/0", "1e-99999999"])
def test_a_number_that_takes_forever_to_compute_is_refused_at_once(text: str) -> None:
    with pytest.raises(BadArgument, match="tempo"):
        parse_tempo(text)
    with pytest.raises(BadArgument, match="meter"):
        Meter.parse(f"{text}/4")


def test_one_bar_is_written_in_the_singular() -> None:
    assert [bars_text(count) for count in (0, 1, 2)] == ["0 bars", "1 bar", "2 bars"]


def tempo_map(*changes: tuple[str, str]) -> TempoMap:
    return TempoMap(tuple((Fraction(beat), Fraction(seconds)) for beat, seconds in changes))


@given(beat=st.fractions(0, 100), first=st.fractions(0, 100))
def test_a_tempo_map_leads_back_to_the_beat_and_moves_with_it(
    beat: Fraction, first: Fraction
) -> None:
    times = tempo_map(("0", "1/2"), ("4", "1"), ("33/4", "1/3"), ("20", "666667/1000000"))
    assert times.beat_at(times.seconds_at(beat)) == beat
    since = times.seconds_at(first + beat) - times.seconds_at(first)
    assert times.moved(first, None).seconds_at(beat) == since
    end = max(first, Fraction(100))
    around = times.moved(first, end)
    assert around.seconds_at(end) == times.seconds_at(end)


def test_a_take_from_its_first_bar_line_has_no_pickup_and_keeps_its_times() -> None:
    notes = (Note(Fraction(0), Fraction(1), 60), Note(Fraction(1, 2), Fraction(3), 62))
    take = Take(
        notes,
        length_beats=Fraction(8),
        pickup_beats=Fraction(1),
        tempo_map=tempo_map(("0", "1/2"), ("2", "1")),
    )
    whole = take.from_first_bar_line()
    assert whole.source == (Note(Fraction(0), Fraction(5, 2), 62),)
    assert (whole.length_beats, whole.pickup_beats) == (Fraction(7), Fraction(0))
    assert whole.times.seconds_at(Fraction(7)) == Fraction(13, 2)
    assert whole.from_first_bar_line() is whole
