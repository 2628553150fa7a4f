"""Draws a Max patcher's presentation as Live shows it: on a track, in the default theme, at 100 %.

It stands in for Live where there is none: to look at the layout, to picture it in the README, and
to find texts that are cut off. Live's own font is not free: another stands in for it, so that
widths are near its own and not the same.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from PIL import Image

from max_for_live.canvas import Canvas, Color, Label, Rect, leading, misfit, rgba

TITLE = "Melody Bridge"
TITLE_HEIGHT = 18
BODY_HEIGHT = 169

Box = dict[str, Any]
"""Of a patcher: what stands under its "box"."""


def draw(
    patcher: Mapping[str, Any], scale: int = 2, shown: Mapping[str, Any] | None = None
) -> Image.Image:
    """The device with its title bar.

    Args:
        patcher: a parsed .maxpat.
        scale: pixels of the picture for each of Live's.
        shown: what boxes show in place of their initial values, by scripting name: a text, a
            number (of a parameter, or a part 0…1 of a meter), for a panel a colour of 0…1; or a
            mapping of attributes that messages have set.

    Returns:
        RGBA, (`devicewidth` × 187) × scale, transparent outside the rounded corners.

    Raises:
        ValueError: a box in the presentation is of a class that is not known here.
    """
    return _paint(patcher, scale, shown or {}).picture(_CORNER)


def overflows(patcher: Mapping[str, Any], shown: Mapping[str, Any] | None = None) -> list[str]:
    """What does not fit: a sentence for each text that is cut off, each two boxes that overlap, and
    each box that is not wholly on the device. Panels and lines may lie under others.
    """
    boxes = _presented(patcher)
    labels = _paint(patcher, 1, shown or {}).labels
    return [
        *(complaint for label in labels if (complaint := misfit(label))),
        *_overlaps(boxes),
        *_outside(boxes, patcher["patcher"]["devicewidth"]),
    ]


_INACTIVE_TEXT = "#6e6e6e"
_THEME = {
    "live_surface_bg": "#a5a5a5",
    "live_surface_frame": "#6e6e6e",
    "live_control_bg": "#cfcfcf",
    "live_control_text_bg": "#dcdcdc",
    "live_control_fg": "#121212",
    "live_control_fg_off": "#121212",
    "live_control_fg_on": "#121212",
    "live_control_selection": "#ffb532",
    "live_contrast_frame": "#505050",
    "live_value_arc": "#6dd7ff",
    "live_value_bar": "#6dd7ff",
    "live_dial_fg": "#3c3c3c",
    "live_dial_needle": "#121212",
    "live_led_bg": "#5a5a5a",
    "live_lcd_bg": "#242424",
    "live_lcd_control_fg": "#ffb532",
    "live_lcd_control_fg_zombie": "#a5a5a5",
    "live_lcd_title": "#cfcfcf",
    "live_display_scale_text": "#cfcfcf7f",
    "live_meter_bg": "#242424",
    "live_record": "#ff5559",
    "live_play": "#00d38d",
}
"""Live's colours by their names in Max: as patchers that were saved in that theme and Max's own
reference have them, and where neither tells, between their neighbours."""
_METER = ((0.0, "#0cf864"), (0.65, "#c3f864"), (0.85, "#ffc10a"), (0.95, "#ff0a0a"))
"""From which part of the meter on it has which colour."""
_TITLE_BAR = "#c3c3c3"
_ICON = "#3c3c3c"
_EDGE = "#00000038"
_MAX_FILL, _MAX_TEXT = "#333333", "#e5e5e5"
"""Of Max's own classes, which do not follow Live's theme unless they are told to."""
_CORNER = 4.0
_FONT_SIZE = 9.5
_MAX_FONT_SIZE = 10.0
"""The default in the patchers of devices."""
_PAD = 3.0
"""Between a control's edge and its text."""
_LINE_HEIGHT = 13.0
"""Of a dial's and a slider's name and value."""
_TRIANGLE_ROOM = 12.0


