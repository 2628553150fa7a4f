"""The map as a drawing and a list, and the one in docs/midi.md."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from bridge.config.presets import preset_names
from bridge.control.midi_map_file import default_map, parse_map
from bridge.tools.midi_drawing import drawing

PAGE = Path(__file__).parents[2] / "docs" / "midi.md"
TEXT = """
[[map]]
note = 49
do = "/bridge/panic"

[[map]]
note = 60
mode = "momentary"
do = "/bridge/capture/start"
off = "/bridge/capture/stop"
led = true

[[map]]
cc = 20
channel = 3
value = [0, 63]
port = "nano"
do = "/bridge/set"
arguments = ["top_k", "{value}"]
"""


def test_keys_and_pads_have_the_letters_of_the_list() -> None:
    lines = drawing(parse_map(TEXT, Path("midi.toml"), ("waltz",))).splitlines()
    assert len(lines[0]) == 15 * 4 + 1
    assert lines[1].startswith("│  │c│ │█│")
    assert lines[3].index("d") == 7 * 4 + 2
    assert lines[5].split() == ["C2", "48", "C3", "60", "C4", "72"]
    assert "│ 48  │ 49 c│ 50  │ 51  │" in lines
    assert lines[-5:] == [
        "a  cc 64                                  pedal (default)",
        "b  program any                            /bridge/set preset {value} (follow, default)",
        "c  note 49                                /bridge/panic",
        "d  note 60                                /bridge/capture/start, then "
        "/bridge/capture/stop (momentary, light 60)",
        "e  cc 20, channel 3, value 0 to 63, nano  /bridge/set top_k {value} (follow)",
    ]


def test_a_map_of_more_entries_than_letters_is_drawn() -> None:
    text = "".join(f"[[map]]\nnote = {note}\ndo = '/bridge/panic'\n" for note in range(128))
    lines = drawing(parse_map(text, Path("midi.toml"), ("waltz",))).splitlines()
    assert lines[-1] == "*  note 127     /bridge/panic"


def test_an_empty_map_says_so() -> None:
    empty = parse_map("defaults = false", Path("midi.toml"), ("waltz",))
    assert drawing(empty).splitlines()[-1] == "nothing is mapped"


def test_the_page_has_the_default_map() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (printed,) = re.findall(r"<!-- map:begin -->\n```\n(.*?)```\n<!-- map:end -->", page, re.DOTALL)
    assert printed == f"{drawing(default_map(preset_names()))}\n"


def test_the_pages_examples_are_maps() -> None:
    examples = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 4
    for example in examples:
        assert tomllib.loads(example)
        parse_map(example, PAGE, preset_names())
