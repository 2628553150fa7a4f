"""Max's JSON for a patcher: boxes, cords, parameters and their positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from max_for_live.script import SCRIPT
from max_for_live.widgets import DEVICE_HEIGHT, DEVICE_WIDTH, Control, Parameter

AMXD_TYPE_AUDIO = 1_633_771_873
"""`aaaa`, as Max writes it into a device's project."""
_CREATED_SECONDS = 3_845_923_200
"""Date of the project, in seconds since 1904: fixed, so that each build gives the same bytes."""

_PARAMETER_TYPES = {"float": 0, "int": 1, "enum": 2, "blob": 3}
_PORTS: Mapping[str, tuple[int, Sequence[str]]] = {
    "live.comment": (1, ()),
    "live.dial": (1, ("", "float")),
    "live.line": (1, ()),
    "live.menu": (1, ("", "", "float")),
    "live.meter~": (1, ("float", "int")),
    "live.numbox": (1, ("", "float")),
    "live.text": (1, ("", "")),
    "message": (2, ("",)),
    "multislider": (1, ("", "")),
    "panel": (1, ()),
    "textedit": (1, ("", "int", "", "")),
    "umenu": (1, ("int", "", "")),
}
"""Number of inlets and types of outlets, for the objects that are not typed into a box."""


@dataclass(frozen=True)
class Object:
    """A box that the presentation does not show.

    Attributes:
        id: its name in the cords.
        text: the text typed into it.
        inlets: their number.
        outlets: their types, as Max writes them.
        maxclass: `newobj` or `message`.
        parameter: the parameter that it keeps in the set.
    """

    id: str
    text: str
    inlets: int = 1
    outlets: tuple[str, ...] = ("",)
    maxclass: str = "newobj"
    parameter: Parameter | None = None


@dataclass(frozen=True)
class Cord:
    """A cord from an outlet to an inlet, both counted from 0."""

    source: str
    destination: str
    outlet: int = 0
    inlet: int = 0


Bank = tuple[str, tuple[str, ...]]
"""A name, and the names of up to eight parameters."""


def maxpat(
    controls: Sequence[Control],
    objects: Sequence[Object],
    cords: Sequence[Cord],
    banks: Sequence[Bank],
) -> dict[str, Any]:
    """A device's patcher as Max reads it: `{"patcher": …}`.

    Args:
        controls: the boxes of the presentation.
        objects: all other boxes.
        cords: between boxes, by the ids of controls and objects.
        banks: the parameters of Push's encoders.
    """
    numbers = {
        id: f"obj-{number}"
        for number, id in enumerate(
            [control.id for control in controls] + [one.id for one in objects], start=1
        )
    }
    boxes = [
        _control_box(control, numbers[control.id], rect)
        for control, rect in zip(controls, _control_rects(controls), strict=True)
    ]
    boxes += [
        _object_box(one, numbers[one.id], rect)
        for one, rect in zip(objects, _object_rects(controls, objects), strict=True)
    ]
    return {
        "patcher": {
            **_HEAD,
            "boxes": [{"box": box} for box in boxes],
            "lines": [
                {
                    "patchline": {
                        "destination": [numbers[cord.destination], cord.inlet],
                        "source": [numbers[cord.source], cord.outlet],
                    }
                }
                for cord in cords
            ],
            "parameters": _parameters(controls, objects, banks, numbers),
            "dependency_cache": [{"name": SCRIPT, "bootpath": ".", "type": "TEXT", "implicit": 1}],
            "latency": 0,
            "is_mpe": 0,
            "minimum_live_version": "",
            "minimum_max_version": "",
            "platform_compatibility": 0,
            "project": _PROJECT,
            "autosave": 0,
        }
    }


def _control_box(control: Control, id: str, rect: Sequence[float]) -> dict[str, Any]:
    inlets, outlets = _PORTS[control.maxclass]
    box: dict[str, Any] = {
        "id": id,
        "maxclass": control.maxclass,
        "numinlets": inlets,
        "numoutlets": len(outlets),
        "patching_rect": list(rect),
        "presentation": 1,
        "presentation_rect": [float(side) for side in control.rect],
        "varname": control.id,
        **dict(control.attributes),
    }
    if outlets:
        box["outlettype"] = list(outlets)
    if control.text:
        box["text"] = control.text
    if control.text_on:
        box["texton"] = control.text_on
    if control.parameter is not None:
        box |= _saved(control.parameter)
    bound = [(attribute, f"themecolor.{color}") for attribute, color in control.theme]
    # A colour of the device's own does not follow the theme.
    bound += [(name, "") for name, _ in control.attributes if name.endswith("bgcolor")]
    if bound:
        box.setdefault("saved_attribute_attributes", {}).update(
            (attribute, {"expression": expression}) for attribute, expression in bound
        )
    return box


def _object_box(one: Object, id: str, rect: Sequence[float]) -> dict[str, Any]:
    box: dict[str, Any] = {
        "id": id,
        "maxclass": one.maxclass,
        "numinlets": one.inlets,
        "numoutlets": len(one.outlets),
        "patching_rect": list(rect),
        "text": one.text,
    }
    if one.outlets:
        box["outlettype"] = list(one.outlets)
    if one.parameter is not None:
        box |= _saved(one.parameter)
        # Max saves the attributes of a pattr apart from those of its box.
        del box["parameter_enable"]
        box["saved_object_attributes"] = {"parameter_enable": 1, "parameter_mappable": 0}
        box["varname"] = one.id
    return box