def _paint(patcher: Mapping[str, Any], scale: int, shown: Mapping[str, Any]) -> Canvas:
    width = patcher["patcher"]["devicewidth"]
    canvas = Canvas(width, TITLE_HEIGHT, BODY_HEIGHT, scale, _theme("live_surface_bg"))
    _paint_title(canvas)
    # Max keeps what is in front first in its list.
    for box in reversed(_presented(patcher)):
        painter = _PAINTERS.get(box["maxclass"])
        if painter is None:
            raise ValueError(f"{_name(box)}: no picture of a {box['maxclass']}")
        told = shown.get(_name(box))
        if isinstance(told, Mapping):
            box, told = {**box, **told}, None
        painter(canvas, box, told)
    return canvas


def _presented(patcher: Mapping[str, Any]) -> list[Box]:
    boxes = [entry["box"] for entry in patcher["patcher"]["boxes"]]
    return [box for box in boxes if box.get("presentation") and not box.get("hidden")]


def _paint_title(canvas: Canvas) -> None:
    middle = -TITLE_HEIGHT / 2
    canvas.rectangle((0, -TITLE_HEIGHT, canvas.width, 0), rgba(_TITLE_BAR))
    canvas.rectangle((0, -0.5, canvas.width, 0), rgba(_EDGE))
    canvas.circle((10, middle), 4.5, rgba("#00000055"))
    canvas.circle((10, middle), 4, _theme("live_control_selection"))
    place = 19, -TITLE_HEIGHT, canvas.width - 36, 0
    canvas.text(Label("title", TITLE, place, _theme("live_control_fg"), 10))
    _paint_title_icons(canvas, canvas.width, middle)


def _paint_title_icons(canvas: Canvas, right: float, middle: float) -> None:
    """Edit in Max, and save the preset."""
    ink = rgba(_ICON)
    canvas.arc((right - 26, middle), 5, (0, 360), 1, ink)
    for step in (-2, 0, 2):
        canvas.circle((right - 26 + step, middle), 0.7, ink)
    canvas.frame((right - 15, middle - 4.5, right - 6, middle + 4.5), ink, 1)
    canvas.rectangle((right - 12.5, middle - 4.5, right - 8.5, middle - 1.5), ink)
    canvas.rectangle((right - 13, middle + 0.5, right - 8, middle + 4.5), ink)


def _paint_text_button(canvas: Canvas, box: Box, shown: Any) -> None:
    """With a text for `shown`, that is on it; with a number, it is on or off."""
    on = not isinstance(shown, str) and bool(_value(box, shown))
    text = shown if isinstance(shown, str) else box.get("texton" if on else "text", "")
    rect = _rect(box)
    _paint_control(canvas, box, rect, _button_fill(box, on))
    # The text lies on what the button shows: Max has a colour for each.
    attribute = "activetextoncolor" if on else "activetextcolor"
    ink = _color(box, attribute, "live_control_fg") if _is_active(box) else rgba(_INACTIVE_TEXT)
    canvas.text(_label(box, text, _inset(rect, 2), ink, 1))


def _paint_toggle(canvas: Canvas, box: Box, shown: Any) -> None:
    _paint_control(canvas, box, _rect(box), _button_fill(box, bool(_value(box, shown))))


def _paint_button(canvas: Canvas, box: Box, shown: Any) -> None:
    center, radius = _inscribed(box)
    canvas.circle(center, radius, _theme("live_contrast_frame"))
    if _value(box, shown):
        canvas.circle(center, radius - 1, _color(box, "activebgoncolor", "live_value_arc"))
    else:
        canvas.circle(center, radius - 1, _color(box, "activebgcolor", "live_led_bg"))


def _paint_numbox(canvas: Canvas, box: Box, shown: Any) -> None:
    rect = _rect(box)
    value = _value(box, shown)
    lcd = box.get("appearance", 0) == 4
    if lcd:
        fill, ink = _color(box, "lcdbgcolor", "live_lcd_bg"), "lcdcolor"
    else:
        fill, ink = _color(box, "activebgcolor", "live_control_text_bg"), "textcolor"
    _paint_control(canvas, box, rect, fill)
    _paint_numbox_bar(canvas, box, value)
    color = _color(box, ink, "live_lcd_control_fg" if lcd else "live_control_fg")
    canvas.text(_label(box, _formatted(box, value), _inset(rect, _PAD), color, 1))


