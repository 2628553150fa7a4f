"""Tempo and meter of the session: the nearest setting wins, and the DAW fills in the rest."""

from __future__ import annotations

from fractions import Fraction

import pytest

from bridge.clock.osc_clock import OscClock
from bridge.clock.session_time import SessionTime
from bridge.commands import ClipSettings, Transport
from bridge.timing import Meter, first_meter, first_tempo


def session_time(defaults: ClipSettings, *, daw: bool) -> SessionTime:
    clock = OscClock()
    if daw:
        clock.update(Transport(Fraction(96), 0.0, False, Meter(7, 8)))
    return SessionTime(lambda: clock, lambda: defaults)


@pytest.mark.parametrize(
    ("request_", "session", "lock", "daw", "tempo_bpm"),
    [
        (None, None, None, False, None),
        (None, None, None, True, 96),
        (None, 100, None, False, 100),
        (None, 100, None, True, 96),
        (None, 100, False, True, 96),
        (None, 100, True, True, 100),
        (None, None, True, True, 96),
        (90, 100, None, True, 90),
    ],
)
def test_the_tempo_is_the_requests_else_the_daws_else_the_sessions_unless_that_is_locked(
    request_: int | None, session: int | None, lock: bool | None, daw: bool, tempo_bpm: int | None
) -> None:
    settings = ClipSettings(tempo_bpm=session and Fraction(session), tempo_lock=lock)
    time = session_time(settings, daw=daw)
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
    locked = ClipSettings(**given, tempo_lock=True)
    assert session_time(locked, daw=daw).meter() == meter
    assert session_time(ClipSettings(), daw=daw).meter(ClipSettings(**given)) == meter
    assert not daw or session_time(ClipSettings(**given), daw=True).meter() == Meter(7, 8)


def test_captures_go_by_the_daws_bar_lines_unless_a_lock_sets_another_time() -> None:
    clock = OscClock()
    settings = ClipSettings(tempo_bpm=Fraction(100))
    time = SessionTime(lambda: clock, lambda: settings)
    clock.update(Transport(Fraction(96), 0.0, True, Meter(4, 4), received_seconds=1.0))
    assert time.bar_lines is clock and "96 bpm" in time.overruled
    settings = ClipSettings(tempo_bpm=Fraction(100), tempo_lock=True)
    assert not time.bar_lines.is_playing(1.0) and time.overruled == ""
    settings = ClipSettings(tempo_bpm=Fraction(96), tempo_lock=True)
    assert time.bar_lines is clock
    settings = ClipSettings(tempo_bpm=Fraction(96))
    assert time.overruled == ""


def test_where_nothing_is_known_120_bpm_and_4_4_count() -> None:
    time = session_time(ClipSettings(), daw=False)
    assert first_tempo(time.tempo_bpm()) == 120
    assert first_meter(time.meter()) == Meter(4, 4)
    assert first_tempo(None, Fraction(90), Fraction(80)) == 90