def _saved(parameter: Parameter) -> dict[str, Any]:
    """The attributes that make a box a parameter of Live."""
    value: dict[str, Any] = {
        "parameter_annotation_name": parameter.name,
        "parameter_info": parameter.info,
        "parameter_longname": parameter.name,
        "parameter_modmode": 0,
        "parameter_shortname": parameter.short or parameter.name,
        "parameter_type": _PARAMETER_TYPES[parameter.kind],
    }
    if parameter.visibility != "automated":
        value["parameter_invisible"] = {"stored": 1, "hidden": 2}[parameter.visibility]
    if parameter.kind == "blob":
        value["parameter_initial_enable"] = 0
    else:
        value |= {
            "parameter_initial": [parameter.initial],
            "parameter_initial_enable": 1,
            "parameter_unitstyle": parameter.unit,
        }
    if parameter.kind == "enum":
        value |= {
            "parameter_enum": list(parameter.items),
            "parameter_mmax": len(parameter.items) - 1,
        }
    elif parameter.kind != "blob":
        value |= {"parameter_mmin": parameter.low, "parameter_mmax": parameter.high}
    return {
        "annotation": parameter.info,
        "annotation_name": parameter.name,
        "parameter_enable": 1,
        "saved_attribute_attributes": {"valueof": dict(sorted(value.items()))},
    }


def _parameters(
    controls: Sequence[Control],
    objects: Sequence[Object],
    banks: Sequence[Bank],
    numbers: Mapping[str, str],
) -> dict[str, Any]:
    """The patcher's list of its parameters, and the banks of Push."""
    listed = [(control.id, control.parameter) for control in controls if control.parameter]
    listed += [(one.id, one.parameter) for one in objects if one.parameter]
    return {
        **{
            numbers[id]: [parameter.name, parameter.short or parameter.name, 0]
            for id, parameter in listed
        },
        "parameterbanks": {
            str(index): {
                "index": index,
                "name": name,
                "parameters": list(names) + ["-"] * (8 - len(names)),
            }
            for index, (name, names) in enumerate(banks)
        },
        "inherited_shortname": 1,
    }


_MARGIN = 20.0
_GAP = 8.0
_ROW = 22.0
_ROWS = 20


def _control_rects(controls: Sequence[Control]) -> list[list[float]]:
    """Positions of the controls in the patcher: columns at the left, without overlaps."""
    rects: list[list[float]] = []
    x, y, right = _MARGIN, _MARGIN, 0.0
    for control in controls:
        width, height = (float(side) for side in control.rect[2:])
        if y + height > _MARGIN + _ROWS * (_ROW + _GAP):
            x, y = right + _MARGIN, _MARGIN
        rects.append([x, y, width, height])
        right = max(right, x + width)
        y += height + _GAP
    return rects


def _object_rects(controls: Sequence[Control], objects: Sequence[Object]) -> list[list[float]]:
    """Positions of the other objects: columns to the right of the controls."""
    left = max(x + width for x, _, width, _ in _control_rects(controls)) + _MARGIN
    rects = []
    for index, one in enumerate(objects):
        column, row = divmod(index, _ROWS)
        width = min(max(60.0, 7.0 * len(one.text)), 240.0)
        rects.append([left + 260.0 * column, _MARGIN + row * (_ROW + _GAP), width, _ROW])
    return rects


_HEAD: dict[str, Any] = {
    "fileversion": 1,
    # The version that comes with Live 12.0; later ones read its files too.
    "appversion": {
        "major": 8,
        "minor": 6,
        "revision": 0,
        "architecture": "x64",
        "modernui": 1,
    },
    "classnamespace": "box",
    "rect": [60.0, 100.0, 2000.0, 720.0],
    "openrect": [0.0, 0.0, float(DEVICE_WIDTH), float(DEVICE_HEIGHT)],
    "openinpresentation": 1,
    "default_fontsize": 10.0,
    "default_fontface": 0,
    "default_fontname": "Arial Bold",
    "gridsize": [8.0, 8.0],
    "boxanimatetime": 500,
    "devicewidth": float(DEVICE_WIDTH),
    "description": "Hum a melody, get a loop that follows it in the next clip slot.",
}

_PROJECT: dict[str, Any] = {
    "version": 1,
    "creationdate": _CREATED_SECONDS,
    "modificationdate": _CREATED_SECONDS,
    "viewrect": [0.0, 0.0, 300.0, 500.0],
    "autoorganize": 1,
    "hideprojectwindow": 1,
    "showdependencies": 1,
    "autolocalize": 0,
    "contents": {"patchers": {}, "code": {SCRIPT: {"kind": "javascript", "local": 1}}},
    "layout": {},
    "searchpath": {},
    "detailsvisible": 0,
    "amxdtype": AMXD_TYPE_AUDIO,
    "readonly": 0,
    "devpathtype": 0,
    "devpath": ".",
    "sortmode": 0,
    "viewmode": 0,
    "includepackages": 0,
}
