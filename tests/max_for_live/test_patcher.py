"""The patcher agrees with Max's own reference, and its parts agree with each other."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import py2max
import pytest
from py2max import maxref
from py2max.lint import lint

from max_for_live import build
from max_for_live.banks import BANKS
from max_for_live.constants import COLORS
from max_for_live.drawing import overflows
from max_for_live.widgets import DEVICE_HEIGHT, DEVICE_WIDTH

PATCHER: dict[str, Any] = json.loads(build.PATCHER.read_bytes())
BOXES: list[dict[str, Any]] = [each["box"] for each in PATCHER["patcher"]["boxes"]]
BY_ID = {box["id"]: box for box in BOXES}
CORDS = [each["patchline"] for each in PATCHER["patcher"]["lines"]]
SCRIPT = build.SCRIPT_FILE.read_text(encoding="utf-8")
PASSIVE = {"live.comment", "live.line"}
"""Objects that neither send nor need messages."""
INTEGER_STEPS = 256
"""Number of values of Live's whole numbers (Ableton's production guidelines)."""
PRESSED = {
    str(box["text"]).split()[2]
    for box in BOXES
    if str(box.get("text", "")).startswith("prepend press ")
}
"""Scripting names of the buttons."""


def name_of(box: dict[str, Any]) -> str:
    """The Max object of a box."""
    if box["maxclass"] == "newobj":
        return str(box["text"]).split()[0]
    return str(box["maxclass"])


def parameter_of(box: dict[str, Any]) -> dict[str, Any] | None:
    """Live's parameter of a box; None: it has none."""
    saved = box.get("saved_attribute_attributes", {}).get("valueof")
    assert saved is None or isinstance(saved, dict)
    return saved


PARAMETERS = {
    parameter["parameter_longname"]: (box, parameter)
    for box in BOXES
    if (parameter := parameter_of(box))
}


def test_the_linter_finds_no_fault_in_the_patcher() -> None:
    findings = [str(finding) for finding in lint(py2max.Patcher.from_file(str(build.PATCHER)))]
    assert findings == []


def test_the_linter_finds_faults_in_a_broken_patcher(tmp_path: Path) -> None:
    broken = json.loads(build.PATCHER.read_bytes())
    lines = broken["patcher"]["lines"]
    lines[0]["patchline"]["source"][1] = 9
    to_light = next(
        line for line in lines if BY_ID[line["patchline"]["destination"][0]]["maxclass"] == "panel"
    )
    to_light["patchline"]["destination"][1] = 9
    lines[2]["patchline"]["source"][0] = "obj-9999"
    broken["patcher"]["boxes"][-1]["box"]["text"] = "no.such.object~"
    path = tmp_path / "broken.maxpat"
    path.write_text(json.dumps(broken))
    found = {finding.code for finding in lint(py2max.Patcher.from_file(str(path)))}
    assert {"E-OUTLET-RANGE", "E-INLET-RANGE", "E-ORPHAN-LINE", "W-UNKNOWN-OBJECT"} <= found


@pytest.mark.parametrize("box", BOXES, ids=lambda box: box.get("varname") or box["text"])
def test_a_box_has_the_inlets_and_outlets_of_its_object(box: dict[str, Any]) -> None:
    name = name_of(box)
    assert len(box.get("outlettype", [])) == box["numoutlets"]
    if name in ("js", "message"):
        # The script sets the number, or the reference does not have it.
        return
    if name in ("route", "trigger", "t", "gate", "record~"):
        words = str(box["text"]).split()[1:]
        expected = {
            "route": (len(words) + 1, len(words) + 1),
            "t": (1, len(words)),
            "gate": (2, 1),
            # One inlet for each channel, and two for the start and the end.
            "record~": (int(words[-1]) + 2, 1) if name == "record~" else (0, 0),
        }[name]
        assert (box["numinlets"], box["numoutlets"]) == expected
        return
    info = maxref.get_object_info(name)
    assert info is not None
    assert box["numinlets"] == max(len(info["inlets"]), 1)
    assert box["numoutlets"] == len(info["outlets"])


def test_the_scripts_box_has_its_declared_inlets_and_outlets() -> None:
    declared = re.search(r"^inlets = (\d+);\noutlets = (\d+);$", SCRIPT, re.MULTILINE)
    script = next(box for box in BOXES if name_of(box) == "js")
    assert declared is not None
    assert (script["numinlets"], script["numoutlets"]) == tuple(map(int, declared.groups()))
    used = {cord["source"][1] for cord in CORDS if cord["source"][0] == script["id"]}
    assert used == set(range(script["numoutlets"]))


def test_only_passive_objects_have_no_cord() -> None:
    corded = {end[0] for cord in CORDS for end in (cord["source"], cord["destination"])}
    loose = {name_of(box) for box in BOXES if box["id"] not in corded}
    assert loose <= PASSIVE


def test_every_label_without_a_cord_has_a_text() -> None:
    corded = {cord["destination"][0] for cord in CORDS}
    for box in BOXES:
        if box["maxclass"] == "live.comment" and box["id"] not in corded:
            assert box["text"].strip()


def test_every_parameter_has_a_unique_name_and_an_info_text() -> None:
    parameters = [parameter for box in BOXES if (parameter := parameter_of(box))]
    for key in ("parameter_longname", "parameter_info"):
        counted = Counter(parameter[key] for parameter in parameters)
        assert [value for value, count in counted.items() if count > 1] == []
    names = Counter(box["varname"] for box in BOXES if "varname" in box)
    assert max(names.values()) == 1
    for name, (box, parameter) in PARAMETERS.items():
        assert name == parameter["parameter_annotation_name"] and not re.search(r"live\.|\[", name)
        assert parameter["parameter_info"].endswith(".") and len(parameter["parameter_info"]) > 15
        assert box["annotation"] == parameter["parameter_info"]


