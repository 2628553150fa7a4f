"""Tempo and meter of the session: the nearest setting wins, and the DAW fills in the rest."""

from __future__ import annotations

from fractions import Fraction

import pytest

from bridge.clock.beat_clock import BeatClock
from bridge.clock.session_time import SessionTime
from bridge.commands import ClipSettings, Transport
from bridge.timing import Meter, first_meter, first_tempo


def session_time(defaults: ClipSettings, *, daw: bool) -> SessionTime:
    clock = BeatClock()
    if daw:
        clock.update(Transport(Fraction(96), 0.0, False, Meter(7, 8)))
    return SessionTime(clock, lambda: defaults)


@pytest.mark.parametrize(
    ("request_", "session", "daw", "tempo_bpm"),
    [
        (None, None, False, None),
        (None, None, True, 96),
        (None, 100, True, 100),
        (90, 100, True, 90),
    ],
)
def test_the_tempo_is_the_requests_else_the_sessions_else_the_daws(
    request_: int | None, session: int | None, daw: bool, tempo_bpm: int | None
) -> None:
    time = session_time(ClipSettings(tempo_bpm=session and Fraction(session)), daw=daw)
    assert time.tempo_bpm(ClipSettings(tempo_bpm=request_ and Fraction(request_))) == tempo_bpm


@pytest.mark.parametrize(
    ("given", "daw", "meter"),
    [
        ({}, False, None),
        ({}, True, Meter(7, 8)),
        ({"numerator": 3}, True, Meter(3, 8)),
        ({"numerator": 3}, False, Meter(3, 4)),
        ({"denominator": 16}, True, Meter(7, 16)),
        ({"numerator": 5, "denominator": 4}, True, Meter(5, 4)),
    ],
)
def test_half_a_meter_changes_that_half_of_the_daws(
    given: dict[str, int], daw: bool, meter: Meter | None
) -> None:
    assert session_time(ClipSettings(**given), daw=daw).meter() == meter
    assert session_time(ClipSettings(), daw=daw).meter(ClipSettings(**given)) == meter


def test_where_nothing_is_known_120_bpm_and_4_4_count() -> None:
    time = session_time(ClipSettings(), daw=False)
    assert first_tempo(time.tempo_bpm()) == 120
    assert first_meter(time.meter()) == Meter(4, 4)
    assert first_tempo(None, Fraction(90), Fraction(80)) == 90
