"""midi.toml: what it may say, and what its mistakes are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.control.midi_map import Action, Entry, MidiMap, Trigger
from bridge.control.midi_map_file import default_map, load_map, parse_map
from bridge.control.midi_values import Scale
from bridge.errors import UnreadableFile

PRESETS = ("brass", "choir", "waltz")
PATH = Path("midi.toml")


def entry(text: str) -> Entry:
    """The one entry of a map's text."""
    (one,) = parsed(f"defaults = false\n[[map]]\n{text}").entries
    return one


def parsed(text: str) -> MidiMap:
    return parse_map(text, PATH, PRESETS)


def test_the_default_map_has_the_pedal_and_the_presets_and_no_key() -> None:
    entries = default_map(PRESETS).entries
    assert [(one.trigger.text(), one.on.text()) for one in entries] == [
        ("cc 64", "pedal"),
        ("program any", "/bridge/set preset {value}"),
    ]
    assert all(one.is_default for one in entries)


def test_a_file_that_is_not_there_gives_the_default_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_map(None, PRESETS) == default_map(PRESETS)
    with pytest.raises(UnreadableFile, match=r"nowhere\.toml' cannot be read"):
        load_map(tmp_path / "nowhere.toml", PRESETS)


def test_entries_add_to_the_default_map_and_replace_its_entry_of_their_control() -> None:
    added = parsed('[[map]]\nnote = 36\ndo = "/bridge/panic"')
    assert [one.trigger.text() for one in added.entries] == ["cc 64", "program any", "note 36"]
    replaced = parsed('[[map]]\ncc = 64\nchannel = 2\ndo = "/bridge/panic"')
    assert [one.trigger.text() for one in replaced.entries] == ["program any", "cc 64, channel 2"]
    assert not parsed("defaults = false").entries


def test_of_two_entries_for_one_control_the_last_counts() -> None:
    first, last = 'cc = 20\ndo = "/bridge/panic"', 'cc = 20\ndo = "/bridge/reset"'
    both = parsed(f"defaults = false\n[[map]]\n{first}\n[[map]]\n{last}")
    assert [one.on.address for one in both.entries] == ["/bridge/reset"]
    halves = "cc = 20\nvalue = [0, 63]", "cc = 20\nvalue = [64, 127]"
    two = [f'[[map]]\n{half}\ndo = "/bridge/panic"' for half in halves]
    assert len(parsed("\n".join(["defaults = false", *two])).entries) == 2


@pytest.mark.parametrize(
    ("control", "trigger"),
    [
        ("note = 36\nchannel = 10", Trigger("note", 36, 10, 1, 127)),
        ("note = 36\nvalue = [100, 127]", Trigger("note", 36, None, 100, 127)),
        ("cc = 20", Trigger("cc", 20, None, 64, 127)),
        ("cc = 20\nvalue = 5\nport = 'Launch'", Trigger("cc", 20, None, 5, 5, "Launch")),
        ("program = 3", Trigger("program", 3, None, 0, 127)),
        ("bend = 'any'", Trigger("bend", None, None, 4096, 8191)),
        ("pressure = 'any'", Trigger("pressure", None, None, 64, 127)),
    ],
)
def test_controls(control: str, trigger: Trigger) -> None:
    assert entry(f"{control}\ndo = '/bridge/panic'").trigger == trigger


@pytest.mark.parametrize(
    ("action", "scale"),
    [
        ("do='/bridge/set'\narguments=['temperature', '{value}']", Scale(0.01, 10.0)),
        ("do='/bridge/set'\narguments=['bars', '{value}']\nto=[1, 16]", Scale(1, 16)),
        ("do='/bridge/set'\narguments=['tempo_bpm', '{value}']\nto=[80, 140]", Scale(80.0, 140.0)),
        ("do='/bridge/set'\narguments=['tempo_lock', '{value}']\nto=[0, 1]", Scale(0, 1)),
        ("do='/bridge/generate'\narguments=['preset', '{value}']", Scale(choices=PRESETS)),
        (
            "do='/bridge/set'\narguments=['lead', '{value}']",
            Scale(choices=("highest", "last", "loudest")),
        ),
        (
            "do='/bridge/capture/start'\narguments=['source', '{value}']",
            Scale(choices=("sound", "midi", "auto")),
        ),
        ("do='/bridge/capture/last'\narguments=['{value}']\nto=[1, 8]", Scale(1, 8)),
        ("do='/bridge/set'\narguments=['bars', 8]", None),
    ],
)
def test_a_value_is_scaled_to_the_range_of_its_key(action: str, scale: Scale | None) -> None:
    assert entry(f"cc = 20\n{action}").on.scale == scale


def test_scales() -> None:
    assert [Scale(1, 16).at(share) for share in (0.0, 0.5, 1.0)] == [1, 8, 16]
    assert [Scale(0.01, 10.0).at(share) for share in (0.0, 0.5, 1.0)] == [0.01, 5.005, 10.0]
    shares = (0.0, 0.34, 0.99, 1.0)
    assert [Scale(choices=PRESETS).at(share) for share in shares] == [
        *("brass", "choir", "waltz", "waltz")
    ]


