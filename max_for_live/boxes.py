"""Attributes of a patcher's box: position, name, colours, parameter, as Max saves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from max_for_live.canvas import Color, Rect, rgba

Box = dict[str, Any]
"""A box in a patcher's file: the value of its "box"."""

_THEME = {
    "live_surface_bg": "#a5a5a5",
    "live_surface_frame": "#6e6e6e",
    "live_control_bg": "#cfcfcf",
    "live_control_text_bg": "#dcdcdc",
    "live_control_fg": "#121212",
    "live_control_selection": "#ffb532",
    "live_value_arc": "#6dd7ff",
    "live_dial_fg": "#3c3c3c",
    "live_dial_needle": "#121212",
    "live_meter_bg": "#242424",
}
"""Colours of Live's default theme, by their names in Max. Sources: patchers that were saved in that
theme, and Max's reference; a colour that neither has is a mean of its neighbours."""
_FONT_SIZE = 9.5
"""Of Live's own objects."""
_MAX_FONT_SIZE = 10.0
"""Of Max's objects: the default in the patchers of devices."""
_ENUM = 2
"""The type of a parameter that has items."""
_UNIT_FLOAT = 1
"""Max's unit style with decimals; the device's other numbers are whole."""


def box_rect(box: Box) -> Rect:
    """The box's rectangle in the presentation."""
    x, y, width, height = (float(side) for side in box["presentation_rect"])
    return x, y, x + width, y + height


def inset(rect: Rect, across: float, down: float = 0) -> Rect:
    """The rectangle, smaller by that much on each side."""
    return rect[0] + across, rect[1] + down, rect[2] - across, rect[3] - down


def box_name(box: Box) -> str:
    """The box's scripting name, or its id or class if it has none."""
    return str(box.get("varname") or box.get("id") or box["maxclass"])


def font_size(box: Box) -> float:
    """The size of the box's text in pixels."""
    default = _FONT_SIZE if box["maxclass"].startswith("live.") else _MAX_FONT_SIZE
    return float(box.get("fontsize", default))


def color_of(box: Box, attribute: str, default: str) -> Color:
    """A colour attribute of a box: the theme's colour if it is bound to the theme, else its own.

    Args:
        default: a name of the theme or "#rrggbb", for a box without that attribute.
    """
    bound = box.get("saved_attribute_attributes", {}).get(attribute, {}).get("expression", "")
    name = str(bound).removeprefix("themecolor.")
    if name in _THEME:
        return theme_color(name)
    if attribute in box:
        return unit_rgba(box[attribute])
    return theme_color(default) if default in _THEME else rgba(default)


def fill_color(box: Box, default: str) -> Color:
    """The fill colour of a panel or a menu. Max names it differently where it can be a gradient."""
    attributes = box | box.get("saved_attribute_attributes", {})
    names = ("bgfillcolor", "bgfillcolor_color", "bgcolor")
    return color_of(box, next((name for name in names if name in attributes), ""), default)


def theme_color(name: str) -> Color:
    """A colour of the theme."""
    return rgba(_THEME[name])


def unit_rgba(color: Sequence[float]) -> Color:
    """The colour from Max's red, green, blue and opacity, 0…1 each."""
    red, green, blue, *alpha = (round(255 * part) for part in color)
    return red, green, blue, alpha[0] if alpha else 255


def text_color(box: Box) -> Color:
    """The colour of the box's text."""
    return color_of(box, "textcolor", "live_control_fg")


def _parameter(box: Box) -> Mapping[str, Any]:
    value: Mapping[str, Any] = box.get("saved_attribute_attributes", {}).get("valueof", {})
    return value


def short_name(box: Box) -> str:
    """The parameter's name for labels."""
    parameter = _parameter(box)
    return str(parameter.get("parameter_shortname") or parameter.get("parameter_longname", ""))


def value_of(box: Box, shown: Any) -> Any:
    """The value to show: `shown`, or the parameter's initial value if that is None."""
    if shown is not None:
        return shown
    parameter = _parameter(box)
    if parameter.get("parameter_initial_enable"):
        return parameter["parameter_initial"][0]
    return lowest(box)


def lowest(box: Box) -> float:
    """The low end of the parameter's range."""
    return float(_parameter(box).get("parameter_mmin", 0))


def fraction(box: Box, value: float) -> float:
    """The position of a value in its parameter's range, 0…1."""
    low, high = lowest(box), float(_parameter(box).get("parameter_mmax", 127))
    return min(max((float(value) - low) / (high - low), 0.0), 1.0)


def formatted(box: Box, value: Any) -> str:
    """The value as Live writes it: an item's name, or a number in the parameter's unit style."""
    if isinstance(value, str):
        return value
    parameter = _parameter(box)
    if parameter.get("parameter_type") == _ENUM:
        return str(parameter["parameter_enum"][round(value)])
    decimals = 2 if parameter.get("parameter_unitstyle") == _UNIT_FLOAT else 0
    return f"{value:.{decimals}f}"


def is_active(box: Box) -> bool:
    """Whether the box can be used; Live greys out the others."""
    return bool(box.get("active", 1))
