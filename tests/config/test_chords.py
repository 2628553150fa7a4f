"""Chords of hotkeys: how they are read, and which are refused."""

from __future__ import annotations

import pytest

from bridge.commands import HOTKEY_ACTIONS
from bridge.config import OPTIONS, RunOptions, merge_run
from bridge.config.chords import MODIFIERS, NAMED_KEYS, Chord, read_chord
from bridge.errors import BadArgument


@pytest.mark.parametrize(
    ("text", "chord"),
    [
        ("<ctrl>+<alt>+c", Chord(frozenset({"ctrl", "alt"}), "c")),
        (" <Alt> + <Control>+C", Chord(frozenset({"ctrl", "alt"}), "c")),
        ("<super>+<space>", Chord(frozenset({"cmd"}), "space")),
        ("<option>+<shift>+<return>", Chord(frozenset({"alt", "shift"}), "enter")),
        ("<f9>", Chord(frozenset(), "f9")),
        ("<shift>+<media_next>", Chord(frozenset({"shift"}), "media_next")),
        ("<ctrl>+<plus>", Chord(frozenset({"ctrl"}), "plus")),
        ("<ctrl>+ä", Chord(frozenset({"ctrl"}), "ä")),
    ],
)
def test_chords_are_read_in_any_order_and_case(text: str, chord: Chord) -> None:
    assert read_chord(text) == chord
    assert read_chord(str(chord)) == chord


def test_every_named_key_can_be_read() -> None:
    for name in NAMED_KEYS:
        assert read_chord(f"<ctrl>+<{name}>") == Chord(frozenset({"ctrl"}), name)
    for name in MODIFIERS:
        assert str(read_chord(f"<{name}>+<f1>")) == f"<{name}>+<f1>"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "write names and a key"),
        ("c", "it would take that key from every program"),
        ("<shift>+a", "it would take that key from every program"),
        ("<space>", "it would take that key from every program"),
        ("ctrl+c", "write names and a key"),
        ("<ctrl>+", "write names and a key"),
        ("<ctrl>+<alt>", "press one key"),
        ("<ctrl>+c+d", "press one key"),
        ("<ctrl>+<ctrl>+c", "press one key"),
        ("<ctrl>+<f25>", "no key is named <f25>"),
        ("<ctrl>+\t", "write names and a key"),
    ],
)
def test_other_chords_are_refused_with_the_value_and_the_remedy(text: str, why: str) -> None:
    with pytest.raises(BadArgument) as refusal:
        OPTIONS["hotkey_last"].read(text)
    assert str(refusal.value).startswith(f"hotkey_last {text!r}: ")
    assert why in str(refusal.value)


def test_each_action_has_a_chord_of_its_own_and_none_switches_it_off() -> None:
    chords = RunOptions().hotkey_chords()
    assert set(chords) == set(HOTKEY_ACTIONS) and len(set(chords.values())) == len(chords)
    fewer = merge_run({"hotkey_keep": "none", "hotkey_panic": "None"})
    assert set(fewer.hotkey_chords()) == set(HOTKEY_ACTIONS) - {"keep", "panic"}


def test_two_actions_on_one_chord_are_refused_by_their_names() -> None:
    with pytest.raises(BadArgument) as refusal:
        merge_run({"hotkey_keep": "<alt>+<ctrl>+B"})
    assert str(refusal.value) == (
        "hotkey_last and hotkey_keep are both <ctrl>+<alt>+b: choose another chord for one, or none"
    )
