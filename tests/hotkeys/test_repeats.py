"""A held key counts once, however it repeats, and its release is the real one."""

from __future__ import annotations

from bridge.hotkeys.messages import KeyMoved
from bridge.hotkeys.repeats import DEBOUNCE_SECONDS, Repeats


def test_a_key_that_repeats_goes_down_once_and_up_when_it_was_let_go() -> None:
    repeats = Repeats()
    moved = repeats.down("last", 0.0)
    # As an X server does: 25 times a second, a release and a press at the same instant.
    for number in range(1, 30):
        repeats.up("last", number * 0.04)
        moved += repeats.due(number * 0.04)
        moved += repeats.down("last", number * 0.04)
    repeats.up("last", 1.2)
    assert repeats.due_seconds == 1.2 + DEBOUNCE_SECONDS
    assert repeats.due(1.2 + DEBOUNCE_SECONDS / 2) == []
    moved += repeats.due(1.2 + DEBOUNCE_SECONDS)
    assert moved == [KeyMoved("last", True, 0.0), KeyMoved("last", False, 1.2)]
    assert repeats.due_seconds is None


def test_two_presses_are_two_also_when_nobody_looked_between_them() -> None:
    repeats = Repeats()
    moved = repeats.down("keep", 0.0)
    repeats.up("keep", 0.05)
    moved += repeats.down("keep", 0.5)
    assert moved == [
        KeyMoved("keep", True, 0.0),
        KeyMoved("keep", False, 0.05),
        KeyMoved("keep", True, 0.5),
    ]


def test_keys_are_held_apart_and_a_release_alone_is_nothing() -> None:
    repeats = Repeats()
    repeats.up("play", 0.0)
    assert repeats.due(1.0) == []
    assert repeats.down("play", 1.0) == [KeyMoved("play", True, 1.0)]
    assert repeats.down("next", 1.01) == [KeyMoved("next", True, 1.01)]
    repeats.up("play", 1.02)
    assert repeats.due(2.0) == [KeyMoved("play", False, 1.02)]
    repeats.up("next", 2.1)
    assert repeats.due(3.0) == [KeyMoved("next", False, 2.1)]
