"""Learning a MIDI control: the map keeps all that was in it."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from bridge.control.midi_map_file import load_map
from bridge.control.midi_touch import Touch
from bridge.errors import BridgeError, UnreadableFile
from bridge.midi import MidiMessage
from bridge.tools.midi_learn import FirstTouch, entry_text, with_entry, write_map

PRESETS = ("brass", "lofi-keys")
KNOB, PAD = Touch("cc", 1, 20, 99), Touch("note", 10, 36, 100)
OWN = """# My map — do not lose this.

[led]
ready = 1   # dim

[[map]]  # the big button
cc = 64
do = "pedal"
"""


def learn(path: Path, touch: Touch, *words: str) -> None:
    write_map(path, with_entry(path, entry_text(touch, words), PRESETS))


@pytest.mark.parametrize(
    ("touch", "words", "lines"),
    [
        (PAD, ["pedal"], ["note = 36", "channel = 10", 'do = "pedal"']),
        (PAD, ["panic"], ["note = 36", "channel = 10", 'do = "/bridge/panic"']),
        (
            KNOB,
            ["set", "temperature", "{value}"],
            [
                *("cc = 20", "channel = 1", 'do = "/bridge/set"'),
                'arguments = ["temperature", "{value}"]',
            ],
        ),
        (
            Touch("program", 1, 3, 3),
            ["/bridge/set", "bars", "8", "prompt", 'say "hé"'],
            [
                *("program = 3", "channel = 1", 'do = "/bridge/set"'),
                'arguments = ["bars", 8, "prompt", "say \\"hé\\""]',
            ],
        ),
        (
            Touch("bend", 2, None, 8191),
            ["panic"],
            ['bend = "any"', "channel = 2", 'do = "/bridge/panic"'],
        ),
    ],
)
def test_entries(touch: Touch, words: list[str], lines: list[str]) -> None:
    assert entry_text(touch, words).splitlines() == ["[[map]]", *lines]


def test_a_first_entry_makes_the_file_and_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "midi.toml"
    learn(path, PAD, "generate", "preset", "lofi-keys")
    assert path.read_text(encoding="utf-8").startswith("# What MIDI controls do")
    assert load_map(path, PRESETS).entries[-1].on.text() == "/bridge/generate preset lofi-keys"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("ends_with_line", [True, False])
def test_what_was_there_is_kept_comments_included(
    tmp_path: Path, line_end: str, ends_with_line: bool
) -> None:
    path = tmp_path / "midi.toml"
    before = (OWN if ends_with_line else OWN.rstrip("\n")).replace("\n", line_end).encode()
    path.write_bytes(before)
    learn(path, KNOB, "set", "top_k", "{value}")
    after = path.read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == after.count(line_end.encode())
    own = [entry for entry in load_map(path, PRESETS).entries if not entry.is_default]
    assert [entry.trigger.text() for entry in own] == ["cc 64", "cc 20, channel 1"]
    assert load_map(path, PRESETS).led.values == {"ready": 1}


def test_a_control_that_is_learned_again_does_the_new_thing(tmp_path: Path) -> None:
    path = tmp_path / "midi.toml"
    learn(path, PAD, "panic")
    learn(path, PAD, "reset")
    (entry,) = (one for one in load_map(path, PRESETS).entries if one.trigger.kind == "note")
    assert entry.on.address == "/bridge/reset"
    assert "/bridge/panic" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (OWN, ["set", "bar", "4"], "did you mean bars"),
        (OWN, ["genrate"], "did you mean /bridge/generate"),
        (OWN, [], "no action: name pedal"),
        ("map = [{cc = 64, do = 'pedal'}]\n", ["panic"], "is not TOML"),
        ("[[map]]\ncc = 64\n", ["panic"], "do is missing"),
    ],
)
def test_a_mistake_changes_nothing(
    tmp_path: Path, text: str, words: list[str], message: str
) -> None:
    path = tmp_path / "midi.toml"
    path.write_text(text)
    with pytest.raises(BridgeError, match=message):
        learn(path, PAD, *words)
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_map_is_not_made_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "midi.toml"
    path.write_text("#" * ((64 << 10) - 10) + "\n")
    with pytest.raises(UnreadableFile, match="64 kB"):
        learn(path, PAD, "panic")


@pytest.mark.skipif(sys.platform == "win32", reason="links and modes are POSIX's")
def test_a_link_stays_a_link_and_the_mode_stays(tmp_path: Path) -> None:
    real, path = tmp_path / "real.toml", tmp_path / "midi.toml"
    real.write_text(OWN)
    real.chmod(0o600)
    path.symlink_to(real)
    learn(path, PAD, "panic")
    assert path.is_symlink()
    assert "/bridge/panic" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_only_what_a_person_means_is_a_touch() -> None:
    first = FirstTouch()
    meant = [
        first.of(MidiMessage(0.0, "keys", bytes(data)))
        for data in (
            (0xF8,),
            (0xFE,),
            (0x80, 36, 64),
            (0x90, 36, 0),
            (0xB0, 123, 0),
            (0xB0, 99, 1),
            (0xB0, 98, 5),
            (0xB0, 6, 100),
            (0xE0, 10, 64),
            (0x90, 36, 100),
        )
    ]
    assert meant == [None] * 9 + [Touch("note", 1, 36, 100)]
