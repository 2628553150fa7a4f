"""The one button of a looper: a table of timed presses and the gestures that they are."""

from __future__ import annotations

import pytest

from bridge.control.pedal import Gesture, Pedal

TAP, DOUBLE_TAP, HOLD = Gesture.TAP, Gesture.DOUBLE_TAP, Gesture.HOLD
DOWN, UP, POLL = "down", "up", "poll"


@pytest.mark.parametrize(
    ("presses", "gestures"),
    [
        ([(0.0, DOWN)], [(0.0, TAP)]),
        ([(0.0, DOWN), (0.1, UP)], [(0.0, TAP)]),
        ([(0.0, DOWN), (0.1, UP), (0.35, DOWN)], [(0.0, TAP), (0.35, DOUBLE_TAP)]),
        ([(0.0, DOWN), (0.1, UP), (0.36, DOWN)], [(0.0, TAP), (0.36, TAP)]),
        (
            [(0.0, DOWN), (0.1, UP), (0.2, DOWN), (0.3, UP), (0.4, DOWN)],
            [(0.0, TAP), (0.2, DOUBLE_TAP), (0.4, TAP)],
        ),
        ([(0.0, DOWN), (0.9, POLL), (1.0, POLL), (1.5, POLL)], [(0.0, TAP), (1.0, HOLD)]),
        ([(0.0, DOWN), (1.2, UP)], [(0.0, TAP), (1.2, HOLD)]),
        ([(0.0, DOWN), (0.9, UP), (1.1, POLL)], [(0.0, TAP)]),
        (
            [(0.0, DOWN), (0.1, UP), (0.2, DOWN), (2.0, POLL), (2.1, UP)],
            [(0.0, TAP), (0.2, DOUBLE_TAP)],
        ),
        ([(0.0, DOWN), (0.5, DOWN), (0.6, UP)], [(0.0, TAP)]),
        ([(0.0, UP), (0.5, UP)], []),
    ],
    ids=[
        "a press is a tap at once",
        "a release adds nothing",
        "a second press within 350 ms revokes",
        "a later one is another tap",
        "after a double tap counting begins anew",
        "a press of a second is a hold, once",
        "a hold that nobody polled counts at the release",
        "a press that ended in time is no hold",
        "the second press of a double tap is no hold",
        "pressed without a release it is still the same press",
        "a release without a press is nothing",
    ],
)
def test_gestures(presses: list[tuple[float, str]], gestures: list[tuple[float, Gesture]]) -> None:
    assert played(presses, is_playing=True) == gestures


def test_a_press_within_30_ms_of_a_release_is_the_contacts_bouncing() -> None:
    bounces = [(0.0, DOWN), (0.004, UP), (0.02, DOWN), (0.1, UP), (0.125, DOWN), (0.13, UP)]
    assert played(bounces, is_playing=True) == [(0.0, TAP)]


def test_a_press_that_bounces_can_still_become_a_hold() -> None:
    bounces = [(0.0, DOWN), (0.004, UP), (0.01, DOWN), (1.0, POLL)]
    assert played(bounces, is_playing=True) == [(0.0, TAP), (1.0, HOLD)]


def test_a_hold_takes_two_seconds_while_nothing_plays() -> None:
    presses = [(0.0, DOWN), (1.5, POLL), (2.0, POLL)]
    assert played(presses, is_playing=False) == [(0.0, TAP), (2.0, HOLD)]


def test_it_says_when_a_hold_is_due() -> None:
    pedal = Pedal()
    assert pedal.hold_due_seconds is None
    pedal.press(5.0, is_playing=True)
    assert pedal.hold_due_seconds == 6.0
    pedal.release(5.5)
    assert pedal.hold_due_seconds is None


def played(presses: list[tuple[float, str]], *, is_playing: bool) -> list[tuple[float, Gesture]]:
    """The gestures of presses, each with its time."""
    pedal, gestures = Pedal(), []
    for seconds, what in presses:
        if what == DOWN:
            gesture = pedal.press(seconds, is_playing=is_playing)
        else:
            gesture = pedal.release(seconds) if what == UP else pedal.poll(seconds)
        if gesture is not None:
            gestures.append((seconds, gesture))
    return gestures
