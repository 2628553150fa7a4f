"""The patcher, as Max's JSON: the controls of the table, the script, and the cords between them.

Everything that decides is in the script. The patcher only connects: each control tells the script
its value under its own name, and the script tells each its display by a word that `route` sorts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from max_for_live.controls import (
    BANKS,
    CONTROLS,
    DEVICE_HEIGHT,
    DEVICE_WIDTH,
    MEMORIES,
    Control,
    Parameter,
)

SCRIPT = "melody_bridge.js"
AMXD_TYPE_AUDIO = 1_633_771_873
"""`aaaa`, as Max writes it into a device's project."""
_CREATED_SECONDS = 3_845_923_200
"""When the device was first made, in seconds since 1904; fixed, for the same bytes each time."""

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
"""The inlets and the types of the outlets of what is not typed into a box."""


@dataclass(frozen=True)
class Object:
    """A box that is not seen in the presentation.

    Attributes:
        id: what the cords call it.
        text: what is typed into it.
        inlets: how many.
        outlets: their types, as Max writes them.
        maxclass: `newobj`, or `message`.
        parameter: what it keeps in the set.
    """

    id: str
    text: str
    inlets: int = 1
    outlets: tuple[str, ...] = ("",)
    maxclass: str = "newobj"
    parameter: Parameter | None = None


@dataclass(frozen=True)
class Cord:
    """From an outlet to an inlet, both counted from 0."""

    source: str
    destination: str
    outlet: int = 0
    inlet: int = 0