def _paint_numbox_bar(canvas: Canvas, box: Box, value: Any) -> None:
    """Where the value is in its range: a triangle, or a bar from the left or from the middle."""
    left, top, right, bottom = _inset(_rect(box), 0.5, 0.5)
    appearance = box.get("appearance", 0)
    here = left + (right - left) * _part(box, value)
    start = {2: left, 3: (left + right) / 2}.get(appearance)
    if start is not None:
        bar = min(start, here), top, max(start, here), bottom
        canvas.rectangle(bar, _color(box, "activeslidercolor", "live_value_bar"))
    elif appearance == 1:
        middle = (top + bottom) / 2
        points = [(left + 2, middle - 3), (left + 6, middle), (left + 2, middle + 3)]
        canvas.polygon(points, _color(box, "activetricolor2", "live_value_bar"))


def _paint_dial(canvas: Canvas, box: Box, shown: Any) -> None:
    left, top, right, bottom = _rect(box)
    value = _value(box, shown)
    room = bottom - top - 2 * _LINE_HEIGHT
    radius = min(0.55 * room, (right - left) / 2 - 4)
    center = (left + right) / 2, top + _LINE_HEIGHT + radius + 1.5
    # From where a clock's hand is at half past seven, to half past four.
    start, sweep = 135.0, 270.0
    here = start + sweep * _part(box, value)
    origin = start + sweep * _part(box, max(0.0, _low(box)))
    canvas.arc(
        center, radius, (start, start + sweep), 2.5, _color(box, "dialcolor", "live_dial_fg")
    )
    value_color = _color(box, "activedialcolor", "live_value_arc")
    canvas.arc(center, radius, (min(origin, here), max(origin, here)), 2.5, value_color)
    angle = math.radians(here)
    tip = center[0] + radius * math.cos(angle), center[1] + radius * math.sin(angle)
    canvas.line(center, tip, 1.75, _color(box, "activeneedlecolor", "live_dial_needle"))
    _paint_name(canvas, box, (left, top, right, top + _LINE_HEIGHT))
    _paint_value(canvas, box, value, (left, bottom - _LINE_HEIGHT, right, bottom))


def _paint_name(canvas: Canvas, box: Box, rect: Rect) -> None:
    if box.get("showname", 1):
        canvas.text(_label(box, _short_name(box), rect, _ink(box), 1))


def _paint_value(canvas: Canvas, box: Box, value: Any, rect: Rect) -> None:
    if box.get("shownumber", 1):
        canvas.text(_label(box, _formatted(box, value), rect, _ink(box), 1))


def _paint_menu(canvas: Canvas, box: Box, shown: Any) -> None:
    rect = _rect(box)
    _paint_control(canvas, box, rect, _color(box, "activebgcolor", "live_control_text_bg"))
    _paint_triangle(canvas, rect, _color(box, "tricolor", "live_control_fg"))
    text = _formatted(box, _value(box, shown))
    canvas.text(_label(box, text, _left_of_triangle(rect), _ink(box)))


def _paint_tab(canvas: Canvas, box: Box, shown: Any) -> None:
    left, top, right, bottom = _rect(box)
    items = _parameter(box).get("parameter_enum", ["one", "two", "three"])
    gap = float(box.get("spacing_x", 2))
    each = (right - left + gap) / len(items)
    chosen = _value(box, shown)
    for index, item in enumerate(items):
        tab = left + index * each, top, left + (index + 1) * each - gap, bottom
        _paint_control(canvas, box, tab, _button_fill(box, index == chosen))
        canvas.text(_label(box, str(item), _inset(tab, 2), _ink(box), 1))


def _paint_live_slider(canvas: Canvas, box: Box, shown: Any) -> None:
    """A groove with a handle, between or below its name and its value."""
    left, top, right, bottom = _rect(box)
    value = _value(box, shown)
    part = _part(box, value)
    if box.get("orientation", 0):
        y = (top + bottom) / 2
        start, end = (left + 4, y), (right - 4, y)
    else:
        x = (left + right) / 2
        start, end = (x, bottom - _LINE_HEIGHT - 4), (x, top + _LINE_HEIGHT + 4)
    canvas.line(start, end, 3, _color(box, "slidercolor", "live_meter_bg"))
    handle = start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part
    canvas.circle(handle, 4, _theme("live_contrast_frame"))
    canvas.circle(handle, 3.25, _color(box, "tricolor", "live_control_bg"))
    _paint_name(canvas, box, (left, top, right, top + _LINE_HEIGHT))
    _paint_value(canvas, box, value, (left, bottom - _LINE_HEIGHT, right, bottom))