def test_every_control_that_sets_a_value_is_a_parameter() -> None:
    unset = {
        box["maxclass"]
        for box in BOXES
        if box["maxclass"].startswith("live.") and parameter_of(box) is None
    }
    assert unset == {"live.comment", "live.line", "live.meter~"}
    # Hidden parameters keep the texts and the menus that the script fills.
    kept = {name for name, (box, _) in PARAMETERS.items() if name_of(box) == "pattr"}
    assert kept == {"Preset", "Prompt", "Target Track"}


def test_every_parameter_has_a_range_that_live_supports() -> None:
    for name, (_, parameter) in PARAMETERS.items():
        kind = parameter["parameter_type"]
        if kind == 3:
            assert parameter["parameter_invisible"] == 1, name
            continue
        (initial,) = parameter["parameter_initial"]
        low, high = parameter.get("parameter_mmin", 0), parameter["parameter_mmax"]
        assert low <= initial <= high and low < high, name
        if kind == 1:
            assert high - low < INTEGER_STEPS and high < INTEGER_STEPS, name
        if kind == 2:
            assert high == len(parameter["parameter_enum"]) - 1, name


def test_played_buttons_can_be_mapped_and_others_cannot() -> None:
    for name in ("Hum to Clip", "Generate", "Cancel", "Capture", "Last Bars", "Launch A"):
        assert PARAMETERS[name][1].get("parameter_invisible", 0) == 0
    # A press of the others would fill Live's undo, and an undo would press them again.
    for name in ("Discard D", "Dice", "Check", "Reveal"):
        assert PARAMETERS[name][1]["parameter_invisible"] == 2


def test_the_patchers_list_of_parameters_is_complete() -> None:
    listed = dict(PATCHER["patcher"]["parameters"])
    banks = listed.pop("parameterbanks")
    listed.pop("inherited_shortname")
    assert {id: entry[0] for id, entry in listed.items()} == {
        box["id"]: name for name, (box, _) in PARAMETERS.items()
    }
    assert len(banks) == len(BANKS)
    for bank in banks.values():
        assert len(bank["parameters"]) == 8
        named = {name for name in bank["parameters"] if name != "-"}
        assert all("parameter_invisible" not in PARAMETERS[name][1] for name in named)


def test_every_visible_object_is_in_the_presentation_and_fits() -> None:
    for box in BOXES:
        is_visible = box["maxclass"] not in ("newobj", "message")
        assert bool(box.get("presentation")) == is_visible
        if is_visible:
            x, y, width, height = box["presentation_rect"]
            assert x >= 0 and y >= 0 and x + width <= DEVICE_WIDTH and y + height <= DEVICE_HEIGHT
            assert all(side == int(side) for side in box["presentation_rect"])
    assert overflows(PATCHER) == []


@pytest.mark.parametrize("text", re.findall(r'show_status\("([^"]+)"\)', SCRIPT))
def test_every_status_text_fits_on_its_lines(text: str) -> None:
    assert overflows(PATCHER, {"status": text}) == []


def test_names_that_live_shares_between_devices_are_unique_to_each_device() -> None:
    for box in BOXES:
        words = str(box.get("text", "")).split()
        if box["maxclass"] == "newobj" and words[0] in ("buffer~", "record~", "s", "r", "send"):
            assert words[1].startswith("---")


def words_of(name: str) -> Iterator[str]:
    """The words that are typed into the boxes of an object, after its name."""
    for box in BOXES:
        if box["maxclass"] == "newobj" and name_of(box) == name:
            yield from str(box["text"]).split()[1:]


def test_route_knows_exactly_the_words_that_the_script_sends() -> None:
    routed = set(words_of("route"))
    sent = set(re.findall(r'outlet\((?:SHOW|SOUND), \[?"(\w+)"', SCRIPT))
    sent |= set(re.findall(r'show_text\("(\w+)"', SCRIPT))
    # The script composes these: the texts of the set, and the buttons that it switches off.
    composed = {f"keep_{name}" for name in ("preset", "prompt", "target")} | PRESSED
    assert sent - {"keep_", "launch_"} | composed == routed


def test_a_clip_has_the_colour_of_its_button() -> None:
    in_script = re.search(r"var COLORS = (\[.*?\]);", SCRIPT)
    assert in_script is not None
    buttons = [box for box in BOXES if str(box.get("varname")).startswith("launch_")]
    of_buttons = [
        int.from_bytes(bytes(round(255 * part) for part in box["activebgcolor"][:3]))
        for box in buttons
    ]
    assert of_buttons == json.loads(in_script[1]) == list(COLORS)


def test_a_button_is_a_switch_that_the_script_can_switch_off() -> None:
    """A mapped note toggles, so a button of Max would miss every second note."""
    for name in PRESSED:
        button = next(box for box in BOXES if box.get("varname") == name)
        assert button["mode"] == 1 and button["maxclass"] == "live.text"


def test_the_script_knows_every_button_and_every_control() -> None:
    table = re.search(r"var BUTTONS = \{(.*?)\};", SCRIPT, re.DOTALL)
    assert table is not None
    known = set(re.findall(r"^    (\w+):", table[1], re.MULTILINE))
    known |= {f"{verb}_{letter}" for verb in ("launch", "discard") for letter in "abcd"}
    assert known == PRESSED
    controlled = {
        str(box["text"]).split()[2]
        for box in BOXES
        if str(box.get("text", "")).startswith("prepend control ")
    }
    assert controlled == set(re.findall(r"controls\.(\w+)", SCRIPT))