def build_patcher() -> dict[str, Any]:
    """The whole device as Max reads it: `{"patcher": …}`."""
    words = [control.hears for control in CONTROLS if control.hears]
    words += [f"keep_{name}" for name, _ in MEMORIES] + ["listen_on"]
    objects = _objects(words)
    cords = _cords(words)
    numbers = {
        id: f"obj-{number}"
        for number, id in enumerate(
            [control.id for control in CONTROLS] + [one.id for one in objects], start=1
        )
    }
    boxes = [
        _control_box(control, numbers[control.id], place)
        for control, place in zip(CONTROLS, _column(CONTROLS), strict=True)
    ]
    boxes += [
        _object_box(one, numbers[one.id], place)
        for one, place in zip(objects, _places(objects), strict=True)
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
            "parameters": _parameters(objects, numbers),
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


def _objects(words: Sequence[str]) -> list[Object]:
    """What the controls are connected through, in the order in which it stands in the patcher."""
    tells = [
        Object(f"tell_{control.id}", f"prepend {_message(control)}")
        for control in CONTROLS
        if control.parameter and control.tells
    ]
    keeps = [
        one
        for name, parameter in MEMORIES
        for one in (
            Object(
                name,
                f"pattr {name} @thru 0",
                outlets=("", "", ""),
                parameter=parameter,
            ),
            Object(f"tell_{name}", f"prepend remember {name}"),
        )
    ]
    return [
        *tells,
        Object("prompt_changed", "t b", outlets=("bang",)),
        Object("tell_preset_menu", "prepend choose preset"),
        Object("tell_target_menu", "prepend choose target"),
        *keeps,
        Object("this_device", "live.thisdevice", outlets=("bang", "int", "int")),
        # Right to left: values first, then the text of the set, and then the script begins.
        Object("begin", "t b b b", outlets=("bang", "bang", "bang")),
        Object("tell_all", "outputvalue", inlets=2, maxclass="message"),
        Object("script", f"js {SCRIPT}", inlets=2, outlets=("", "", "")),
        Object("tell_port", "prepend port"),
        Object("osc_out", "udpsend 127.0.0.1 7771", outlets=()),
        # At low priority, for the script calls Live, and that is allowed nowhere else.
        Object("osc_in", "udpreceive 7772 @defer 1"),
        Object(
            "show",
            f"route {' '.join(words)}",
            inlets=len(words) + 1,
            outlets=("",) * (len(words) + 1),
        ),
        Object("sound", "route record buffer sync listen", inlets=5, outlets=("",) * 5),
        Object("input", "plugin~", inlets=2, outlets=("signal", "signal")),
        Object("mono", "*~ 0.5", inlets=2, outlets=("signal",)),
        Object("peak", "peakamp~ 20", inlets=2, outlets=("float",)),
        Object("listen", "gate", inlets=2),
        Object("tell_peak", "prepend peak"),
        Object("record", "record~ ---take 2", inlets=4, outlets=("signal",)),
        Object("buffer", "buffer~ ---take 1000 2", outlets=("float", "bang")),
        Object("tell_written", "prepend written"),
        Object(
            "sync",
            "plugsync~",
            outlets=("int", "int", "int", "float", "list", "float", "float", "int", "int"),
        ),
        Object("tell_song_beats", "prepend song_beats"),
        # Over 20 ms, which is heard as a switch and not as a click.
        Object("thru_ramp", "$1 20", inlets=2, maxclass="message"),
        # Open until the switch is known: a device that fails must not silence its track.
        Object("thru_gain", "line~ 1.", inlets=2, outlets=("signal", "bang")),
        Object("left", "*~", inlets=2, outlets=("signal",)),
        Object("right", "*~", inlets=2, outlets=("signal",)),
        Object("output", "plugout~", inlets=2, outlets=("signal", "signal")),
    ]


def _cords(words: Sequence[str]) -> list[Cord]:
    tells = [
        cord
        for control in CONTROLS
        if control.parameter and control.tells
        for cord in (Cord(control.id, f"tell_{control.id}"), Cord(f"tell_{control.id}", "script"))
    ]
    shown = {control.hears: control.id for control in CONTROLS if control.hears}
    keeps = {f"keep_{name}": name for name, _ in MEMORIES}
    targets = {**shown, **keeps, "listen_on": "osc_in"}
    return [
        *tells,
        # What is being typed counts too: nobody presses Return before Generate.
        Cord("prompt_text", "prompt_changed", outlet=3),
        Cord("prompt_changed", "prompt_text"),
        # Through no other object: a text may be a word that one obeys, such as `set`.
        Cord("prompt_text", "script", inlet=1),
        Cord("preset_menu", "tell_preset_menu"),
        Cord("tell_preset_menu", "script"),
        Cord("target_menu", "tell_target_menu"),
        Cord("tell_target_menu", "script"),
        *(Cord(name, f"tell_{name}") for name, _ in MEMORIES),
        *(Cord(f"tell_{name}", "script") for name, _ in MEMORIES),
        Cord("this_device", "begin"),
        Cord("begin", "tell_all", outlet=2),
        *(Cord("begin", name, outlet=1) for name, _ in MEMORIES),
        Cord("begin", "script"),
        *(
            Cord("tell_all", control.id)
            for control in CONTROLS
            if control.parameter and not control.is_button
        ),
        Cord("port", "tell_port"),
        Cord("tell_port", "script"),
        Cord("script", "osc_out"),
        Cord("osc_in", "script"),
        Cord("script", "show", outlet=1),
        *(Cord("show", targets[word], outlet=at) for at, word in enumerate(words)),
        Cord("script", "sound", outlet=2),
        Cord("sound", "record"),
        Cord("sound", "buffer", outlet=1),
        Cord("sound", "sync", outlet=2),
        Cord("sound", "listen", outlet=3),
        Cord("input", "mono"),
        Cord("input", "mono", outlet=1),
        Cord("mono", "track_meter"),
        Cord("mono", "peak"),
        Cord("peak", "listen", inlet=1),
        Cord("listen", "tell_peak"),
        Cord("tell_peak", "script"),
        Cord("input", "record"),
        Cord("input", "record", outlet=1, inlet=1),
        Cord("buffer", "tell_written", outlet=1),
        Cord("tell_written", "script"),
        Cord("sync", "tell_song_beats", outlet=6),
        Cord("tell_song_beats", "script"),
        Cord("thru", "thru_ramp"),
        Cord("thru_ramp", "thru_gain"),
        Cord("thru_gain", "left", inlet=1),
        Cord("thru_gain", "right", inlet=1),
        Cord("input", "left"),
        Cord("input", "right", outlet=1),
        Cord("left", "output"),
        Cord("right", "output", inlet=1),
    ]


def _message(control: Control) -> str:
    return f"{'press' if control.is_button else 'control'} {control.id}"


def _control_box(control: Control, id: str, place: Sequence[float]) -> dict[str, Any]:
    inlets, outlets = _PORTS[control.maxclass]
    box: dict[str, Any] = {
        "id": id,
        "maxclass": control.maxclass,
        "numinlets": inlets,
        "numoutlets": len(outlets),
        "patching_rect": list(place),
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
    # A colour of the device's own is bound to none of the theme's.
    bound += [(name, "") for name, _ in control.attributes if name.endswith("bgcolor")]
    if bound:
        box.setdefault("saved_attribute_attributes", {}).update(
            (attribute, {"expression": expression}) for attribute, expression in bound
        )
    return box


def _object_box(one: Object, id: str, place: Sequence[float]) -> dict[str, Any]:
    box: dict[str, Any] = {
        "id": id,
        "maxclass": one.maxclass,
        "numinlets": one.inlets,
        "numoutlets": len(one.outlets),
        "patching_rect": list(place),
        "text": one.text,
    }
    if one.outlets:
        box["outlettype"] = list(one.outlets)
    if one.parameter is not None:
        box |= _saved(one.parameter)
        # Max keeps a pattr's own attributes apart from those of the box.
        del box["parameter_enable"]
        box["saved_object_attributes"] = {"parameter_enable": 1, "parameter_mappable": 0}
        box["varname"] = one.id
    return box


def _saved(parameter: Parameter) -> dict[str, Any]:
    """What makes a box a parameter of Live, with its info text."""
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


def _parameters(objects: Sequence[Object], numbers: Mapping[str, str]) -> dict[str, Any]:
    """The patcher's own list of its parameters, and the banks of Push."""
    listed = [(control.id, control.parameter) for control in CONTROLS if control.parameter]
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
            for index, (name, names) in enumerate(BANKS)
        },
        "inherited_shortname": 1,
    }


_MARGIN = 20.0
_GAP = 8.0
_ROW = 22.0
_ROWS = 20


def _column(controls: Sequence[Control]) -> list[list[float]]:
    """Places of the controls in the patcher: columns at the left, nothing over another."""
    places: list[list[float]] = []
    x, y, right = _MARGIN, _MARGIN, 0.0
    for control in controls:
        width, height = (float(side) for side in control.rect[2:])
        if y + height > _MARGIN + _ROWS * (_ROW + _GAP):
            x, y = right + _MARGIN, _MARGIN
        places.append([x, y, width, height])
        right = max(right, x + width)
        y += height + _GAP
    return places


def _places(objects: Sequence[Object]) -> list[list[float]]:
    """Places of the other objects: columns right of the controls'."""
    left = max(x + width for x, _, width, _ in _column(CONTROLS)) + _MARGIN
    places = []
    for index, one in enumerate(objects):
        column, row = divmod(index, _ROWS)
        width = min(max(60.0, 7.0 * len(one.text)), 240.0)
        places.append([left + 260.0 * column, _MARGIN + row * (_ROW + _GAP), width, _ROW])
    return places


_HEAD: dict[str, Any] = {
    "fileversion": 1,
    # Max 8.6 comes with Live 12.0; a later one reads it too.
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