def _paint_comment(canvas: Canvas, box: Box, shown: Any) -> None:
    left, top, right, bottom = rect = _rect(box)
    size = _font_size(box)
    if box.get("bgcolor"):
        canvas.rectangle(rect, _color(box, "bgcolor", "live_surface_bg"))
    text = box.get("text", "") if shown is None else str(shown)
    lines = max(1, int((bottom - top - 2 * _PAD) // leading(size)))
    align = int(box.get("textjustification", 0))
    place = left + 2, top, right - 2, bottom
    canvas.text(Label(_name(box), text, place, _ink(box), size, align, lines, True))


def _paint_line(canvas: Canvas, box: Box, shown: Any) -> None:
    left, top, right, bottom = _rect(box)
    color = _color(box, "linecolor", "live_surface_frame")
    width = float(box.get("border", 1))
    # 0 at the left or top of its box, 1 in the middle, 2 at the right or bottom.
    share = min(int(box.get("justification", 0)), 2) / 2
    if bottom - top > right - left:
        x = round(left + (right - left - width) * share)
        canvas.rectangle((x, top, x + width, bottom), color)
    else:
        y = round(top + (bottom - top - width) * share)
        canvas.rectangle((left, y, right, y + width), color)


def _paint_meter(canvas: Canvas, box: Box, shown: Any) -> None:
    rect = _rect(box)
    canvas.rectangle(rect, _color(box, "bgcolor", "live_meter_bg"), 1)
    level = float(shown or 0)
    ends = [start for start, _ in _METER[1:]] + [1.0]
    for (start, color), end in zip(_METER, ends, strict=True):
        lit = _span(_inset(rect, 1, 1), start, min(end, level), across=bool(box.get("orientation")))
        canvas.rectangle(lit, rgba(color))


def _paint_textedit(canvas: Canvas, box: Box, shown: Any) -> None:
    left, top, right, bottom = rect = _rect(box)
    _paint_control(canvas, box, rect, _color(box, "bgcolor", _MAX_FILL))
    text = box.get("text", "") if shown is None else str(shown)
    size = _font_size(box)
    lines = max(1, int((bottom - top - _PAD) // leading(size))) if box.get("wordwrap", 1) else 1
    place = left + _PAD + 1, top, right - _PAD - 1, bottom
    color = _color(box, "textcolor", _MAX_TEXT)
    canvas.text(Label(_name(box), text, place, color, size, 0, lines, True))


def _paint_umenu(canvas: Canvas, box: Box, shown: Any) -> None:
    rect = _rect(box)
    _paint_control(canvas, box, rect, _filling(box, _MAX_FILL))
    color = _color(box, "textcolor", _MAX_TEXT)
    _paint_triangle(canvas, rect, color)
    items = [item for item in box.get("items", []) if item != ","]
    text = str(shown if shown is not None else items[0] if items else "")
    canvas.text(_label(box, text, _left_of_triangle(rect), color))


def _paint_multislider(canvas: Canvas, box: Box, shown: Any) -> None:
    left, top, right, bottom = rect = _rect(box)
    canvas.rectangle(rect, _color(box, "bgcolor", _MAX_FILL), 1)
    low, high = box.get("setminmax", (-1.0, 1.0))
    values = shown if isinstance(shown, Sequence) else [low if shown is None else shown]
    upright = bool(box.get("orientation", 1))
    each = ((right - left) if upright else (bottom - top)) / len(values)
    for index, value in enumerate(values):
        if upright:
            place = left + index * each, top, left + (index + 1) * each, bottom
        else:
            place = left, top + index * each, right, top + (index + 1) * each
        part = (float(value) - low) / (high - low)
        bar = _span(_inset(place, 1, 1), 0, part, across=not upright)
        canvas.rectangle(bar, _color(box, "slidercolor", "live_control_selection"))


def _paint_slider(canvas: Canvas, box: Box, shown: Any) -> None:
    left, top, right, bottom = rect = _rect(box)
    _paint_control(canvas, box, rect, _color(box, "bgcolor", _MAX_FILL))
    part = float(shown or 0) / (float(box.get("size", 128)) - 1)
    across = right - left > bottom - top
    # The knob is 2 pixels wide, and moves so far that it stays within.
    room = (right - left if across else bottom - top) - 4
    knob = part * (room - 2) / room, (part * (room - 2) + 2) / room
    place = _span(_inset(rect, 2, 2), *knob, across=across)
    canvas.rectangle(place, _color(box, "knobcolor", _MAX_TEXT))


def _paint_panel(canvas: Canvas, box: Box, shown: Any) -> None:
    left, top, right, bottom = rect = _rect(box)
    filling = _filling(box, "live_control_bg")
    fill = _unit_rgba(shown) if isinstance(shown, Sequence) else filling
    radius = min(float(box.get("rounded", 8)), (right - left) / 2, (bottom - top) / 2)
    canvas.rectangle(rect, fill, radius)
    if border := float(box.get("border", 0)):
        canvas.frame(rect, _color(box, "bordercolor", "live_control_fg"), radius, border)


def _paint_led(canvas: Canvas, box: Box, shown: Any) -> None:
    center, radius = _inscribed(box)
    canvas.circle(center, radius, _theme("live_contrast_frame"))
    if shown:
        canvas.circle(center, radius - 1, _color(box, "oncolor", "live_record"))
    else:
        canvas.circle(center, radius - 1, _color(box, "offcolor", "live_led_bg"))


_PAINTERS: dict[str, Callable[[Canvas, Box, Any], None]] = {
    "comment": _paint_comment,
    "led": _paint_led,
    "live.button": _paint_button,
    "live.comment": _paint_comment,
    "live.dial": _paint_dial,
    "live.line": _paint_line,
    "live.menu": _paint_menu,
    "live.meter~": _paint_meter,
    "live.numbox": _paint_numbox,
    "live.slider": _paint_live_slider,
    "live.tab": _paint_tab,
    "live.text": _paint_text_button,
    "live.toggle": _paint_toggle,
    "multislider": _paint_multislider,
    "panel": _paint_panel,
    "slider": _paint_slider,
    "textedit": _paint_textedit,
    "umenu": _paint_umenu,
}


def _paint_control(canvas: Canvas, box: Box, rect: Rect, fill: Color) -> None:
    if not fill[3]:
        return
    # Not quite square in Live 12 even where nothing is said.
    radius = min(float(box.get("rounded", 0)) or 1.5, (rect[3] - rect[1]) / 2)
    canvas.rectangle(rect, rgba(_EDGE), radius + 0.5)
    canvas.rectangle(_inset(rect, 0.5, 0.5), fill, radius)


def _is_active(box: Box) -> bool:
    return bool(box.get("active", 1))


def _button_fill(box: Box, on: bool) -> Color:
    if not _is_active(box):
        return _color(box, "bgcolor", "live_surface_bg")
    if on:
        return _color(box, "activebgoncolor", "live_control_selection")
    return _color(box, "activebgcolor", "live_control_bg")


def _paint_triangle(canvas: Canvas, rect: Rect, color: Color) -> None:
    x, y = rect[2] - _TRIANGLE_ROOM / 2 - 0.5, (rect[1] + rect[3]) / 2
    canvas.polygon([(x - 3, y - 1.5), (x + 3, y - 1.5), (x, y + 2.5)], color)


def _left_of_triangle(rect: Rect) -> Rect:
    return rect[0] + _PAD + 1, rect[1], rect[2] - _TRIANGLE_ROOM, rect[3]


def _rect(box: Box) -> Rect:
    x, y, width, height = (float(side) for side in box["presentation_rect"])
    return x, y, x + width, y + height


def _inset(rect: Rect, across: float, down: float = 0) -> Rect:
    return rect[0] + across, rect[1] + down, rect[2] - across, rect[3] - down


def _span(rect: Rect, start: float, end: float, *, across: bool) -> Rect:
    """Of the rectangle from one part of it to another: from the left, or from the bottom."""
    left, top, right, bottom = rect
    if across:
        return left + (right - left) * start, top, left + (right - left) * end, bottom
    return left, bottom - (bottom - top) * end, right, bottom - (bottom - top) * start


def _inscribed(box: Box) -> tuple[tuple[float, float], float]:
    """Centre and radius of the circle in a box."""
    left, top, right, bottom = _rect(box)
    return ((left + right) / 2, (top + bottom) / 2), min(right - left, bottom - top) / 2


def _label(box: Box, text: str, rect: Rect, color: Color, align: int = 0) -> Label:
    return Label(_name(box), text, rect, color, _font_size(box), align)


def _name(box: Box) -> str:
    return str(box.get("varname") or box.get("id") or box["maxclass"])


def _font_size(box: Box) -> float:
    default = _FONT_SIZE if box["maxclass"].startswith("live.") else _MAX_FONT_SIZE
    return float(box.get("fontsize", default))


def _ink(box: Box) -> Color:
    return _color(box, "textcolor", "live_control_fg")


def _color(box: Box, attribute: str, default: str) -> Color:
    """A colour attribute of a box: where it is bound to the theme that, else as it was saved."""
    bound = box.get("saved_attribute_attributes", {}).get(attribute, {}).get("expression", "")
    name = str(bound).removeprefix("themecolor.")
    if name in _THEME:
        return _theme(name)
    if attribute in box:
        return _unit_rgba(box[attribute])
    return _theme(default) if default in _THEME else rgba(default)


def _filling(box: Box, default: str) -> Color:
    """Of a panel or a menu: where it can be a gradient, Max saves the colour by other names."""
    told = box | box.get("saved_attribute_attributes", {})
    names = ("bgfillcolor", "bgfillcolor_color", "bgcolor")
    return _color(box, next((name for name in names if name in told), ""), default)


def _theme(name: str) -> Color:
    return rgba(_THEME[name])


def _unit_rgba(color: Sequence[float]) -> Color:
    """Of Max's red, green, blue and opacity of 0…1."""
    red, green, blue, *alpha = (round(255 * part) for part in color)
    return red, green, blue, alpha[0] if alpha else 255


def _parameter(box: Box) -> Mapping[str, Any]:
    value: Mapping[str, Any] = box.get("saved_attribute_attributes", {}).get("valueof", {})
    return value


def _short_name(box: Box) -> str:
    parameter = _parameter(box)
    return str(parameter.get("parameter_shortname") or parameter.get("parameter_longname", ""))


def _value(box: Box, shown: Any) -> Any:
    """What a parameter is at first, unless something else is to be shown."""
    if shown is not None:
        return shown
    parameter = _parameter(box)
    if parameter.get("parameter_initial_enable"):
        return parameter["parameter_initial"][0]
    return _low(box)


def _low(box: Box) -> float:
    return float(_parameter(box).get("parameter_mmin", 0))


def _part(box: Box, value: float) -> float:
    """Where a value is in its parameter's range, 0…1."""
    low, high = _low(box), float(_parameter(box).get("parameter_mmax", 127))
    return min(max((float(value) - low) / (high - low), 0.0), 1.0)


_UNIT_STYLES = {
    1: "{:.2f}",
    2: "{:.0f} ms",
    3: "{:.0f} Hz",
    4: "{:.1f} dB",
    5: "{:.0f} %",
    7: "{:+.0f} st",
}
"""Max's, as far as they say how a number is written; the others are whole numbers."""
_ENUM = 2


def _formatted(box: Box, value: Any) -> str:
    if isinstance(value, str):
        return value
    parameter = _parameter(box)
    if parameter.get("parameter_type") == _ENUM:
        return str(parameter["parameter_enum"][round(value)])
    return _UNIT_STYLES.get(parameter.get("parameter_unitstyle", 0), "{:.0f}").format(value)


def _overlaps(boxes: Sequence[Box]) -> Iterator[str]:
    solid = [box for box in boxes if box["maxclass"] not in ("panel", "live.line")]
    for one, other in itertools.combinations(solid, 2):
        a, b = _rect(one), _rect(other)
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]:
            yield f"{_name(one)} and {_name(other)} overlap"


def _outside(boxes: Sequence[Box], width: float) -> Iterator[str]:
    for box in boxes:
        left, top, right, bottom = _rect(box)
        if left < 0 or top < 0 or right > width or bottom > BODY_HEIGHT:
            place = ", ".join(f"{side:g}" for side in box["presentation_rect"])
            yield f"{_name(box)}: [{place}] is not within {width:g} × {BODY_HEIGHT}"
