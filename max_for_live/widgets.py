"""The kinds of controls that the device is made of, as the table in `controls.py` uses them.

Positions are pixels in Live's device view, which is 169 high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DEVICE_WIDTH = 570
DEVICE_HEIGHT = 169

Rect = tuple[int, int, int, int]
"""x, y, width and height."""
Visibility = Literal["automated", "stored", "hidden"]


@dataclass(frozen=True)
class Parameter:
    """A value that Live saves in the set, and that Live can show, map and automate.

    Attributes:
        name: unique in the device; Live shows it when the parameter is automated or mapped.
        info: the text in Live's info view.
        short: a shorter name for labels; empty: the name.
        kind: one of Live's types. Live's whole numbers are limited to 0…255, so a larger one is a
            float that is displayed as a whole number. A `blob` holds any data, such as text.
        low, high, initial: the range and the first value of a number; an enum has only `initial`,
            the index of an item.
        items: the items of an enum.
        unit: Live's unit style: 0 whole number, 1 decimals, 9 name of an item.
        visibility: a `stored` parameter cannot be automated or mapped; a `hidden` one is not saved
            either, and changing it adds no step to Live's undo.
    """

    name: str
    info: str
    short: str = ""
    kind: Literal["float", "int", "enum", "blob"] = "float"
    low: float = 0
    high: float = 1
    initial: float = 0
    items: tuple[str, ...] = ()
    unit: int = 0
    visibility: Visibility = "automated"


@dataclass(frozen=True)
class Control:
    """An object in the presentation, which is the part of the patcher that Live shows.

    Attributes:
        id: its scripting name, and the name in the messages that the script receives from it.
        maxclass: the Max object.
        rect: its position and size.
        parameter: the parameter that it sets; None: it sets none.
        text, text_on: its text, and its text while it is on.
        route_word: first word of the script's messages to it; empty: the script sends it none.
        sends_value: whether the script receives its value.
        attributes: further attributes, by their names in a patcher file.
        theme: the colours of Live's theme that attributes follow, for objects of Max that do not
            follow the theme by themselves.
        is_button: whether the script receives a press, and switches it off again.
    """

    id: str
    maxclass: str
    rect: Rect
    parameter: Parameter | None = None
    text: str = ""
    text_on: str = ""
    route_word: str = ""
    sends_value: bool = True
    attributes: tuple[tuple[str, object], ...] = ()
    theme: tuple[tuple[str, str], ...] = ()
    is_button: bool = False


FONT: tuple[tuple[str, object], ...] = (("fontname", "Ableton Sans Medium"), ("fontsize", 9.5))
"""The font of Live's own objects, for the objects of Max."""


def menu(id: str, rect: Rect) -> Control:
    """A menu that the script fills: the items of Live's own menu cannot change."""
    return Control(
        id,
        "umenu",
        rect,
        route_word=id,
        attributes=FONT,
        theme=(("bgfillcolor", "live_control_bg"), ("textcolor", "live_control_fg")),
    )


def button(
    id: str,
    rect: Rect,
    text: str,
    name: str,
    info: str,
    *,
    is_played: bool = True,
    attributes: tuple[tuple[str, object], ...] = (),
) -> Control:
    """A button, which is pressed by hand, by a mapped pad or by automation.

    It is a switch that the script switches off again: Live toggles a parameter that a note is
    mapped to, so a button of Max would miss every second hit of a pad. A button that is not played
    (`is_played`) can only be clicked: each change of a parameter that can be mapped adds a step to
    Live's undo.
    """
    parameter = Parameter(
        name,
        info,
        kind="enum",
        items=("off", "on"),
        unit=9,
        visibility="automated" if is_played else "hidden",
    )
    # Output mode 0 acts when the button goes down, which is the moment of a pad's hit.
    switch: tuple[tuple[str, object], ...] = (("mode", 1), ("outputmode", 0))
    return Control(
        id,
        "live.text",
        rect,
        parameter,
        text,
        text,
        id,
        attributes=switch + attributes,
        is_button=True,
    )


def switch(
    id: str,
    rect: Rect,
    text: str,
    parameter: Parameter,
    *,
    route_word: str = "",
    sends_value: bool = True,
) -> Control:
    """A button that stays on."""
    return Control(
        id,
        "live.text",
        rect,
        parameter,
        text,
        text,
        route_word,
        sends_value,
        attributes=(("mode", 1), ("outputmode", 1)),
    )


def on_off(name: str, info: str, *, initial: float) -> Parameter:
    return Parameter(name, info, kind="enum", items=("off", "on"), initial=initial, unit=9)


def label(id: str, rect: Rect, text: str, *, route_word: str = "", right: bool = False) -> Control:
    return Control(
        id,
        "live.comment",
        rect,
        text=text,
        route_word=route_word,
        attributes=(("textjustification", 2 if right else 0),),
    )


def line(id: str, x: int) -> Control:
    return Control(id, "live.line", (x, 4, 5, 161), attributes=(("justification", 1),))


def meter(id: str, rect: Rect, *, route_word: str = "") -> Control:
    return Control(id, "live.meter~", rect, route_word=route_word, attributes=(("orientation", 1),))