def test_modes() -> None:
    panic, capture = "do = '/bridge/panic'", "do = '/bridge/capture/start'"
    assert entry(f"cc = 20\n{panic}").mode == "press"
    value = "do = '/bridge/set'\narguments = ['bars', '{value}']\nto = [1, 4]"
    assert entry(f"cc = 20\n{value}").mode == "follow"
    toggle = entry(f"cc = 20\n{value}\nmode = 'toggle'")
    assert toggle.off == toggle.on == Action("/bridge/set", ("bars", "{value}"), Scale(1, 4))
    held = entry(f"cc = 20\n{capture}\noff = '/bridge/capture/stop'\nmode = 'momentary'")
    assert held.off == Action("/bridge/capture/stop")
    assert held.off.begun_by == ("/bridge/capture/start",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("map = 5", r"map: write each entry under a line \[\[map\]\]"),
        ("pedals = 5", "'pedals' is not known here: map, defaults, pedal, led are"),
        ("[[map]]\ndo = 'pedal'", "entry 1: name one control: note, cc, program, bend, pressure"),
        ("[[map]]\ncc = 1\nnote = 1\ndo = 'pedal'", r"entry 1 \(note 1\): name one control"),
        ("[[map]]\ncc = 1", r"entry 1 \(cc 1\): do is missing: write an address, or 'pedal'"),
        ("[[map]]\ncc = 128\ndo = 'pedal'", "cc 128: write a whole number from 0 to 127"),
        ("[[map]]\ncc = 'x'\ndo = 'pedal'", "cc 'x': write a whole number from 0 to 127"),
        ("[[map]]\nbend = 3\ndo = 'pedal'", "bend 3: write 'any'"),
        ("[[map]]\nprogram = true\ndo = 'pedal'", "whole number from 0 to 127, or 'any'"),
        ("[[map]]\ncc = 1\nchannel = 0\ndo = 'pedal'", "channel 0: write a whole number from 1 to"),
        ("[[map]]\ncc = 1\nvalue = [1]\ndo = 'pedal'", "write the two ends, such as"),
        ("[[map]]\ncc = 1\nvalue = [9, 1]\ndo = 'pedal'", "write the lower end first"),
        ("[[map]]\ncc = 1\ndo = 'pedal'\nnumber = 5", "'number' is not known here"),
        ("[[map]]\ncc = 1\ndo = '/bridge/genrate'", "did you mean /bridge/generate"),
        ("[[map]]\ncc = 1\ndo = '/bridge/ping'\narguments = [7772]", "listen on a port"),
        ("[[map]]\ncc = 1\ndo = '/bridge/set'\narguments = ['bar', 4]", "did you mean bars"),
        ("[[map]]\ncc = 1\ndo = '/bridge/set'\narguments = ['bars', 0]", "range is 1 to 1000"),
        ("[[map]]\ncc = 1\ndo = '/bridge/set'\narguments = ['bars', true]", "neither text nor a"),
        (
            "[[map]]\ncc = 1\ndo = '/bridge/set'\narguments = ['bars', '{value}']\nto = [0, 4]",
            "bars 0: the range is 1 to 1000",
        ),
        (
            "[[map]]\ncc = 1\ndo = '/bridge/set'\narguments = ['key', '{value}']",
            "key takes text: write the text itself",
        ),
        (
            "[[map]]\ncc = 1\ndo = '/bridge/set'\narguments = ['numerator', '{value}']",
            r"range of numerator is not known: write one, such as to = \[0, 1\]",
        ),
        ("[[map]]\ncc = 1\ndo = '/bridge/panic'\nto = [0, 1]", "to scales a value, and there is"),
        ("[[map]]\ncc = 1\ndo = '/bridge/panic'\nmode = 'hold'", "write one of press, momentary"),
        ("[[map]]\ncc = 1\ndo = '/bridge/panic'\nmode = 'follow'", "has nothing to send"),
        ("[[map]]\ncc = 1\ndo = '/bridge/panic'\noff = '/bridge/reset'", "mode press has no off"),
        ("[[map]]\ncc = 1\ndo = 'pedal'\nmode = 'toggle'", "knows press and release by itself"),
        ("[[map]]\nbend = 'any'\ndo = 'pedal'\nled = true", "bend has no light of its own"),
        ("[pedal]\ninverted = 1", "inverted 1: write true or false"),
        ("[led]\nplaying = 128", "playing 128: write a whole number from 0 to 127"),
        ("[led]\ninit = 'F0 F0 F7'", "write a sysex in hex, such as"),
        ("[led]\ninit = 'F0 7'", "write a sysex in hex, such as"),
        ("[[map]\n", "is not TOML"),
    ],
)
def test_a_mistake_names_the_file_the_entry_and_the_remedy(text: str, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message) as raised:
        parsed(text)
    assert "midi.toml" in str(raised.value)


def test_a_file_over_64_kb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "midi.toml"
    path.write_text("#" * (64 << 10) + "\n")
    with pytest.raises(UnreadableFile, match="larger than 64 kB"):
        load_map(path, PRESETS)


def test_lights_and_pedal() -> None:
    both = parsed(
        "[pedal]\nlatching = true\n"
        "[led]\noff = 0\nready = 1\nrecording = 5\nchannel = 3\nblink = false\ninit = 'F0 7e F7'\n"
        "[[map]]\nnote = 36\nled = true\ndo = '/bridge/panic'\n"
        "[[map]]\ncc = 64\nled = 99\ndo = 'pedal'\n"
    )
    assert both.pedal.latching
    assert not both.pedal.inverted
    assert both.led.values == {"off": 0, "ready": 1, "recording": 5}
    assert (both.led.channel, both.led.blink, both.led.init) == (3, False, b"\xf0\x7e\xf7")
    assert [one.led for one in both.entries] == [None, 36, 99]
